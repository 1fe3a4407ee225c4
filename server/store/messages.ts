import type { CallArguments, CallName, CallResults, Limits } from './calls.js';
import type { PlainError } from './sqlite-error.js';

/** What the worker is started with. */
export interface WorkerData {
  readonly path: string;
  readonly limits: Limits;
}

/**
 * Main thread -> worker: all calls of a turn one after the other in one flat list, which structured clone copies faster than
 * objects. Of each call its number, its name and its arguments: as JSON, or, where they are rows and texts already, as these.
 * Every argument is plain data; a missing one (`undefined`) arrives as null.
 */
export type Request = (string | number)[] | 'close';

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

/** Worker -> main thread, once; from then on every message is a list that `writeAnswer` made. */
export type Report =
  | { readonly kind: 'ready'; readonly migrated: readonly string[] }
  | { readonly kind: 'refused'; readonly error: PlainError };

export type Answers = (string | number)[];

/** Of each answer its number and what follows: nothing for the many that have nothing to say or `ok`, else JSON. */
const SAID_NOTHING = 0;
const SAID_OK = 1;
const VALUE_FOLLOWS = 2;
const ERROR_FOLLOWS = 3;

export function writeAnswer(answers: Answers, id: number, outcome: Outcome): void {
  if (!outcome.ok) answers.push(id, ERROR_FOLLOWS, JSON.stringify(outcome.error));
  else if (outcome.value === undefined) answers.push(id, SAID_NOTHING);
  else if (outcome.value === 'ok') answers.push(id, SAID_OK);
  else answers.push(id, VALUE_FOLLOWS, JSON.stringify(outcome.value));
}

/** Calls `take` for each answer of a list, in order. */
export function readAnswers(answers: Readonly<Answers>, take: (id: number, outcome: Outcome) => void): void {
  for (let at = 0; at < answers.length; ) {
    const id = Number(answers[at++]);
    const what = answers[at++];
    if (what === SAID_NOTHING) take(id, NOTHING);
    else if (what === SAID_OK) take(id, OK);
    else {
      const text = String(answers[at++]);
      if (what === ERROR_FOLLOWS) take(id, { ok: false, error: JSON.parse(text) });
      else take(id, { ok: true, value: JSON.parse(text) });
    }
  }
}

const NOTHING: Outcome = { ok: true, value: undefined };
const OK: Outcome = { ok: true, value: 'ok' };

/** Calls that linger; but for the last their arguments are rows and texts. */
export type RowCall = Call<'saveSession' | 'saveObserved' | 'appendEvents' | 'forgetStranger'>;

export function writeCall(request: (string | number)[], id: number, call: RowCall): void {
  switch (call.name) {
    case 'saveSession': {
      const [{ id: session, key, opened_ms, body }] = call.args;
      request.push(id, call.name, session, key, opened_ms, body);
      return;
    }
    case 'saveObserved': {
      const [{ key, body }] = call.args;
      request.push(id, call.name, key, body);
      return;
    }
    case 'appendEvents': {
      const [{ count, lines, keys }] = call.args;
      request.push(id, call.name, count, lines, keys);
      return;
    }
    case 'forgetStranger':
      request.push(id, call.name, JSON.stringify(call.args));
  }
}

/** The calls of a list, in order. */
export function readCalls(request: readonly (string | number)[]): NumberedCall[] {
  const calls: NumberedCall[] = [];
  let at = 0;
  const number = (): number => Number(request[at++]);
  const text = (): string => String(request[at++]);
  while (at < request.length) {
    const id = number();
    const name = text() as CallName;
    switch (name) {
      case 'saveSession':
        calls.push({ id, call: { name, args: [{ id: text(), key: text(), opened_ms: number(), body: text() }] } });
        break;
      case 'saveObserved':
        calls.push({ id, call: { name, args: [{ key: text(), body: text() }] } });
        break;
      case 'appendEvents':
        calls.push({ id, call: { name, args: [{ count: number(), lines: text(), keys: text() }] } });
        break;
      default:
        calls.push({ id, call: { name, args: JSON.parse(text()) } });
    }
  }
  return calls;
}
