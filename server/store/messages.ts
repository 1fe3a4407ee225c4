import type { CallArguments, CallName, CallResults, Limits } from './calls.js';
import type { PlainError } from './sqlite-error.js';

/** What the worker is started with. */
export interface WorkerData {
  readonly path: string;
  readonly limits: Limits;
}

/** Main thread -> worker. */
export type Request<K extends CallName = CallName> =
  | { readonly kind: 'call'; readonly id: number; readonly call: Call<K> }
  | { readonly kind: 'close' };

export type Call<K extends CallName = CallName> = {
  readonly [N in K]: { readonly name: N; readonly args: CallArguments[N] };
}[K];

export type Outcome =
  | { readonly ok: true; readonly value: CallResults[CallName] }
  | { readonly ok: false; readonly error: PlainError };

/** Worker -> main thread. */
export type Report =
  | { readonly kind: 'ready'; readonly migrated: readonly string[] }
  | { readonly kind: 'refused'; readonly error: PlainError }
  | { readonly kind: 'answers'; readonly answers: readonly { readonly id: number; readonly outcome: Outcome }[] };
