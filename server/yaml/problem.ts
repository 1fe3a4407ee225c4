import type { z } from 'zod';
import { type AnybiosError, invalid } from '../domain/errors.js';
import { suggest } from './suggest.js';

/** Keys and list positions from the top of a document to a value. */
export type Path = readonly (string | number)[];

/** One thing that is wrong in what a person wrote. */
export interface Problem {
  readonly path: Path;
  /** What is wrong, as a sentence without the place. */
  readonly message: string;
  /** What may stand there instead. */
  readonly allowed?: string;
  /** Where, when the path does not tell it: a line of a syntax error, a variable's name. */
  readonly place?: string;
}

/** `machines[0].macs[1]`; keys that are no plain words are quoted: `files["/etc/motd"]`. */
export function pathText(path: Path): string {
  let text = '';
  for (const step of path) {
    if (typeof step === 'number') text += `[${step}]`;
    else if (/^[A-Za-z_][\w-]*$/.test(step)) text += text === '' ? step : `.${step}`;
    else text += `[${JSON.stringify(step)}]`;
  }
  return text;
}

/**
 * All problems as one `invalid` error: a line each, `PLACE: KEY: what is wrong; allowed: what may stand there`. `place` names
 * file and line (or variable); `field` of the error is the first key.
 */
export function refusal(problems: readonly Problem[], place: (path: Path) => string | undefined): AnybiosError {
  const lines = problems.map(({ path, message, allowed, place: known }) => {
    const parts = [known ?? place(path), pathText(path), message].filter((part) => part !== undefined && part !== '');
    return parts.join(': ') + (allowed === undefined ? '' : `; allowed: ${allowed}`);
  });
  const field = pathText(problems[0]?.path ?? []);
  // A system that two roles use, or one role twice, is found wrong each time.
  return invalid([...new Set(lines)].join('\n'), field === '' ? {} : { field });
}

/** Checks a value against a schema made with the helpers of schema.ts: the value, or everything that is wrong with it. */
export function check<T extends z.ZodType>(
  schema: T,
  value: unknown,
): { readonly value: z.output<T>; readonly problems?: undefined } | { readonly problems: readonly Problem[] } {
  const result = schema.safeParse(value, { error: allowedByDefault });
  if (result.success) return { value: result.data };
  return { problems: result.error.issues.flatMap((issue) => problemsOf(issue, value)) };
}

type Issue = z.core.$ZodIssue;

/** In this project the message of an issue is the text after "allowed:"; this gives it to schemas that name none. */
function allowedByDefault(issue: z.core.$ZodRawIssue): string | undefined {
  switch (issue.code) {
    case 'invalid_type':
      return WORDS[issue.expected] ?? issue.expected;
    case 'invalid_value':
      return issue.values.map(String).join(' | ');
    case 'too_small':
      return issue.origin === 'array' ? `at least ${issue.minimum} in the list` : `at least ${issue.minimum}`;
    case 'too_big':
      return issue.origin === 'array' ? `at most ${issue.maximum} in the list` : `at most ${issue.maximum}`;
    default:
      return undefined;
  }
}

const WORDS: Readonly<Record<string, string>> = {
  string: 'text (numbers, true and false go in quotes)',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true | false',
  array: 'a list',
  object: 'keys with values',
  record: 'keys with values',
};

function problemsOf(issue: Issue, root: unknown): Problem[] {
  const path = issue.path.map((step) => (typeof step === 'symbol' ? String(step) : step));
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => ({
        path: [...path, key],
        message: `unknown key${suggest(key, issue.message.split(', '))}`,
        allowed: issue.message,
      }));
    case 'invalid_key':
      // A key is read like a value: what is wrong with it stands in the issue inside.
      return issue.issues.flatMap((inner) =>
        inner.code === 'custom'
          ? [{ ...custom(inner), path }]
          : [{ path, message: 'this key does not fit', allowed: inner.message }],
      );
    case 'custom':
      return [{ ...custom(issue), path }];
    case 'invalid_union': {
      const meant = meantForm(issue.errors, valueAt(root, path));
      if (meant !== undefined)
        return meant.flatMap((inner) => problemsOf({ ...inner, path: [...path, ...inner.path] }, root));
      return [{ path, message: describe(valueAt(root, path)), allowed: issue.message }];
    }
    default: {
      const found = valueAt(root, path);
      const hint =
        issue.code === 'invalid_value' && typeof found === 'string' ? suggest(found, issue.values.map(String)) : '';
      return [{ path, message: `${describe(found)}${hint}`, allowed: issue.message }];
    }
  }
}

/**
 * Of a value with several forms the one that was meant, by what is wrong with it as that form: the only one that knows most of the
 * keys that were found. Undefined: no form, or more than one; then the whole value is named.
 */
function meantForm(forms: readonly (readonly Issue[])[], found: unknown): readonly Issue[] | undefined {
  if (typeof found !== 'object' || found === null || Array.isArray(found)) return undefined;
  const known = forms.map((issues) => {
    if (issues.some(({ code, path }) => path.length === 0 && code !== 'unrecognized_keys')) return 0;
    const strange = issues.flatMap((issue) =>
      issue.code === 'unrecognized_keys' && issue.path.length === 0 ? issue.keys : [],
    );
    return Object.keys(found).length - strange.length;
  });
  const most = Math.max(...known);
  const only = known.indexOf(most);
  return most > 0 && known.lastIndexOf(most) === only ? forms[only] : undefined;
}

function custom(issue: Extract<Issue, { code: 'custom' }>): Omit<Problem, 'path'> {
  const allowed: unknown = issue.params?.allowed;
  return { message: issue.message, ...(typeof allowed === 'string' ? { allowed } : {}) };
}

function describe(found: unknown): string {
  if (found === undefined) return 'is missing';
  if (found === null) return 'is empty';
  if (Array.isArray(found)) return found.length === 0 ? 'the list is empty' : `a list of ${found.length} does not fit`;
  if (typeof found === 'object') return 'keys with values do not fit';
  if (typeof found === 'string') return `${quoted(found)} does not fit`;
  return `${String(found)} does not fit`;
}

/** A value as it may stand in a message: quoted, control characters escaped, not longer than a line. */
export function quoted(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 77)}...` : text);
}

function valueAt(root: unknown, path: Path): unknown {
  let at = root;
  for (const step of path) {
    if (typeof at !== 'object' || at === null) return undefined;
    at = Object.getOwnPropertyDescriptor(at, step)?.value;
  }
  return at;
}
