import { describe, expect, test } from 'vitest';
import { diagnoseLoop, diagnoseSilence, shellStage } from '../../server/decide/diagnose.js';
import { machineStatus, type StatusInput } from '../../server/decide/machine-status.js';
import { opensSession } from '../../server/decide/session-rule.js';
import { BOOT_STAGES, type BootSession } from '../../server/domain/boot-session.js';
import { parseMac } from '../../server/domain/mac.js';
import type { Observed } from '../../server/domain/machine.js';

const mac = parseMac('52:54:00:00:00:01');
const session = (over: Partial<BootSession> = {}): BootSession => ({
  id: 's',
  key: 'node1',
  mac,
  firmware: 'bios',
  openedAt: 0,
  lastStepAt: 0,
  stage: 'dhcp',
  stages: { dhcp: 0 },
  outcome: 'running',
  loaderFetches: 0,
  ...over,
});
const observed = (over: Partial<Observed> = {}): Observed => ({
  key: 'node1',
  mac,
  waiting: false,
  firstSeenAt: 0,
  lastSeenAt: 0,
  systems: [],
  unmanaged: false,
  ...over,
});

describe('a DISCOVER opens a boot session', () => {
  const rows: Record<string, [Parameters<typeof opensSession>, boolean]> = {
    'firmware, none before': [['pxe', undefined, 0], true],
    'HTTP firmware, none before': [['http', undefined, 0], true],
    'firmware repeats its DISCOVER': [['pxe', session({ stage: 'loader' }), 1000], false],
    'firmware after the script was fetched': [['pxe', session({ scriptFetchedAt: 5 }), 1000], true],
    'firmware after the boot was closed': [['pxe', session({ closedAt: 5 }), 1000], true],
    'chainloaded iPXE asks in the same boot': [['ipxe', session({ stage: 'loader' }), 1000], false],
    'iPXE asks again after the script, before a claim': [['ipxe', session({ scriptFetchedAt: 5 }), 1000], false],
    'iPXE ROM after a claim': [['ipxe', session({ claimedAt: 5 }), 1000], true],
    'iPXE ROM after 60 s of silence': [['ipxe', session(), 60_000], true],
    'iPXE ROM, never seen': [['ipxe', undefined, 0], true],
    'an OS, never seen': [['os', undefined, 0], false],
    'an OS after a closed boot': [['os', session({ closedAt: 5 }), 1e9], false],
    BOOTP: [['bootp', undefined, 0], false],
  };
  test.each(Object.entries(rows))('%s', (_name, [args, opens]) => {
    expect(opensSession(...args)).toBe(opens);
  });
});

describe('silence has a name in every stage', () => {
  test.each(BOOT_STAGES)('%s', (stage) => {
    const silent = session({ stage });
    expect(diagnoseSilence(silent, 1000)).toBeUndefined();
    const diagnosis = diagnoseSilence(silent, 3_600_000);
    expect(diagnosis?.message).toContain('silent for 3600 s');
    expect(diagnosis?.remedy).not.toBe('');
  });
  const shells: Record<string, [string, 'resident' | 'single', BootSession['stage'] | undefined]> = {
    'break: net, before anything is reported': ['quiet anybios.break=net ip=x', 'resident', 'kernel'],
    'break: mount, when the root file system is verified': ['anybios.break=mount', 'single', 'rootfs'],
    'break: systems, in the live OS': ['a anybios.break=systems', 'resident', 'live'],
    'break: systems in single mode, before the hand-over': ['a anybios.break=systems', 'single', 'rootfs'],
    'no break': ['console=tty0', 'resident', undefined],
  };
  test.each(Object.entries(shells))('%s: it waits in a shell', (_name, [args, mode, stage]) => {
    const shellIn = shellStage(args, mode);
    expect(shellIn?.stage).toBe(stage);
    if (shellIn === undefined) return;
    const waiting = session({ stage: shellIn.stage, shellIn });
    expect(diagnoseSilence(waiting, 3_600_000)).toMatchObject({ name: 'waits-in-shell' });
    const progress = { file: 'rootfs', bytes: 1, total: 2 };
    expect(diagnoseSilence({ ...waiting, progress }, 3_600_000)?.name).not.toBe('waits-in-shell');
  });
  test.each([
    ['uefi', 'proxy', 'secure-boot-proxy'],
    ['uefi-http', 'proxy', 'secure-boot-http'],
    ['bios', 'proxy', 'loader-refused'],
    ['uefi', undefined, 'loader-refused'],
  ] as const)('a loader with nothing after it: %s, mode %s: %s', (firmware, dhcpMode, name) => {
    const silent = session({ stage: 'loader', firmware, ...(dhcpMode === undefined ? {} : { dhcpMode }) });
    expect(diagnoseSilence(silent, 3_600_000)?.name).toBe(name);
  });
  test('three loaders in a row without a script are a loop', () => {
    expect(diagnoseLoop(session({ loaderFetches: 2 }))).toBeUndefined();
    expect(diagnoseLoop(session({ loaderFetches: 3 }))?.name).toBe('chainload-loop');
    expect(diagnoseLoop(session({ loaderFetches: 3, scriptFetchedAt: 1 }))).toBeUndefined();
  });
});

describe('the status of a machine', () => {
  const up = observed({ upSince: 1000, heartbeatAt: 50_000 });
  const done = session({ claimedAt: 500, closedAt: 2000, outcome: 'succeeded' });
  const rows: Record<string, [Omit<StatusInput, 'serverStartedAt'> & { serverStartedAt?: number }, string]> = {
    'never seen': [{ known: true, observed: undefined, session: undefined, now: 0 }, 'off'],
    'unknown and seen': [{ known: false, observed: observed(), session: undefined, now: 0 }, 'discovered'],
    'unknown and held': [
      { known: false, observed: observed({ waiting: true }), session: session(), now: 0 },
      'waiting',
    ],
    'approved, not booted since': [
      { known: true, observed: observed({ approvedAt: 10 }), session: session({ closedAt: 11 }), now: 20 },
      'approved',
    ],
    booting: [{ known: true, observed: observed(), session: session(), now: 1 }, 'booting'],
    'stalled is still booting': [
      { known: true, observed: observed(), session: session({ outcome: 'stalled' }), now: 1 },
      'booting',
    ],
    'live OS starts its systems': [
      { known: true, observed: up, session: session({ claimedAt: 500 }), now: 51_000 },
      'booting',
    ],
    up: [{ known: true, observed: up, session: done, now: 60_000 }, 'up'],
    'up with a system that failed': [
      { known: true, observed: up, session: session({ claimedAt: 500, outcome: 'failed' }), now: 60_000 },
      'up',
    ],
    'lost after three heartbeats': [{ known: true, observed: up, session: done, now: 50_000 + 32_001 }, 'lost'],
    'silence counts only while the server was up': [
      { known: true, observed: up, session: done, now: 100_000, serverStartedAt: 90_000 },
      'up',
    ],
    'a stray DISCOVER does not take an up machine down': [
      { known: true, observed: up, session: session({ openedAt: 40_000 }), now: 55_000 },
      'up',
    ],
    rebooting: [{ known: true, observed: up, session: session({ openedAt: 51_000 }), now: 52_000 }, 'booting'],
    'handed over': [{ known: true, observed: observed({ unmanaged: true }), session: done, now: 1e9 }, 'unmanaged'],
  };
  test.each(Object.entries(rows))('%s', (_name, [input, status]) => {
    expect(machineStatus({ serverStartedAt: 0, ...input })).toBe(status);
  });
});
