import type { CallArguments, CallName, CallResults, Limits } from './calls.js';
import type { PlainError } from './sqlite-error.js';

/** What the worker is started with. */
export interface WorkerData {
  readonly path: string;
  readonly limits: Limits;
}

/**
 * Main thread -> worker, as JSON text: for the small objects of the hot calls that is cheaper than structured clone, and all calls
 * of one turn are one message. Every argument of a call is plain data; a missing one (`undefined`) arrives as null.
 */
export type Request = { readonly kind: 'calls'; readonly calls: readonly NumberedCall[] } | { readonly kind: 'close' };

export interface NumberedCall {
  readonly id: number;
  readonly call: Call;
}

export type Call<K extends CallName = CallName> = {
  readonly [N in K]: { readonly name: N; readonly args: CallArguments[N] };
}[K];

export type Outcome =
  | { readonly ok: true; readonly value: CallResults[CallName] }
  | { readonly ok: false; readonly error: PlainError };

/** Worker -> main thread, once; from then on every message is the JSON text of answers. */
export type Report =
  | { readonly kind: 'ready'; readonly migrated: readonly string[] }
  | { readonly kind: 'refused'; readonly error: PlainError };

export interface Answer {
  readonly id: number;
  readonly outcome: Outcome;
}
