import { AnybiosError, invalid } from '../domain/errors.js';
import type { Machine } from '../domain/machine.js';

/** Which machines a job is for: all conditions that are given must hold; several names are "any of these". */
export interface MachineSelector {
  /** Names, and ranges of them: `node[1-20]`, `node[01-20]`, `rack2-node[1,3,7-9]`. */
  readonly names?: readonly string[];
  readonly role?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly all?: boolean;
}

/** One request may name so many machines; more is a slip of the keyboard. */
const MOST_NAMES = 10_000;

/**
 * The machines of a selector, in the order of their names (those of `names` in that order). Throws `invalid` for a selector that says
 * nothing or a range that is none, `not_found` when a name is no machine's or nothing fits: a job that reaches fewer machines
 * than its author meant must not start.
 */
export function selectMachines(machines: ReadonlyMap<string, Machine>, selector: MachineSelector): readonly Machine[] {
  const { names, role, labels = {}, all } = selector;
  if (names === undefined && role === undefined && Object.keys(labels).length === 0 && all !== true) {
    throw invalid('no machine is named', { field: 'machines', remedy: 'give names, role, labels, or all: true' });
  }
  const candidates = names === undefined ? [...machines.values()].sort(byName) : named(machines, names);
  const found = candidates.filter(
    (machine) =>
      (role === undefined || machine.role === role) &&
      Object.entries(labels).every(([key, value]) => machine.labels[key] === value),
  );
  if (found.length > 0) return found;
  throw new AnybiosError('not_found', 'no machine fits', { field: 'machines', remedy: 'see: anybios machine list' });
}

function named(machines: ReadonlyMap<string, Machine>, patterns: readonly string[]): readonly Machine[] {
  const names = new Set<string>();
  for (const pattern of patterns) for (const name of expandNames(pattern, MOST_NAMES - names.size)) names.add(name);
  const missing = [...names].filter((name) => !machines.has(name));
  if (missing.length > 0) {
    const shown = missing.slice(0, 5).join(', ');
    const more = missing.length > 5 ? ` and ${missing.length - 5} more` : '';
    throw new AnybiosError('not_found', `there is no machine ${shown}${more}`, {
      field: 'machines',
      remedy: 'see: anybios machine list',
    });
  }
  return [...names].map((name) => machines.get(name)).filter((machine) => machine !== undefined);
}

/**
 * `node[1-3]` → node1 node2 node3; a leading zero gives the width: `node[08-10]`. Several brackets multiply. Throws `invalid` for a
 * bracket that is no list of numbers, a range that goes down, or more than `most` names.
 */
export function expandNames(pattern: string, most = MOST_NAMES): readonly string[] {
  const at = pattern.indexOf('[');
  if (at < 0) {
    if (pattern.includes(']')) throw badRange(pattern);
    return [pattern];
  }
  const end = pattern.indexOf(']', at);
  if (end < 0 || pattern.slice(0, at).includes(']')) throw badRange(pattern);
  const head = pattern.slice(0, at);
  const numbers = pattern
    .slice(at + 1, end)
    .split(',')
    .flatMap((part) => numbersOf(part, pattern, most));
  const tails = expandNames(pattern.slice(end + 1), most);
  if (numbers.length * tails.length > most) throw tooMany(pattern);
  return numbers.flatMap((number) => tails.map((tail) => `${head}${number}${tail}`));
}

function numbersOf(part: string, pattern: string, most: number): readonly string[] {
  const [, first = '', last = first] = /^(\d{1,9})(?:-(\d{1,9}))?$/.exec(part) ?? [];
  const from = Number(first);
  const to = Number(last);
  if (first === '' || to < from) throw badRange(pattern);
  if (to - from >= most) throw tooMany(pattern);
  const width = first.startsWith('0') ? first.length : 0;
  return Array.from({ length: to - from + 1 }, (_, index) => String(from + index).padStart(width, '0'));
}

const badRange = (pattern: string): AnybiosError =>
  invalid(`"${pattern.slice(0, 80)}" is not a name or a range of names`, {
    field: 'machines',
    remedy: 'e.g. node1, node[1-20], node[01-20], node[1,3,7-9]',
  });

const tooMany = (pattern: string): AnybiosError =>
  invalid(`"${pattern.slice(0, 80)}" means more than ${MOST_NAMES} machines`, { field: 'machines' });

const byName = (a: Machine, b: Machine): number => a.name.localeCompare(b.name, 'en', { numeric: true });
