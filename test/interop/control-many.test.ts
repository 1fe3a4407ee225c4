import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parseIpv4 } from '../../server/domain/ipv4.js';
import { isOpen } from '../../server/domain/job.js';
import { type ControlRig, macOf, startRig } from '../support/control-rig.js';
import { type DoorServer, startDoor } from '../support/door-server.js';
import { type LiveDoor, layOutDoor } from '../support/live-door.js';

/*
 * One order for 500 machines: four of them are real SSH servers. The others have registered a door that nobody opens: most lost
 * their power a minute ago, 160 just now, after the real ones were heard last, and a connection to these takes its whole time-out:
 * 32 at a time for 10 s each would be longer than the jobs live. Those that answer must not wait for those that do not.
 */

const COUNT = 500;
const REAL = 4;
const SILENT = 160;
const silent: Server[] = [];
let rig: ControlRig;
const lives: LiveDoor[] = [];
const servers: DoorServer[] = [];

beforeAll(async () => {
  const numbers = Array.from({ length: COUNT }, (_, index) => index + 1);
  rig = await startRig(
    numbers.map((number) => ({ name: `node${number}`, macs: [macOf(number)], role: 'web', labels: {} })),
    30,
  );
  for (const number of numbers) {
    // Real ones at the end: first come would be first served.
    if (number <= SILENT) {
      const hostKey = rig.key.publicKey.replace(/ anybios$/, '');
      const door = { session: 'boot', address: parseIpv4(`127.92.0.${number}`), port: 922, hostKey };
      // It takes the connection and says nothing.
      const server = createServer((socket) => void socket.on('error', () => undefined).resume()).listen(
        922,
        `127.92.0.${number}`,
      );
      await once(server, 'listening');
      silent.push(server);
      rig.open(`node${number}`, { ...door, registeredAt: Date.now() + 5000 });
      continue;
    }
    if (number <= COUNT - REAL) {
      const hostKey = rig.key.publicKey.replace(/ anybios$/, '');
      const address = parseIpv4(`127.90.${number >> 8}.${number & 255}`);
      rig.open(`node${number}`, { session: 'boot', address, port: 922, hostKey, registeredAt: Date.now() - 60_000 });
      continue;
    }
    const live = layOutDoor('dash');
    const server = await startDoor('dropbear', `127.91.0.${number - COUNT + REAL}`, live.program, rig.key.publicKey);
    lives.push(live);
    servers.push(server);
    rig.open(`node${number}`, server.door('boot'));
  }
});
afterAll(async () => {
  await rig.close();
  for (const server of [...servers, ...silent]) server.close();
  for (const live of lives) live.remove();
});

test('each machine has a result: those that answer at once, the others when their job expires', async () => {
  const names = Array.from({ length: COUNT }, (_, index) => `node${index + 1}`);
  const ask = () =>
    rig.jobs.submitMany(
      names,
      { kind: 'exec', command: ['/bin/echo', 'here'] },
      { by: 'admin', id: 'batch', batch: 'batch' },
      (machine) => `batch-${machine}`,
    );
  const asked = await ask();
  expect(asked).toHaveLength(COUNT);
  const real = asked.slice(-REAL);
  for (const { id } of real)
    expect(await rig.ended(id, 60)).toMatchObject({ job: { state: 'done' }, output: 'here\n' });
  // The same batch again is the same jobs.
  expect((await ask()).map(({ id }) => id)).toEqual(asked.map(({ id }) => id));
  // A single order does not stand behind the batch.
  const single = await rig.jobs.submit(`node${COUNT}`, { kind: 'refresh' }, { by: 'eve' });
  expect((await rig.ended(single.id, 60)).job.state).toBe('done');
  const all = await rig.until(
    'all results',
    async () => {
      const jobs = await rig.jobs.list({ batch: 'batch', limit: 1000 });
      return jobs.some(isOpen) ? undefined : jobs;
    },
    90,
  );
  expect(all).toHaveLength(COUNT);
  expect(all.filter(({ state }) => state === 'done')).toHaveLength(REAL);
  const expired = all.filter(({ state }) => state === 'timed-out');
  expect(expired).toHaveLength(COUNT - REAL);
  for (const { message } of expired) expect(message).toMatch(/^expired: /);
});
