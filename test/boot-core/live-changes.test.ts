import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { applyTo } from '../../server/desired/diff-desired.js';
import type { Claim } from '../../server/domain/boot-session.js';
import type { Change } from '../../server/domain/desired.js';
import type { Digest } from '../../server/domain/digest.js';
import type { Drift, Machine } from '../../server/domain/machine.js';
import type { Role } from '../../server/domain/role.js';
import type { System } from '../../server/domain/system.js';
import { address, answerValue, lines, machine, startCore, type TestCore } from '../support/boot-core.js';

// More than 300 lines: what is desired and what is seen differ in many ways, a case each on one rig.

/* Desired against observed (docs/control.md, "Changes while machines run"): heartbeats of a machine whose desired state changes. */

let core: TestCore;
let claim: Claim;
beforeEach(async () => {
  core = await startCore();
  claim = await booted();
});
afterEach(async () => await core.close());

/** node1 boots until its stage 1 has claimed it. */
async function claimed(): Promise<Claim> {
  core.dora('pxe');
  core.dora('ipxe');
  const file = await core.boot.resolve('boot/ipxe/52-54-00-00-00-01', { protocol: 'http', address });
  const text = file.kind === 'text' ? file.text : '';
  const nonce = /anybios\.nonce=([0-9a-f]+)/.exec(text)?.[1] ?? '';
  const answer = await core.reports.claim(lines({ nonce, 'claim-id': 'claim-id-1' }), address);
  return await core.claims.authenticate(answerValue(answer, 'credential'));
}

/** node1 with its systems running, as its role `web` has them. */
async function booted(): Promise<Claim> {
  const its = await claimed();
  await core.reports.report(its, lines({ stage: 'live', step: 'started' }));
  await core.systems.heartbeat(its, lines({ system: ['web running 0', 'db running 0'] }));
  return its;
}

/** The digests of its systems now, as the machine asks for them. */
const told = (): ReadonlyMap<string, string> =>
  new Map(
    core.definitions.list(claim).map(([, line]) => {
      const [name = '', digest = ''] = String(line).split(' ');
      return [name, digest];
    }),
  );

/** A heartbeat of a machine that runs these systems; returns `action`. */
async function beat(systems: ReadonlyMap<string, string>, more: Record<string, string> = {}): Promise<string> {
  const named = [...systems].map(([name, digest]) => `${name} ${more[name] ?? 'running'} 0 ${digest}`);
  const leftOut = more['left-out'] === undefined ? {} : { 'left-out': more['left-out'] };
  return answerValue(await core.systems.heartbeat(claim, lines({ system: named, ...leftOut })), 'action');
}

const drift = (): readonly Drift[] => core.views.machineView('node1')?.drift ?? [];
const brief = (): readonly string[] => drift().map(({ what, system, ends }) => [what, system, ends].join(' '));

function change(value: Partial<System> & { readonly name: string }): void {
  const before = core.state.systems.get(value.name);
  const base = before ?? core.state.systems.get('web');
  if (base === undefined) throw new Error('no system web');
  core.state.applyChanges([
    { kind: 'system', action: 'change', name: value.name, fields: [], value: { ...base, ...value } },
  ]);
}
function changeRole(value: Partial<Role>, name = 'web'): void {
  const base = core.state.roles.get(name);
  if (base === undefined) throw new Error(`no role ${name}`);
  core.state.applyChanges([{ kind: 'role', action: 'change', name, fields: [], value: { ...base, ...value } }]);
}
/** A version of a root file system that is `stable` from now on. */
const newImage = (name: string, version: string): void =>
  core.state.putImage({
    name,
    version,
    kind: 'rootfs',
    files: [{ part: 'rootfs', digest: '9'.repeat(64) as Digest, size: 1 }],
    tags: ['stable'],
    createdAt: 0,
  });
const changeMachine = (value: Machine): void =>
  core.state.applyChanges([{ kind: 'machine', action: 'change', name: value.name, fields: [], value }]);

describe('what a heartbeat is answered', () => {
  test('nothing while all is as it shall be', async () => {
    expect(await beat(told())).toBe('none');
    expect(drift()).toEqual([]);
    expect(core.views.machineView('node1')).toMatchObject({
      desired: { role: 'web', profile: 'micro', mode: 'resident', systems: ['web', 'db'] },
    });
  });

  test('a changed definition: refresh, until the machine runs the new one; told once, and in the same boot', async () => {
    const before = told();
    const session = core.sessions.of('node1')?.id;
    await beat(before);
    change({ name: 'web', env: { SITE: 'other' } });
    expect(await beat(before)).toBe('refresh');
    expect(brief()).toEqual(['definition web live']);
    expect(core.views.machineView('node1')?.changing).toBe(true);
    expect(await beat(before)).toBe('refresh');
    expect(await beat(told(), { web: 'starting' })).toBe('none');
    expect(core.views.machineView('node1')?.changing).toBe(true);
    expect(await beat(told())).toBe('none');
    expect(drift()).toEqual([]);
    expect((await core.kinds()).filter((kind) => kind.startsWith('systems.'))).toEqual([
      'systems.change',
      'systems.changed',
    ]);
    expect(core.sessions.of('node1')?.id).toBe(session);
    expect([...told()].filter(([name, digest]) => before.get(name) !== digest).map(([name]) => name)).toEqual(['web']);
  });

  const LIVE: Readonly<Record<string, readonly [change: () => void, drift: readonly string[]]>> = {
    'a file of a system': [() => change({ name: 'web', files: { '/etc/motd': 'other' } }), ['definition web live']],
    'its memory alone': [() => change({ name: 'web', memoryBytes: 1_000_000 }), ['limits web live']],
    'its memory and its command': [
      () => change({ name: 'web', memoryBytes: 1_000_000, command: ['/bin/true'] }),
      ['definition web live'],
    ],
    'a system more': [
      () => {
        change({ name: 'mail' });
        changeRole({ systems: ['web', 'db', 'mail'] });
      },
      ['missing mail live'],
    ],
    'a system less': [() => changeRole({ systems: ['web'] }), ['extra db live']],
    'another role of the same profile': [
      () => {
        core.state.applyChanges([
          {
            kind: 'role',
            action: 'add',
            name: 'db',
            fields: [],
            value: { name: 'db', profile: 'micro', mode: 'resident', systems: ['db'], params: {} },
          },
        ]);
        changeMachine({ ...machine, role: 'db' });
      },
      ['extra web live'],
    ],
    'a label that a file shows': [
      () => {
        change({ name: 'web', files: { '/etc/motd': '{{machine.labels.rack}}' } });
        changeMachine({ ...machine, labels: { rack: 'r2' } });
      },
      ['definition web live'],
    ],
  };
  test.each(Object.entries(LIVE))('%s: without a reboot', async (_name, [make, expected]) => {
    const before = told();
    make();
    expect(await beat(before)).toBe('refresh');
    expect(brief()).toEqual(expected);
  });

  const REBOOT: Readonly<Record<string, readonly [change: () => void, reason: RegExp]>> = {
    'another profile': [
      () => {
        newImage('live', '1');
        changeRole({ profile: 'live' });
      },
      /^profile: .*profile micro.*profile live/,
    ],
    'single mode': [() => changeRole({ mode: 'single', systems: ['web'] }), /^mode: .*mode resident.*mode single/],
    'the machine’s own disk': [() => changeMachine({ ...machine, role: 'disk' }), /^plan: .*to its own disk/],
    'no role': [
      () => {
        const { role: _role, ...rest } = machine;
        changeMachine(rest);
      },
      /^plan: machine node1 has no role: its systems go on/,
    ],
    'a new version of the kernel': [
      () =>
        core.state.putImage({
          name: 'kernel',
          version: '2',
          kind: 'kernel',
          files: (['vmlinuz', 'initrd', 'modules'] as const).map((part, index) => ({
            part,
            digest: String(index + 1).repeat(64) as Digest,
            size: 1,
          })),
          tags: ['stable'],
          createdAt: 0,
        }),
      /^kernel: .*kernel:1.*kernel:2/,
    ],
    'a parameter of the kernel': [() => changeRole({ params: { break: 'net' } }), /^arguments: .*anybios\.break=net/],
    'another reserved address': [
      () => changeMachine({ ...machine, address: ((address as number) + 5) as typeof address }),
      /^arguments: .*ip=10\.77\.0\.101.*ip=10\.77\.0\.106/,
    ],
  };
  test.each(Object.entries(REBOOT))(
    '%s: needs a reboot and says why; nothing is told to it',
    async (_name, [make, reason]) => {
      const before = told();
      make();
      expect(await beat(before)).toBe('none');
      const [first, ...more] = drift();
      expect(more).toEqual([]);
      expect(`${first?.what}: ${first?.reason}`).toMatch(reason);
      expect(first?.ends).toBe('reboot');
      expect(core.views.explain('node1').lines.at(-1)).toMatchObject({
        what: 'differs now',
        value: first?.what,
        why: expect.stringContaining('needs a reboot'),
      });
    },
  );

  test('another version of an image restarts nothing by itself: it waits for a refresh', async () => {
    const before = told();
    newImage('base', '2');
    expect(await beat(before)).toBe('none');
    expect(brief()).toEqual(['image web job', 'image db job']);
    expect(drift()[0]?.remedy).toBe('anybios job refresh -m node1');
  });

  test('what somebody did by a job, left out at the boot prompt, or what failed, is shown and left alone', async () => {
    const all = told();
    expect(await beat(all, { web: 'paused', db: 'failed' })).toBe('none');
    expect(brief()).toEqual(['paused web job', 'failed db job']);
    expect(await beat(all, { web: 'stopped' })).toBe('none');
    expect(drift()).toMatchObject([{ what: 'stopped', system: 'web', remedy: 'anybios job start web -m node1' }]);
    const one = new Map([...all].filter(([name]) => name === 'web'));
    expect(await beat(one, { 'left-out': 'db' })).toBe('none');
    expect(brief()).toEqual(['left-out db reboot']);
    expect(await beat(all)).toBe('none');
    expect(drift()).toEqual([]);
  });

  test('a boot under way is changed when its first systems are up, not in its middle', async () => {
    change({ name: 'mail' });
    const named = told();
    const session = core.sessions.of('node1');
    if (session === undefined) throw new Error('no session');
    const { closedAt: _closedAt, ...open } = session;
    core.state.sessions.set('node1', { ...open, outcome: 'running' });
    changeRole({ systems: ['web', 'db', 'mail'] });
    expect(await beat(new Map())).toBe('none');
    expect(await beat(named, { db: 'starting' })).toBe('none');
    expect(await beat(named)).toBe('refresh');
  });

  test('a live OS that tells no digests is left alone but for what is new or gone', async () => {
    const before = told();
    core.dora('pxe');
    change({ name: 'web', env: {} });
    const again = await booted();
    claim = again;
    const named = lines({ system: ['web starting 0'] });
    expect(answerValue(await core.systems.heartbeat(again, named), 'action')).toBe('refresh');
    expect(
      answerValue(await core.systems.heartbeat(again, lines({ system: ['web running 0', 'db running 0'] })), 'action'),
    ).toBe('none');
    expect(await beat(before)).toBe('refresh');
  });
});

test('a machine that is its one system needs a reboot for another definition of it', async () => {
  const one: Role = { name: 'web', profile: 'micro', mode: 'single', systems: ['web'], params: {} };
  changeRole(one);
  core.now += 120_000;
  claim = await claimed();
  await core.reports.report(claim, lines({ stage: 'systems', step: 'handed-over', system: 'web' }));
  expect(core.views.machineView('node1')).toMatchObject({ status: 'unmanaged', drift: [] });
  change({ name: 'web', env: { SITE: 'other' } });
  expect(core.views.machineView('node1')?.drift).toMatchObject([{ what: 'definition', ends: 'reboot' }]);
});

test('a template that cannot be rendered any more is a difference with its reason; the systems go on', async () => {
  const before = told();
  change({ name: 'web', files: { '/etc/motd': '{{machine.labels.nothing}}' } });
  expect(await beat(before)).toBe('none');
  expect(drift()).toMatchObject([{ what: 'plan', ends: 'wait', reason: expect.stringMatching(/nothing.*go on/s) }]);
});

test('off and lost are differences too; silence counts only while the server was up', async () => {
  await beat(told());
  const lostAndHeard = async (): Promise<readonly string[]> => {
    core.lost.check();
    core.lost.check();
    return (await core.kinds()).filter((kind) => kind === 'machine.lost' || kind === 'machine.heard');
  };
  expect(await lostAndHeard()).toEqual([]);
  core.now += 33_000;
  expect(core.views.machineView('node1')?.status).toBe('lost');
  expect(await lostAndHeard()).toEqual(['machine.lost']);
  expect(brief()).toEqual(['lost  wait']);
  // The server was away for an hour: nobody could be heard.
  core.now += 3_600_000;
  core = await core.restart();
  expect(core.views.machineView('node1')?.status).toBe('up');
  core.now += 31_000;
  expect(core.views.machineView('node1')?.status).toBe('up');
  core.now += 2_000;
  expect(core.views.machineView('node1')).toMatchObject({ status: 'lost', drift: [{ what: 'lost' }] });
  expect(await lostAndHeard()).toEqual(['machine.lost']);
  await core.systems.heartbeat(claim, lines({ system: ['web running 3', 'db running 0'] }));
  expect(core.views.machineView('node1')).toMatchObject({ status: 'up', systems: [{ restarts: 3 }, {}] });
  expect(await lostAndHeard()).toEqual(['machine.lost', 'machine.heard']);
});

test('a machine that was never switched on shows what is desired, and that it does not run', async () => {
  const value: Machine = {
    name: 'node2',
    macs: [],
    uuid: '00000000-0000-0000-0000-000000000002',
    role: 'web',
    labels: {},
  };
  core.state.applyChanges([{ kind: 'machine', action: 'add', name: 'node2', fields: [], value }]);
  expect(core.views.machineView('node2')).toMatchObject({
    status: 'off',
    desired: { systems: ['web', 'db'] },
    drift: [{ what: 'off', ends: 'wait' }],
  });
});

describe('what a change would do, before it is made', () => {
  const apply = async (...changes: readonly Change[]) => {
    const { machines, roles, systems } = core.state;
    const before = { machines: [...machines.values()], roles: [...roles.values()], systems: [...systems.values()] };
    return await core.views.effects(before, applyTo(before, changes), changes);
  };
  const web = (value: Partial<System>): Change => {
    const base = core.state.systems.get('web');
    if (base === undefined) throw new Error('no system web');
    return { kind: 'system', action: 'change', name: 'web', fields: [], value: { ...base, ...value } };
  };

  test('only to machines that run and that it matters to', async () => {
    await beat(told());
    expect(await apply(web({ env: {} }))).toMatchObject([
      { name: 'node1', effects: [{ what: 'definition', system: 'web', ends: 'live' }] },
    ]);
    expect(await apply(web({ memoryBytes: 5_000_000 }))).toMatchObject([
      { effects: [{ what: 'limits', system: 'web' }] },
    ]);
    expect(await apply({ kind: 'machine', action: 'remove', name: 'node1', fields: [] })).toMatchObject([
      { effects: [{ what: 'plan', ends: 'reboot' }] },
    ]);
    const one: Role = { name: 'one', profile: 'micro', mode: 'single', systems: ['db'], params: {} };
    expect(await apply({ kind: 'role', action: 'change', name: 'one', fields: [], value: one })).toEqual([]);
    core.now += 60_000;
    expect(await apply(web({ env: {} }))).toEqual([]);
  });

  test('a machine that runs something older needs its reboot for that, not for this change', async () => {
    changeRole({ params: { break: 'net' } });
    newImage('live', '1');
    await beat(told());
    expect(brief()).toEqual(['arguments  reboot']);
    expect(await apply(web({ env: {} }))).toMatchObject([{ effects: [{ what: 'definition' }] }]);
    expect(
      await apply({
        kind: 'role',
        action: 'change',
        name: 'web',
        fields: [],
        value: { name: 'web', profile: 'live', mode: 'resident', systems: ['web', 'db'], params: {} },
      }),
    ).toMatchObject([{ effects: [{ what: 'profile', ends: 'reboot' }] }]);
  });
});
