import { describe, expect, test } from 'vitest';
import { describeFields } from '../../../server/cli/terminal/describe.js';
import { coloured, plain, styleFor } from '../../../server/cli/terminal/style.js';
import { type Column, fieldLines, tableLines } from '../../../server/cli/terminal/table.js';
import { clip, displayWidth, printable, wrap } from '../../../server/cli/terminal/text.js';

interface Row {
  readonly name: string;
  readonly size: number;
  readonly text: string;
}
const columns: readonly Column<Row>[] = [
  { title: 'NAME', value: (row) => row.name },
  { title: 'SIZE', value: (row) => String(row.size), right: true },
  { title: 'TEXT', value: (row) => row.text, elastic: true },
];
const rows: readonly Row[] = [
  { name: 'node1', size: 5, text: 'a long text that takes its room' },
  { name: '机器', size: 12345, text: '' },
];

describe('tableLines', () => {
  test('aligned, numbers at the right, an empty cell is a dash', () => {
    expect(tableLines(columns, rows, undefined)).toEqual([
      'NAME    SIZE  TEXT',
      'node1      5  a long text that takes its room',
      '机器   12345  -',
    ]);
  });

  test('a narrow terminal cuts the elastic column first', () => {
    expect(tableLines(columns, rows, 24)).toEqual([
      'NAME    SIZE  TEXT',
      'node1      5  a long te…',
      '机器   12345  -',
    ]);
  });

  test('no line is wider than the terminal, as long as four columns a cell are left', () => {
    for (let width = 18; width < 60; width += 1) {
      for (const line of tableLines(columns, rows, width)) expect(displayWidth(line)).toBeLessThanOrEqual(width);
    }
  });

  test('colours do not disturb the columns', () => {
    const painted = [
      { ...columns[0], paint: (cell: string) => coloured.good(cell) } as Column<Row>,
      ...columns.slice(1),
    ];
    expect(tableLines(painted, rows.slice(0, 1), 80)[1]).toBe(
      '\u001b[32mnode1\u001b[39m     5  a long text that takes its room',
    );
  });
});

test('fields: keys aligned, absent values left out', () => {
  expect(
    fieldLines([
      ['name', 'node1'],
      ['address', undefined],
      ['session', 'x\ny'],
    ]),
  ).toEqual(['name     node1', 'session  x y']);
});

test('an object as fields', () => {
  expect(
    describeFields({
      name: 'web',
      macs: ['a', 'b'],
      labels: { rack: 'r1' },
      none: [],
      files: [{ part: 'x' }],
      gone: null,
    }),
  ).toEqual([
    ['name', 'web'],
    ['macs', 'a, b'],
    ['labels.rack', 'r1'],
    ['files[0].part', 'x'],
  ]);
});

describe('text', () => {
  test.each([
    ['fits', 4, 'fits'],
    ['too long', 4, 'too…'],
    ['机器一号', 5, '机器…'],
    ['机器一号', 4, '机…'],
    ['x', 0, ''],
  ])('clip(%s, %d)', (text, width, clipped) => {
    expect(clip(text, width)).toBe(clipped);
  });

  test('what a machine says cannot steer the terminal', () => {
    expect(printable('a\u001b]0;title\u0007b\u009bc\u202ed\r\n  e')).toBe('a·]0;title·b·c·d e');
  });

  test.each([
    ['ip=10.77.0.11 console=ttyS0 quiet', 14, ['ip=10.77.0.11', 'console=ttyS0', 'quiet']],
    ['averylongword x', 5, ['avery', 'longw', 'ord x']],
    ['', 5, ['']],
  ])('wrap(%s, %d)', (text, width, lines) => {
    expect(wrap(text, width)).toEqual(lines);
  });
});

test.each([
  ['a terminal has colours', true, {}, coloured],
  ['a pipe has none', false, {}, plain],
  ['NO_COLOR is respected', true, { NO_COLOR: '1' }, plain],
  ['an empty NO_COLOR is no wish', true, { NO_COLOR: '' }, coloured],
  ['a dumb terminal has none', true, { TERM: 'dumb' }, plain],
])('%s', (_name, isTerminal, env, style) => {
  expect(styleFor(isTerminal, env)).toBe(style);
});
