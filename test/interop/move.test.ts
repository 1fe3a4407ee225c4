import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statfsSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Change } from '../../server/domain/desired.js';
import type { Job } from '../../server/domain/job.js';
import type { Machine } from '../../server/domain/machine.js';
import type { Role } from '../../server/domain/role.js';
import type { System } from '../../server/domain/system.js';
import { type ControlRig, macOf, startRig } from '../support/control-rig.js';
import { type MovingMachine, startMovingMachine } from '../support/moving-machine.js';

// More than 300 lines: one rig of two machines, SSH and disks, that each case of a move needs.

/*
 * A role moves from node1 to node2 with what its systems have written (ADR 16): the real jobs and store, real SSH of both kinds, the
 * shipped programs of the live OS, ext4 with a label. `db` counts into a file; at the end no number may be missing or there twice.
 */

const by = 'admin';
const MIB = 1 << 20;

let rig: ControlRig;
let wanted: Server;
let node1: MovingMachine;
let node2: MovingMachine;
let beat: NodeJS.Timeout;

const system = (name: string, storage: System['storage']): System => ({
  name,
  kind: 'chroot',
  image: 'base',
  command: ['/bin/true'],
  env: {},
  files: {},
  storage,
  restart: 'always',
});
const put = (
  ...[kind, value]: readonly ['system', System] | readonly ['role', Role] | readonly ['machine', Machine]
): Change => {
  const { written, roles, systems } = rig.core.state;
  const known = { machine: written, role: roles, system: systems }[kind].has(value.name);
  const change = { action: known ? 'change' : 'add', name: value.name, fields: [] } as const;
  if (kind === 'system') return { ...change, kind, value };
  return kind === 'role' ? { ...change, kind, value } : { ...change, kind, value };
};

beforeEach(async () => {
  rig = await startRig([
    { name: 'node1', macs: [macOf(1)], labels: {} },
    { name: 'node2', macs: [macOf(2)], labels: {} },
  ]);
  const { state, store } = rig.core;
  const role = { profile: 'live', mode: 'resident', params: {} } as const;
  const changes = [
    put('system', system('db', { label: 'data', path: 'systems/db' })),
    put('system', system('ram', 'ram')),
    put('role', { ...role, name: 'store', systems: ['db', 'ram'] }),
    put('role', { ...role, name: 'empty', systems: [] }),
    put('machine', { name: 'node1', macs: [macOf(1)], labels: {}, role: 'store' }),
    put('machine', { name: 'node2', macs: [macOf(2)], labels: {}, role: 'empty' }),
  ];
  await store.applyDesired(changes, by);
  state.applyChanges(changes);
  // What a live OS asks: what shall run here.
  wanted = createServer(({ url = '' }, response) => {
    const names = state.roles.get(state.machines.get(url.slice(1))?.role ?? '')?.systems ?? [];
    response.end(names.join(' '));
  });
  await new Promise<void>((resolve) => wanted.listen(0, '127.0.0.1', resolve));
  const wantedUrl = `http://127.0.0.1:${(wanted.address() as AddressInfo).port}`;
  const given = { key: rig.key.publicKey, wantedUrl, mebibytes: 320 };
  node1 = await startMovingMachine('node1', 'dropbear', '127.94.1.1', given);
  node2 = await startMovingMachine('node2', 'sshd', '127.94.1.2', given);
});

beforeEach(() => {
  // Heartbeats: heard, and told to make it so.
  let under: Promise<unknown> = Promise.resolve();
  let beating = false;
  const round = async (): Promise<void> => {
    for (const [name, machine] of [
      ['node1', node1],
      ['node2', node2],
    ] as const) {
      rig.open(name, machine.door());
      await machine.refresh();
    }
  };
  beat = setInterval(() => {
    if (beating) return;
    beating = true;
    under = round().finally(() => {
      beating = false;
    });
  }, 200);
  settled = () => under;
  for (const [name, machine] of [
    ['node1', node1],
    ['node2', node2],
  ] as const) {
    rig.open(name, machine.door());
    rig.core.state.sessions.set(name, {
      id: 'boot-1',
      key: name,
      mac: macOf(name === 'node1' ? 1 : 2),
      firmware: 'bios',
      openedAt: 1,
      lastStepAt: 1,
      stage: 'systems',
      stages: {},
      outcome: 'succeeded',
      loaderFetches: 1,
      images: ['kernel:1', 'live:1'],
    });
  }
});
let settled: () => Promise<unknown> = async () => undefined;
afterEach(async () => {
  clearInterval(beat);
  await settled();
  await rig.close();
  node1.close();
  node2.close();
  wanted.close();
});

const folder = (machine: MovingMachine): string => join(machine.disk, 'systems/db');
/** The lines of the counter: who wrote each number. */
const journal = (machine: MovingMachine): readonly (readonly [string, number])[] => {
  const file = join(folder(machine), 'journal');
  if (!existsSync(file)) return [];
  return readFileSync(file, 'utf8')
    .trim()
    .split('\n')
    .map((line) => [line.split(' ')[0] ?? '', Number(line.split(' ')[1])] as const);
};
const counted = (machine: MovingMachine, who: string, more: number) => {
  const before = journal(machine).length;
  return rig.until(`${more} more of ${who}`, () =>
    journal(machine).length >= before + more && journal(machine).at(-1)?.[0] === who ? true : undefined,
  );
};
const move = (id?: string) => rig.jobs.submit('node1', { kind: 'move', to: 'node2' }, { by, id });
const left = (machine: MovingMachine): readonly string[] =>
  readdirSync(machine.disk).filter((name) => /move/.test(name));
const phase = (id: string, wanted: string, bytes = 0): Promise<Job> =>
  rig.until(`${wanted} of ${id}`, async () => {
    const { job } = await rig.jobs.get(id);
    if (job.state === 'failed') throw new Error(job.message);
    return job.move?.phase === wanted && job.move.bytes >= bytes ? job : undefined;
  });
const rolesNow = () => ['node1', 'node2'].map((name) => rig.core.state.written.get(name)?.role);
/** Enough that it does not go in one breath. */
const fill = (mebibytes: number): void => {
  const block = Buffer.alloc(MIB, 'anybios');
  for (let at = 0; at < mebibytes; at++) appendFileSync(join(folder(node1), 'large'), block);
};
/** Leaves so much room on its disk. */
const useUp = (machine: MovingMachine, mebibytes: number): void => {
  const { bavail, bsize } = statfsSync(machine.disk);
  execFileSync('fallocate', ['-l', String(bavail * bsize - mebibytes * MIB), join(machine.disk, 'other')]);
};
/** As a mount is its own: inside its SSH server's view of the disks. */
const onNode2 = async (...command: readonly string[]): Promise<void> => {
  const { id } = await rig.jobs.submit('node2', { kind: 'exec', command }, { by });
  expect((await rig.ended(id)).job).toMatchObject({ state: 'done' });
};
/** Everything is as if nobody had asked: the source has gone on counting, and nothing lies on the target. */
const untouched = async (leftOnTarget = /^$/): Promise<void> => {
  await counted(node1, 'node1', 3);
  expect(rolesNow()).toEqual(['store', 'empty']);
  expect(existsSync(folder(node2))).toBe(false);
  expect(left(node2).join()).toMatch(leftOnTarget);
  expect(node2.doings()).toEqual([]);
  const lines = journal(node1);
  expect(lines.map(([, number]) => number)).toEqual(lines.map((_, index) => index + 1));
  expect(rig.core.state.moving.size).toBe(0);
};

test('what it has written follows the role, whole, and goes on there; then it comes back', async () => {
  await counted(node1, 'node1', 3);
  // What an overlay keeps there: a whiteout (a device) and an opaque folder (trusted.overlay.opaque), owners, links, holes.
  const tree = folder(node1);
  execFileSync('sh', [
    '-ec',
    `cd "$1"; mkdir -p lower/old lower/gone upper work merged; echo x >lower/old/file; echo x >lower/removed
    unshare -m sh -ec 'mount -t overlay -o lowerdir=lower,upperdir=upper,workdir=work none merged
    rm merged/removed; rm -r merged/old; mkdir merged/old; echo new >merged/old/new
    echo mine >merged/mine; chown 1234:5678 merged/mine; chmod 4750 merged/mine; ln merged/mine merged/linked; ln -s /nowhere merged/symbolic
    truncate -s 64M merged/holes; echo end >>merged/holes; touch -d "2001-02-03 04:05:06.789" merged/holes'`,
    'sh',
    tree,
  ]);
  const { id } = await move('move-1');
  expect(await move('move-1')).toMatchObject({ id: 'move-1' });
  const { job, output } = await rig.ended(id);
  expect(job).toMatchObject({ state: 'done', message: 'role store is on node2 now' });
  expect(job.move).toMatchObject({ phase: 'placing', role: 'store', bytes: job.move?.totalBytes });
  expect(job.move?.totalBytes).toBeGreaterThan(10_000);
  // Holes are not sent.
  expect(job.move?.totalBytes).toBeLessThan(MIB);
  expect(output).toMatch(/db: systems\/db on data, \d+ bytes, sha256 [0-9a-f]{64}, the same on node1 and node2\n/);
  expect(rolesNow()).toEqual(['empty', 'store']);
  await counted(node2, 'node2', 3);

  // One after the other, none missing, none twice: never both, never a torn copy.
  const lines = journal(node2);
  expect(lines.map(([, number]) => number)).toEqual(lines.map((_, index) => index + 1));
  expect([...new Set(lines.map(([who]) => who))]).toEqual(['node1', 'node2']);
  expect(node1.doings()).toEqual(['start db', 'start ram', 'stop db', 'stop ram']);
  expect(node2.doings()).toEqual(['start db', 'start ram']);
  const seen = execFileSync(
    'unshare',
    [
      '-m',
      'sh',
      '-ec',
      `cd "$1"; mount -t overlay -o lowerdir=lower,upperdir=upper,workdir=work none merged; cd merged
      find . -mindepth 1 | sort; stat -c '%n %u %g %a %h' mine; stat -c '%s %b %Y' holes; readlink symbolic`,
      'sh',
      folder(node2),
    ],
    { encoding: 'utf8' },
  );
  expect(seen.replace(/(\d+) \d+ 981173106$/m, '$1 981173106')).toBe(
    `./gone\n./holes\n./linked\n./mine\n./old\n./old/new\n./symbolic\nmine 1234 5678 4750 2\n${64 * MIB + 4} 981173106\n/nowhere\n`,
  );
  expect(statSync(join(folder(node2), 'upper/holes')).blocks * 512).toBeLessThan(MIB);
  expect(left(node2)).toEqual(['.anybios-move.move-1.db.taken']);
  // What is old now is not found again by the system.
  await rig.until('its being put aside', () => (existsSync(join(node1.disk, 'systems/.db.moved')) ? true : undefined));
  expect(existsSync(folder(node1))).toBe(false);

  const back = await rig.jobs.submit('node2', { kind: 'move', to: 'node1' }, { by });
  expect((await rig.ended(back.id)).job).toMatchObject({ state: 'done' });
  await counted(node1, 'node1', 3);
  const all = journal(node1);
  expect(all.map(([, number]) => number)).toEqual(all.map((_, index) => index + 1));
  expect(rolesNow()).toEqual(['store', 'empty']);

  await rig.core.events.flush();
  const kinds = rig.core.events_.filter(({ data }) => data.job === 'move-1').map(({ kind }) => kind);
  expect(kinds).toEqual(['job.queued', 'job.sent', 'job.done', 'role.moved']);
});

test('a file system in a file, which has holes, is copied without them', async () => {
  const sized: Change = put('system', system('db', { label: 'data', path: 'systems/db', sizeBytes: 64 * MIB }));
  await rig.core.store.applyDesired([sized], by);
  rig.core.state.applyChanges([sized]);
  mkdirSync(join(node1.disk, 'systems'), { recursive: true });
  const file = join(node1.disk, 'systems/db.ext4');
  writeFileSync(file, '');
  truncateSync(file, 64 * MIB);
  execFileSync('mkfs.ext4', ['-q', '-L', 'inside', file]);
  const before = execFileSync('sha256sum', [file], { encoding: 'utf8' }).slice(0, 64);
  const { id } = await move();
  expect((await rig.ended(id)).job).toMatchObject({ state: 'done' });
  const copy = join(node2.disk, 'systems/db.ext4');
  expect(execFileSync('sha256sum', [copy], { encoding: 'utf8' }).slice(0, 64)).toBe(before);
  expect(statSync(copy).blocks * 512).toBeLessThan(16 * MIB);
});

describe('it is refused before anything is stopped', () => {
  test.each<[string, () => unknown, RegExp]>([
    [
      'when the source has written nothing',
      () => renameSync(folder(node1), `${folder(node1)}.away`),
      /nothing at systems\/db/,
    ],
    [
      'when something lies on the target already',
      () => mkdirSync(folder(node2), { recursive: true }),
      /^node2: there is something at systems\/db on data already/,
    ],
    [
      'when the target has no disk of the label',
      () => onNode2('umount', node2.disk),
      /^node2: (no disk has the label data|more than one disk has the label data)/,
    ],
    [
      'when the target has no room',
      () => useUp(node2, 10),
      /^node2: label data has room for \d+ MiB, and \d+ MiB are to come/,
    ],
    ['when the target does not answer', () => node2.server.kill(), /^node2: .*(refused|reset|closed)/i],
  ])('%s', async (_, spoil, why) => {
    await counted(node1, 'node1', 3);
    fill(20);
    await spoil();
    const { id } = await move();
    const { job } = await rig.ended(id);
    expect(job).toMatchObject({ state: 'failed', message: expect.stringMatching(why) });
    expect(node1.doings()).toEqual(['start db', 'start ram']);
    expect(rolesNow()).toEqual(['store', 'empty']);
  });

  test('and at once when it cannot be: no such target, not heard, not booted for it', async () => {
    const asked = (to: string) => rig.jobs.submit('node1', { kind: 'move', to }, { by });
    await expect(asked('node9')).rejects.toMatchObject({ code: 'not_found', field: 'to' });
    await expect(asked('node1')).rejects.toThrow('to another machine');
    const { sessions } = rig.core.state;
    const session = sessions.get('node2');
    if (session !== undefined) sessions.set('node2', { ...session, images: ['micro:1'] });
    await expect(asked('node2')).rejects.toThrow('node2 has not booted the live OS of profile live');
    clearInterval(beat);
    await settled();
    rig.core.state.observed.delete('node2');
    await expect(asked('node2')).rejects.toThrow('machine node2 takes no jobs now');
    expect(await rig.jobs.list({ limit: 10 })).toEqual([]);
  });
});

describe('what breaks in the middle leaves the source as it was', () => {
  beforeEach(async () => {
    await counted(node1, 'node1', 3);
    fill(200);
  });

  test('the target is gone', async () => {
    const { id } = await move();
    await phase(id, 'copying');
    node2.server.kill();
    expect((await rig.ended(id, 60)).job).toMatchObject({
      state: 'failed',
      message: expect.stringMatching(/^node2: /),
    });
    await node2.server.start();
    await counted(node1, 'node1', 3);
    // A part may be left where nobody could be asked to clear it: the next move to that machine does (docs/control.md).
    await untouched(/^(\.anybios-move\.[\w-]+\.db)?$/);
  });

  test('the source is gone', async () => {
    const { id } = await move();
    await phase(id, 'copying');
    node1.server.kill();
    expect((await rig.ended(id, 60)).job).toMatchObject({ state: 'failed' });
    await node1.server.start();
    await untouched();
  });

  test('somebody cancels it', async () => {
    const { id } = await move();
    await phase(id, 'copying');
    expect(await rig.jobs.cancel(id, 'eve')).toMatchObject({ state: 'failed', message: 'cancelled by eve' });
    await rig.until('the end of it', () => (rig.core.state.moving.size === 0 ? true : undefined));
    await untouched();
    expect((await rig.jobs.get(id)).job).toMatchObject({ state: 'failed', message: 'cancelled by eve' });
  });

  test('the server is restarted', async () => {
    const { id } = await move();
    await phase(id, 'copying');
    await rig.restart();
    expect((await rig.ended(id)).job).toMatchObject({
      state: 'failed',
      message: 'the server was restarted in the middle: nothing has moved, node1 runs its systems again',
    });
    await rig.until('its clearing', () => (left(node2).length === 0 ? true : undefined));
    await untouched();
    // And it can be asked for again, with another id.
    const again = await move();
    expect((await rig.ended(again.id, 60)).job).toMatchObject({ state: 'done' });
  });

  test('the digests differ: one of them does not read what is there', async () => {
    appendFileSync(join(node2.lib, 'backend.sh'), "sha256sum() { command sha256sum | tr '0-9a-f' '1-9a-f0'; }\n");
    const { id } = await move();
    expect((await rig.ended(id, 60)).job).toMatchObject({
      state: 'failed',
      message: expect.stringMatching(/^db: the copy differs: sha256 [0-9a-f]{64} on node1, [0-9a-f]{64} on node2$/),
    });
    await untouched();
  });

  test('the disk of the target is full before all has come', async () => {
    const { id } = await move();
    await phase(id, 'stopping');
    useUp(node2, 40);
    expect((await rig.ended(id, 60)).job).toMatchObject({
      state: 'failed',
      message: expect.stringMatching(/^node2: (writing to data: .*No space left|label data has room for)/),
    });
    await untouched();
  });

  test('the site is changed meanwhile: it has come, and is thrown away', async () => {
    const { id } = await move();
    await phase(id, 'copying');
    const other = put('system', system('db', { label: 'data', path: 'systems/elsewhere' }));
    await rig.core.store.applyDesired([other], by);
    rig.core.state.applyChanges([other]);
    expect((await rig.ended(id, 60)).job).toMatchObject({
      state: 'failed',
      message: expect.stringContaining('the site was changed meanwhile'),
    });
    await untouched();
  });
});

test('a target that has the system by now takes nothing', async () => {
  await counted(node1, 'node1', 3);
  clearInterval(beat);
  await settled();
  fill(50);
  const { id } = await move();
  await phase(id, 'copying');
  mkdirSync(node2.ofSystem('db'), { recursive: true });
  expect((await rig.ended(id)).job).toMatchObject({ state: 'failed', message: 'node2: system db is on this machine' });
  rmSync(node2.ofSystem('db'), { recursive: true });
});
