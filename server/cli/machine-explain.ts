import { explanationSchema, readAnswer } from './api-schema.js';
import type { Cli } from './cli.js';
import { displayWidth, padEnd, printable, wrap } from './terminal/text.js';

/** What a machine would be given, a value and its reason a line; columns as far as they fit. */
export function explainLines(cli: Cli, answer: unknown): readonly string[] {
  const { lines } = readAnswer(explanationSchema, answer, 'explanation');
  const rows = lines.map(({ what, value, why }) => ({ what, value: printable(valueText(value)), why: printable(why) }));
  const whatWidth = Math.max(0, ...rows.map((row) => displayWidth(row.what)));
  const width = cli.width ?? Number.POSITIVE_INFINITY;
  const most = Math.min(VALUE_COLUMNS, Math.floor((width - whatWidth) / 2));
  const valueWidth = Math.max(0, ...rows.map((row) => displayWidth(row.value)).filter((columns) => columns <= most));
  // Nothing of an explanation is cut: what does not fit goes on in the next line, in its column.
  return rows.flatMap(({ what, value, why }) => {
    const fits = displayWidth(value) <= valueWidth;
    const values = fits ? [padEnd(value, valueWidth)] : wrap(value, width - whatWidth - 2);
    const indent = ' '.repeat(whatWidth + 2 + (fits ? valueWidth + 2 : 2));
    const reasons = wrap(why, Math.max(20, width - indent.length)).map((line) => cli.style.dim(line));
    const lines = values.map((line, index) => `${padEnd(index === 0 ? what : '', whatWidth)}  ${line}`);
    if (!fits) return [...lines, ...reasons.map((line) => indent + line)];
    return [`${lines[0] ?? ''}  ${reasons[0] ?? ''}`, ...reasons.slice(1).map((line) => indent + line)];
  });
}

/** A longer value (the kernel command line) has its reason below it and does not move the others' to the right. */
const VALUE_COLUMNS = 60;

function valueText(value: unknown): string {
  if (typeof value === 'string') return value;
  if (Array.isArray(value)) return value.map(valueText).join(' ');
  return value === null || value === undefined ? 'none' : JSON.stringify(value);
}
