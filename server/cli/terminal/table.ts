import { clip, displayWidth, padEnd, padStart, printable } from './text.js';

export interface Column<T> {
  readonly title: string;
  readonly value: (row: T) => string;
  /** Numbers stand at the right. */
  readonly right?: boolean;
  /** Colours the finished cell; must not change its width. */
  readonly paint?: (cell: string, row: T) => string;
  /** Cut first when the terminal is too narrow (the widest of these); other columns are cut last. */
  readonly elastic?: boolean;
}

const GAP = 2;
const LEAST = 4;

/**
 * Aligned lines with a head line, none wider than `width` columns (`undefined` = no limit: not a terminal, nothing is cut).
 * An empty cell is `-`, so that every line has the same number of words for awk when no value holds a space.
 */
export function tableLines<T>(
  columns: readonly Column<T>[],
  rows: readonly T[],
  width: number | undefined,
): readonly string[] {
  const cells = rows.map((row) => columns.map((column) => printable(column.value(row)) || '-'));
  const widths = columns.map((column, index) =>
    Math.max(displayWidth(column.title), ...cells.map((line) => displayWidth(line[index] ?? ''))),
  );
  if (width !== undefined) shrink(widths, columns, width);
  const place = (text: string, index: number): string => {
    const column = widths[index] ?? 0;
    const cut = clip(text, column);
    if (columns[index]?.right === true) return padStart(cut, column);
    // No spaces at the end of a line: they would wrap in a narrower window.
    return index === columns.length - 1 ? cut : padEnd(cut, column);
  };
  const gap = ' '.repeat(GAP);
  const head = columns.map((column, index) => place(column.title, index)).join(gap);
  const body = rows.map((row, line) =>
    columns
      .map((column, index) => {
        const cell = place(cells[line]?.[index] ?? '', index);
        return column.paint === undefined ? cell : column.paint(cell, row);
      })
      .join(gap),
  );
  return [width === undefined ? head : clip(head, width), ...body];
}

/** Takes columns from the widest elastic column until the line fits; then from the widest of all. */
function shrink<T>(widths: number[], columns: readonly Column<T>[], width: number): void {
  const total = (): number => widths.reduce((sum, value) => sum + value, 0) + GAP * (widths.length - 1);
  for (const onlyElastic of [true, false]) {
    while (total() > width) {
      let widest = -1;
      widths.forEach((value, index) => {
        if (onlyElastic && columns[index]?.elastic !== true) return;
        if (value > LEAST && value > (widths[widest] ?? LEAST)) widest = index;
      });
      if (widest < 0) break;
      widths[widest] = (widths[widest] ?? 0) - 1;
    }
  }
}

/** `key  value` lines of one thing, keys aligned; values that are `undefined` are left out. */
export function fieldLines(fields: readonly (readonly [string, string | undefined])[]): readonly string[] {
  const present = fields.filter((field): field is readonly [string, string] => field[1] !== undefined);
  const keyWidth = Math.max(0, ...present.map(([key]) => displayWidth(key)));
  return present.map(([key, value]) => `${padEnd(key, keyWidth)}  ${printable(value) || '-'}`);
}
