/** Colours by meaning. `plain` changes nothing, so that callers never ask whether colours are on. */
export interface Style {
  good(text: string): string;
  bad(text: string): string;
  warn(text: string): string;
  dim(text: string): string;
  strong(text: string): string;
}

const same = (text: string): string => text;
export const plain: Style = { good: same, bad: same, warn: same, dim: same, strong: same };

const sgr =
  (code: number, end: number) =>
  (text: string): string =>
    text === '' ? '' : `\u001b[${code}m${text}\u001b[${end}m`;
export const coloured: Style = {
  good: sgr(32, 39),
  bad: sgr(31, 39),
  warn: sgr(33, 39),
  dim: sgr(2, 22),
  strong: sgr(1, 22),
};

/** Colours only on a terminal that has them, and never against the reader's wish (https://no-color.org). */
export function styleFor(isTerminal: boolean, env: Readonly<Record<string, string | undefined>>): Style {
  const refused = (env.NO_COLOR ?? '') !== '' || env.TERM === 'dumb';
  return isTerminal && !refused ? coloured : plain;
}

const GOOD = new Set(['up', 'succeeded', 'running', 'handed-over', 'approved', 'active', 'ok']);
const BAD = new Set(['failed', 'lost']);
const WARN = new Set(['stalled', 'waiting', 'discovered', 'paused', 'unknown', 'declined', 'warning']);

/** The colour of a state word: a machine's status, a boot's outcome, a system's state. */
export function paintState(style: Style, word: string, text = word): string {
  if (GOOD.has(word)) return style.good(text);
  if (BAD.has(word)) return style.bad(text);
  if (WARN.has(word)) return style.warn(text);
  return text;
}
