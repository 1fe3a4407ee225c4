import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { ensureControlKey } from '../../server/control/server-key.js';
import { SshClient } from '../../server/control/ssh-session.js';
import { startApi, type TestApi } from '../support/api.js';
import { macOf } from '../support/control-rig.js';
import { type DoorServer, startDoor } from '../support/door-server.js';
import { type LiveDoor, layOutDoor } from '../support/live-door.js';

/*
 * Jobs as the REST API has them, down to a real SSH server with the shipped program behind it. node1 and node2 take jobs; node3 has
 * not booted: its jobs wait.
 */

const folder = mkdtempSync(join(tmpdir(), 'anybios-job-routes-'));
let api: TestApi;
const lives: LiveDoor[] = [];
const servers: DoorServer[] = [];

beforeAll(async () => {
  const key = await ensureControlKey(folder);
  const labels: readonly Readonly<Record<string, string>>[] = [{ rack: 'r1' }, { rack: 'r1', disk: 'ssd' }, {}];
  api = await startApi({
    ssh: new SshClient(key.path),
    core: {
      now: Date.now(),
      machines: labels.map((its, index) => ({
        name: `node${index + 1}`,
        macs: [macOf(index + 1)],
        role: index === 0 ? 'one' : 'web',
        labels: its,
      })),
    },
  });
  for (const number of [1, 2]) {
    const live = layOutDoor('dash');
    const server = await startDoor('dropbear', `127.93.0.${number}`, live.program, key.publicKey);
    lives.push(live);
    servers.push(server);
    const now = api.core.now;
    api.core.state.observed.set(`node${number}`, {
      key: `node${number}`,
      mac: macOf(number),
      waiting: false,
      firstSeenAt: now,
      lastSeenAt: now,
      systems: [],
      unmanaged: false,
      upSince: now,
      heartbeatAt: now,
      control: server.door('boot-1'),
    });
  }
  await api.deps.jobs.start();
});
afterAll(async () => {
  await api.close();
  for (const server of servers) server.close();
  for (const live of lives) live.remove();
  rmSync(folder, { recursive: true, force: true });
});

const jobSchema = z.object({
  id: z.string(),
  machine: z.string(),
  state: z.string(),
  output: z.string().optional(),
  message: z.string().optional(),
  exit: z.number().optional(),
});
const ask = (machine: string, wish: object) => api.json('POST', `/api/v1/machines/${machine}/jobs`, wish);
const show = async (id: string) => jobSchema.parse((await api.json('GET', `/api/v1/jobs/${id}`)).body);
const until = async <T>(look: () => Promise<T>, fits: (value: T) => boolean): Promise<T> => {
  const end = Date.now() + 60_000;
  for (;;) {
    const value = await look();
    if (fits(value)) return value;
    if (Date.now() > end) throw new Error(`it did not happen: ${JSON.stringify(value)}`);
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
};
const ended = (id: string) =>
  until(
    () => show(id),
    ({ state }) => state !== 'queued' && state !== 'sent',
  );
const doings = (number: number): string => readFileSync(join(lives[number - 1]?.run ?? '', 'doings'), 'utf8');

describe('one machine', () => {
  test('each kind is accepted with its id and state, and done', async () => {
    for (const [index, kind] of ['start', 'stop', 'restart', 'resume', 'kill'].entries()) {
      const id = `k${index}`;
      expect(await ask('node1', { id, kind, system: 'web' })).toMatchObject({
        status: 202,
        body: { id, state: 'queued' },
      });
      expect(await ended(id)).toMatchObject({ state: 'done', machine: 'node1' });
    }
    expect(await ask('node1', { id: 'r', kind: 'refresh' })).toMatchObject({ status: 202, body: { id: 'r' } });
    expect(await ended('r')).toMatchObject({ state: 'done' });
    expect(doings(1)).toBe('start web\nstop web 10\nstop web 10\nstart web\nresume web\nkill web\nrefresh\n');
    await ask('node1', { id: 'p', kind: 'pause', system: 'web' });
    expect(await ended('p')).toMatchObject({ state: 'failed', message: 'web does not run' });
    const { body } = await ask('node1', { kind: 'exec', command: ['/bin/sh', '-c', 'echo out; exit 3'] });
    expect(await ended(jobSchema.parse(body).id)).toMatchObject({
      state: 'failed',
      exit: 3,
      output: 'out\n',
      message: 'exited with 3',
    });
  });

  test('going down is answered before it begins', async () => {
    for (const kind of ['reboot', 'poweroff'] as const) {
      await ask('node1', { id: kind, kind });
      await until(
        async () => doings(1),
        (text) => text.endsWith(`${kind}\n`),
      );
      expect(await show(kind)).toMatchObject({ state: 'sent', message: 'the machine is going down' });
      expect((await api.json('POST', `/api/v1/jobs/${kind}/cancel`)).status).toBe(200);
    }
  });

  test('the same id again is the same job and runs once; another order with it is refused', async () => {
    const wish = { id: 'once', kind: 'exec', command: ['/bin/sh', '-c', `echo x >>${lives[0]?.run}/once`] };
    const [first, second] = await Promise.all([ask('node1', wish), ask('node1', wish)]);
    // The second may find it a step further.
    for (const answer of [first, second]) expect(answer).toMatchObject({ status: 202, body: { id: 'once' } });
    await ended('once');
    expect(await ask('node1', wish)).toMatchObject({ status: 202, body: { id: 'once', state: 'done' } });
    expect(readFileSync(`${lives[0]?.run}/once`, 'utf8')).toBe('x\n');
    expect(await ask('node2', wish)).toMatchObject({ status: 409, body: { error: { code: 'conflict', field: 'id' } } });
  });

  test.each([
    [{ kind: 'dance' }, 400, 'kind'],
    [{ kind: 'stop' }, 400, 'system'],
    [{ kind: 'stop', system: '../web' }, 400, 'system'],
    [{ kind: 'stop', system: 'wbe' }, 400, 'system'],
    [{ kind: 'exec', system: 'wbe', command: ['true'] }, 400, 'system'],
    [{ kind: 'exec' }, 400, 'command'],
    [{ kind: 'exec', command: [] }, 400, 'command'],
    [{ kind: 'exec', command: ['a\0b'] }, 400, 'command'],
    [{ kind: 'reboot', command: ['x'] }, 400, 'command'],
    [{ kind: 'refresh', id: '../x' }, 400, 'id'],
    [{ kind: 'refresh', colour: 'red' }, 400, 'colour'],
    [{ kind: 'limit', system: 'web' }, 400, 'memory'],
  ])('refused: %j', async (wish, status, field) => {
    expect(await ask('node1', wish)).toMatchObject({ status, body: { error: { field } } });
  });

  test('a system that is no more defined may be stopped where it still runs, and nowhere else', async () => {
    const seen = api.core.state.observed.get('node1');
    if (seen === undefined) throw new Error('no node1');
    api.core.state.observed.set('node1', { ...seen, systems: [{ name: 'gone', state: 'running', restarts: 0 }] });
    const order = { kind: 'stop', system: 'gone', expirySeconds: 60 };
    expect(await ask('node2', order)).toMatchObject({
      status: 400,
      body: { error: { code: 'invalid', field: 'system', message: expect.stringContaining('"gone"') } },
    });
    expect(await ask('node1', { ...order, id: 'gone' })).toMatchObject({ status: 202 });
    api.core.state.observed.set('node1', seen);
    // What was taken once stays that job, whatever became of the system.
    expect(await ask('node1', { ...order, id: 'gone' })).toMatchObject({ status: 202, body: { id: 'gone' } });
    await ended('gone');
  });

  test('a machine that is none, a job that is none', async () => {
    expect((await ask('nobody', { kind: 'refresh' })).status).toBe(404);
    for (const [method, path] of [
      ['GET', '/jobs/none'],
      ['GET', '/jobs/none/output'],
      ['POST', '/jobs/none/cancel'],
    ] as const)
      expect([path, (await api.json(method, `/api/v1${path}`)).status]).toEqual([path, 404]);
  });

  test('a machine that cannot be reached gets it later; without that it expires, with the reason', async () => {
    await ask('node3', { id: 'late', kind: 'refresh', expirySeconds: 60 });
    await ask('node3', { id: 'longer', kind: 'refresh', expirySeconds: 600 });
    expect(await show('late')).toMatchObject({ state: 'queued' });
    api.core.now += 61_000;
    api.deps.jobs.look();
    expect(await ended('late')).toMatchObject({ state: 'timed-out', message: expect.stringMatching(/^expired: /) });
    expect(await show('longer')).toMatchObject({ state: 'queued' });
    expect(await api.json('POST', '/api/v1/jobs/longer/cancel')).toMatchObject({
      status: 200,
      body: { state: 'failed', message: 'cancelled by admin' },
    });
    expect((await api.json('POST', '/api/v1/jobs/longer/cancel')).status).toBe(409);
    const refused = await ask('node3', { kind: 'console' });
    expect(refused).toMatchObject({ status: 503, body: { error: { message: 'machine node3 takes no jobs now' } } });
  });
});

describe('many machines', () => {
  const batch = z.object({ batch: z.string(), items: z.array(jobSchema) });
  const many = (machines: object, more: object = {}) =>
    api.json('POST', '/api/v1/jobs', { kind: 'exec', command: ['/bin/echo', 'here'], machines, ...more });
  const names = async (machines: object): Promise<readonly string[]> => {
    const { items } = batch.parse((await many(machines)).body);
    return items.map(({ machine }) => machine);
  };

  test.each([
    [{ names: ['node[1-2]'] }, ['node1', 'node2']],
    [{ names: ['node2', 'node[1,2]'] }, ['node2', 'node1']],
    [{ role: 'one' }, ['node1']],
    [{ labels: { rack: 'r1' } }, ['node1', 'node2']],
    [{ labels: { rack: 'r1', disk: 'ssd' } }, ['node2']],
    [{ role: 'web', labels: { rack: 'r1' } }, ['node2']],
    [{ all: true }, ['node1', 'node2', 'node3']],
  ])('chosen by %j', async (machines, expected) => expect(await names(machines)).toEqual(expected));

  test.each([
    [{}, 400],
    [{ names: ['node[3-1]'] }, 400],
    [{ names: ['node1', 'node9'] }, 404],
    [{ role: 'nothing' }, 404],
    [{ colour: 'red' }, 400],
  ])('refused: %j', async (machines, status) => expect((await many(machines)).status).toBe(status));

  test('a result for each; the same batch again is the same jobs; pages of them', async () => {
    const { items } = batch.parse((await many({ names: ['node[1-2]'] }, { id: 'b1' })).body);
    for (const { id } of items) expect(await ended(id)).toMatchObject({ state: 'done', output: 'here\n' });
    expect(batch.parse((await many({ names: ['node[1-2]'] }, { id: 'b1' })).body).items.map(({ id }) => id)).toEqual(
      items.map(({ id }) => id),
    );
    const list = async (query: string) =>
      z
        .object({ items: z.array(jobSchema), next: z.string().optional() })
        .parse((await api.json('GET', `/api/v1/jobs?${query}`)).body);
    expect((await list('batch=b1')).items.map(({ machine }) => machine).sort()).toEqual(['node1', 'node2']);
    expect((await list('machine=node2&batch=b1')).items).toHaveLength(1);
    expect((await list('state=queued')).items.every(({ machine }) => machine === 'node3')).toBe(true);
    const seen = new Set<string>();
    for (let next: string | undefined = ''; next !== undefined; ) {
      const page: Awaited<ReturnType<typeof list>> = await list(`limit=3${next === '' ? '' : `&next=${next}`}`);
      for (const { id } of page.items) {
        expect(seen.has(id)).toBe(false);
        seen.add(id);
      }
      next = page.next;
    }
    expect(seen.size).toBe((await list('limit=1000')).items.length);
    expect(await api.json('POST', '/api/v1/jobs', { kind: 'console', machines: { all: true } })).toMatchObject({
      status: 400,
      body: { error: { field: 'kind' } },
    });
  });
});

test('output as it comes; a command that runs is cancelled and killed', async () => {
  const flag = `${lives[0]?.run}/flag`;
  await ask('node1', {
    id: 'slow',
    kind: 'exec',
    command: ['/bin/sh', '-c', `echo begun; until [ -e ${flag} ]; do sleep 0.1; done; echo ended; sleep 100`],
  });
  const response = await api.call('GET', '/api/v1/jobs/slow/output');
  expect(response.headers.get('content-type')).toBe('application/octet-stream');
  const reader = response.body?.getReader();
  let text = '';
  const read = async (wanted: string): Promise<void> => {
    while (!text.endsWith(wanted)) {
      const part = await reader?.read();
      if (part?.value === undefined) throw new Error(`it ended: ${text}`);
      text += Buffer.from(part.value).toString();
    }
  };
  await read('begun\n');
  await ask('node1', { kind: 'exec', command: ['/usr/bin/touch', flag] });
  await read('ended\n');
  expect(await api.json('POST', '/api/v1/jobs/slow/cancel')).toMatchObject({ body: { state: 'failed' } });
  expect((await reader?.read())?.done).toBe(true);
  await until(
    async () => existsSync(join(lives[0]?.run ?? '', 'jobs/slow.result')),
    (there) => there,
  );
});

test('keys and size of a console; of what is none they are refused', async () => {
  await ask('node1', { id: 'c1', kind: 'console', columns: 90, rows: 30, term: 'xterm' });
  const response = await api.call('GET', '/api/v1/jobs/c1/output');
  const reader = response.body?.getReader();
  let text = '';
  const read = async (fits: RegExp): Promise<void> => {
    while (!fits.test(text)) {
      const part = await reader?.read();
      if (part?.value === undefined) throw new Error(`it ended: ${text}`);
      text += Buffer.from(part.value).toString();
    }
  };
  await read(/[#$] /);
  const type = (line: string) => api.call('POST', '/api/v1/jobs/c1/input', line);
  expect((await type('stty size\r')).status).toBe(204);
  await read(/30 90\r\n/);
  expect((await api.json('POST', '/api/v1/jobs/c1/resize', { columns: 132, rows: 50 })).status).toBe(204);
  await type('stty size; echo $TERM\r');
  await read(/50 132\r\nxterm\r\n/);
  expect((await api.call('POST', '/api/v1/jobs/c1/input', 'x'.repeat(70_000))).status).toBe(400);
  expect((await api.json('POST', '/api/v1/jobs/c1/resize', { columns: 0, rows: 1 })).status).toBe(400);
  await type('exit\r');
  expect(await ended('c1')).toMatchObject({ state: 'done' });
  expect((await type('x')).status).toBe(409);
  expect((await api.json('POST', '/api/v1/jobs/once/resize', { columns: 10, rows: 10 })).status).toBe(409);
});
