import { describe, expect, test } from 'vitest';
import { type MachineProgress, reasonOf, verdictOf } from '../../server/lab/verdict.js';

const boot = (outcome: string, stage = 'systems'): MachineProgress['boot'] => ({ outcome, stage });
const on = (): undefined => undefined;
const web = [{ name: 'web', state: 'running' }];

describe('verdict', () => {
  const rows: readonly [string, readonly MachineProgress[], string][] = [
    ['nothing was heard yet', [], 'booting'],
    ['the boot goes on', [{ name: 'n1', boot: boot('running', 'rootfs'), systems: [] }], 'booting'],
    ['all systems run', [{ name: 'n1', boot: boot('succeeded'), systems: web }], 'up'],
    [
      'it was handed to its single system',
      [{ name: 'n1', boot: boot('succeeded'), systems: [{ name: 'web', state: 'handed-over' }] }],
      'up',
    ],
    [
      'a system has failed since',
      [{ name: 'n1', boot: boot('succeeded'), systems: [{ name: 'web', state: 'failed' }] }],
      'booting',
    ],
    ['a stalled boot may only be slow', [{ name: 'n1', boot: boot('stalled'), systems: [] }], 'booting'],
    ['a failed boot decides', [{ name: 'n1', boot: boot('failed'), systems: [] }], 'failed'],
  ];
  test.each(rows)('%s', (_why, machines, kind) => {
    expect(verdictOf(['n1'], machines, on).kind).toBe(kind);
  });

  test('every machine counts, other machines of the site do not', () => {
    const machines = [
      { name: 'n1', boot: boot('succeeded'), systems: web },
      { name: 'other', boot: boot('failed'), systems: [] },
    ];
    expect(verdictOf(['n1', 'n2'], machines, on)).toEqual({ kind: 'booting', waitingFor: ['n2'] });
  });

  test('the diagnosis is the reason', () => {
    const diagnosis = {
      name: 'digest-mismatch',
      message: 'rootfs is not what it should be',
      remedy: 'import it again',
    };
    const machines = [{ name: 'n1', boot: { outcome: 'failed', stage: 'rootfs', diagnosis }, systems: [] }];
    expect(verdictOf(['n1'], machines, on)).toEqual({
      kind: 'failed',
      machine: 'n1',
      reason: 'digest-mismatch: rootfs is not what it should be',
      remedy: 'import it again',
    });
  });

  test.each([
    ['nobody heard of it', undefined, 'no-boot: the server has heard nothing of this machine'],
    [
      'it is under way',
      { name: 'n1', boot: boot('running', 'rootfs'), systems: [] },
      'not-up: still at stage rootfs, with nothing known to be wrong',
    ],
    [
      'a system failed later',
      { name: 'n1', boot: boot('succeeded'), systems: [{ name: 'web', state: 'failed' }] },
      'systems-changed: it was up, and now: web failed',
    ],
  ] as const)('why it is not up: %s', (_why, machine, reason) => {
    expect(reasonOf(machine).reason).toBe(reason);
  });

  test('what may only be slow comes with the way to give it time', () => {
    const { remedy } = reasonOf({ name: 'n1', boot: boot('running', 'rootfs'), systems: [] });
    expect(remedy).toContain('--time-limit');
  });

  test('a machine whose QEMU has ended will not come up', () => {
    expect(verdictOf(['n1'], [], () => 'SIGSEGV')).toMatchObject({
      kind: 'failed',
      reason: expect.stringContaining('SIGSEGV'),
    });
  });
});
