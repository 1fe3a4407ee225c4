import { describe, expect, test } from 'vitest';
import { type LiveBoot, type LiveMachine, liveLines } from '../../server/cli/live-view.js';
import { coloured } from '../../server/cli/terminal/style.js';
import { displayWidth } from '../../server/cli/terminal/text.js';

const OPENED = 1_000_000;
const MIB = 1024 * 1024;

function machine(boot: Partial<LiveBoot> | undefined, rest: Partial<LiveMachine> = {}): LiveMachine {
  return {
    name: 'node1',
    status: 'booting',
    systems: [],
    ...(boot === undefined ? {} : { boot: { stage: 'dhcp', outcome: 'running', openedAt: OPENED, ...boot } }),
    ...rest,
  };
}

const rows: Record<string, { readonly machine: LiveMachine; readonly width?: number; readonly line: string }> = {
  'a machine that never booted shows its status only': {
    machine: machine(undefined, { status: 'off' }),
    line: 'node1  off',
  },
  'the first packet starts the clock': {
    machine: machine({ stage: 'dhcp' }),
    line: 'node1  dhcp     [--------------------]       12 s',
  },
  'a file being loaded: name, bytes, percent, and the bar moves within its stage': {
    machine: machine({ stage: 'rootfs', progress: { file: 'rootfs', bytes: 4 * MIB, total: 8 * MIB } }),
    line: 'node1  rootfs   [#############-------]       12 s  rootfs 4.0/8.0 MiB 50 %',
  },
  'a file that is complete says nothing more': {
    machine: machine({ stage: 'live', progress: { file: 'rootfs', bytes: 8 * MIB, total: 8 * MIB } }),
    line: 'node1  live     [#################---]       12 s',
  },
  'a size of zero is no division by zero': {
    machine: machine({ stage: 'rootfs', progress: { file: 'x', bytes: 0, total: 0 } }),
    line: 'node1  rootfs   [############--------]       12 s',
  },
  'systems as they start': {
    machine: machine(
      { stage: 'systems' },
      {
        systems: [
          { name: 'web', state: 'running' },
          { name: 'db', state: 'starting' },
        ],
      },
    ),
    line: 'node1  systems  [#################---]       12 s  web running, db starting',
  },
  'the clock of a boot that succeeded stands still': {
    machine: machine(
      { stage: 'systems', outcome: 'succeeded', lastStepAt: OPENED + 9_500 },
      { status: 'up', systems: [{ name: 'web', state: 'running' }] },
    ),
    line: 'node1  systems  [####################]        9 s  web running',
  },
  'a role without systems ends with the status': {
    machine: machine({ stage: 'live', outcome: 'succeeded', lastStepAt: OPENED + 9_500 }, { status: 'up' }),
    line: 'node1  live     [####################]        9 s  up',
  },
  'a failed boot shows its diagnosis, and the bar stays where it was': {
    machine: machine({
      stage: 'rootfs',
      outcome: 'failed',
      lastStepAt: OPENED + 7_000,
      diagnosis: { name: 'digest-mismatch', message: 'rootfs is damaged', remedy: 'import it again' },
    }),
    line: 'node1  rootfs   [############--------]        7 s  digest-mismatch: rootfs is damaged',
  },
  'a stalled boot keeps counting': {
    machine: machine({ stage: 'loader', outcome: 'stalled', lastStepAt: OPENED + 1_000 }),
    line: 'node1  loader   [##------------------]       12 s  stalled',
  },
  'waiting for approval is said': {
    machine: machine({ stage: 'stage1' }, { status: 'waiting' }),
    line: 'node1  stage1   [##########----------]       12 s  waiting',
  },
  'a stage of a newer server is shown as it is': {
    machine: machine({ stage: 'unpack' }),
    line: 'node1  unpack   [--------------------]       12 s',
  },
  'a narrow terminal: short bar, the rest cut': {
    machine: machine({ stage: 'rootfs', progress: { file: 'rootfs', bytes: 4 * MIB, total: 8 * MIB } }),
    width: 50,
    line: 'node1  rootfs   [#####---]       12 s  rootfs 4.0…',
  },
  'a very narrow terminal: name and stage': {
    machine: machine({ stage: 'rootfs' }),
    width: 20,
    line: 'node1  rootfs ',
  },
  'an escape sequence in a message does not reach the terminal': {
    machine: machine({
      outcome: 'failed',
      lastStepAt: OPENED,
      diagnosis: { name: 'x', message: 'a\u001b[2Jb\r\nc', remedy: '' },
    }),
    line: 'node1  dhcp     [--------------------]        0 s  x: a·[2Jb c',
  },
};

describe('liveLines', () => {
  test.each(Object.entries(rows))('%s', (_name, row) => {
    expect(liveLines([row.machine], OPENED + 12_000, row.width ?? 100)).toEqual([row.line]);
  });

  test('names are aligned', () => {
    const lines = liveLines([machine({}), machine({}, { name: 'db-server' })], OPENED, 80);
    expect(lines.map((line) => line.indexOf('dhcp'))).toEqual([11, 11]);
  });

  test('no line is wider than the terminal, at any width, coloured or not', () => {
    const all = Object.values(rows).map((row) => row.machine);
    const wide = machine(
      {},
      { name: '机器一号机器一号机器一号机器一号', systems: [{ name: 'web', state: 'running' }] },
    );
    for (let width = 20; width <= 160; width += 1) {
      for (const line of liveLines([...all, wide], OPENED + 5_000_000, width, coloured)) {
        // biome-ignore lint/suspicious/noControlCharactersInRegex: colour codes take no columns.
        expect(displayWidth(line.replace(/\u001b\[\d+m/g, ''))).toBeLessThanOrEqual(width);
      }
    }
  });
});
