import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseIpv4 } from '../../server/domain/ipv4.js';
import { type ControlRig, macOf, startRig } from '../support/control-rig.js';
import { type DoorServer, startDoor } from '../support/door-server.js';
import { type LiveDoor, layOutDoor } from '../support/live-door.js';

/*
 * Jobs over real SSH: OpenSSH's client as the server runs it, and both SSH servers that a live OS may have, with the shipped program
 * behind them. Each machine has an address of its own on the loopback.
 */

const by = 'admin';
const exec = (...command: readonly string[]) => ({ kind: 'exec' as const, command });

describe.each([
  ['dropbear', 'busybox', '127.88.1.1'],
  ['sshd', 'dash', '127.88.1.2'],
] as const)('%s', (kind, shell, address) => {
  let rig: ControlRig;
  let live: LiveDoor;
  let server: DoorServer;

  beforeAll(async () => {
    rig = await startRig([{ name: 'node1', macs: [macOf(1)], role: 'web', labels: {} }]);
    live = layOutDoor(shell);
    server = await startDoor(kind, address, live.program, rig.key.publicKey);
    rig.open('node1', server.door('boot-1'));
  });
  afterAll(async () => {
    await rig.close();
    server.close();
    live.remove();
  });

  test('a command runs with its very arguments; its output and status come back', async () => {
    const words = ["it's", '$(id)', 'a  b', '', 'line\nbreak', '漢字', '*', ';reboot'];
    const job = await rig.jobs.submit('node1', exec('/usr/bin/printf', '<%s>', ...words), { by });
    const { job: ended, output } = await rig.ended(job.id);
    expect(ended).toMatchObject({ state: 'done', exit: 0, by, session: 'boot-1' });
    expect(output).toBe(words.map((word) => `<${word}>`).join(''));
    const failed = await rig.jobs.submit('node1', exec('/bin/sh', '-c', 'echo no >&2; exit 4'), { by });
    expect(await rig.ended(failed.id)).toMatchObject({
      job: { state: 'failed', exit: 4, message: 'exited with 4' },
      output: 'no\n',
    });
    await rig.core.events.flush();
    expect(rig.core.events_.filter(({ data }) => data.job === job.id).map((event) => event.kind)).toEqual([
      'job.queued',
      'job.sent',
      'job.done',
    ]);
  });

  test('the same id is the same job: sent once; with another order it is refused', async () => {
    const wish = exec('/bin/sh', '-c', `echo ran >>${live.run}/runs`);
    const [a, b] = await Promise.all([
      rig.jobs.submit('node1', wish, { by, id: 'mine' }),
      rig.jobs.submit('node1', wish, { by, id: 'mine' }),
    ]);
    expect(a.createdAt).toBe(b.createdAt);
    await rig.ended('mine');
    expect(await rig.jobs.submit('node1', wish, { by, id: 'mine' })).toMatchObject({ state: 'done' });
    expect(readFileSync(join(live.run, 'runs'), 'utf8')).toBe('ran\n');
    await expect(rig.jobs.submit('node1', exec('/bin/true'), { by, id: 'mine' })).rejects.toMatchObject({
      code: 'conflict',
    });
  });

  test('a connection that breaks, and a server that is restarted, do not run it again', async () => {
    const script = `echo begun; echo x >>${live.run}/count; until [ -e ${live.run}/go ]; do sleep 0.1; done; echo ended`;
    const { id } = await rig.jobs.submit('node1', exec('/bin/sh', '-c', script), { by });
    await rig.until('its beginning', async () => ((await rig.jobs.get(id)).output === 'begun\n' ? true : undefined));
    server.kill();
    await server.start();
    await rig.restart();
    expect((await rig.jobs.get(id)).job.state).toBe('sent');
    const touch = await rig.jobs.submit('node1', exec('/usr/bin/touch', `${live.run}/go`), { by });
    await rig.ended(touch.id);
    expect(await rig.ended(id)).toMatchObject({ job: { state: 'done', exit: 0 }, output: 'begun\nended\n' });
    expect(readFileSync(join(live.run, 'count'), 'utf8')).toBe('x\n');
  });

  test('what changes systems is done in the order in which it was asked for', async () => {
    for (const step of ['stop', 'start', 'kill'] as const)
      await rig.jobs.submit('node1', { kind: step, system: 'web' }, { by });
    const last = await rig.jobs.submit('node1', { kind: 'limit', system: 'web', memoryBytes: 1_000_000 }, { by });
    expect((await rig.ended(last.id)).job.state).toBe('done');
    expect(readFileSync(join(live.run, 'doings'), 'utf8')).toBe(
      'stop web 10\nstart web\nkill web\nlimit web 1000000 \n',
    );
  });

  test('a command over its time, a cancelled one, one that the machine refuses', async () => {
    const late = await rig.jobs.submit('node1', { ...exec('/bin/sleep', '60'), timeoutSeconds: 1 }, { by });
    expect((await rig.ended(late.id)).job).toMatchObject({ state: 'timed-out', message: 'killed after 1 s' });
    const long = await rig.jobs.submit('node1', exec('/bin/sh', '-c', `echo $$ >${live.run}/long; exec sleep 60`), {
      by,
    });
    await rig.until('its process', () => (existsSync(join(live.run, 'long')) ? true : undefined));
    expect(await rig.jobs.cancel(long.id, 'eve')).toMatchObject({ state: 'failed' });
    const pid = readFileSync(join(live.run, 'long'), 'utf8').trim();
    await rig.until('its death', () => (existsSync(`/proc/${pid}`) ? undefined : true));
    // The server believes in it, the machine has taken it apart.
    const seen = rig.core.state.observed.get('node1');
    if (seen === undefined) throw new Error('no node1');
    const mail = { name: 'mail', state: 'running', restarts: 0 } as const;
    rig.core.state.observed.set('node1', { ...seen, systems: [mail] });
    const none = await rig.jobs.submit('node1', { kind: 'start', system: 'mail' }, { by });
    expect((await rig.ended(none.id)).job).toMatchObject({
      state: 'failed',
      message: 'this machine has no system mail',
    });
  });

  test('an interactive console: keys, size, its end', async () => {
    const { id } = await rig.jobs.submit(
      'node1',
      { kind: 'console' },
      { by, terminal: { columns: 90, rows: 30, term: 'xterm' } },
    );
    let shown = '';
    const show = (text: string): boolean => {
      shown += text;
      return true;
    };
    await rig.jobs.read(id, { take: (chunk) => show(chunk.toString()), end: () => void show('<end>') });
    const type = (text: string): void => rig.jobs.input(id, Buffer.from(text));
    // busybox talks to the terminal: where is the cursor, clear the rest of the line.
    const prompt = (): true | undefined =>
      /# (\[[0-9;]*[A-Za-z])*$/.test(shown.replaceAll('\u001b', '')) ? true : undefined;
    await rig.until('the prompt', prompt);
    type('stty size; echo "TERM=$TERM"\r');
    await rig.until('its size', () => (/30 90\r\n.*TERM=xterm\r\n/s.test(shown) ? true : undefined));
    await rig.jobs.resize(id, 132, 50);
    type('stty size\r');
    await rig.until('the new size', () => (shown.includes('50 132') ? true : undefined));
    await rig.until('the prompt', prompt);
    type('echo asleep; sleep 100\r');
    await rig.until('its sleep', () => (shown.includes('asleep\r\n') ? true : undefined));
    type('\x03');
    await rig.until('the prompt', prompt);
    type('exit\r');
    await rig.until('the end', () => (shown.endsWith('<end>') ? true : undefined));
    expect((await rig.ended(id)).job).toMatchObject({ state: 'done' });
    expect(() => type('x')).toThrow(/no open console/);
  });

  test('a log that is followed, until nobody listens', async () => {
    const log = join(live.run, 'log-of-web');
    await rig.ended(
      (await rig.jobs.submit('node1', exec('/bin/sh', '-c', `echo one >${log}; echo two >>${log}`), { by })).id,
    );
    const { id } = await rig.jobs.submit('node1', { kind: 'logs', system: 'web', lines: 1, follow: true }, { by });
    let seen = '';
    const take = (chunk: Buffer): boolean => {
      seen += chunk.toString();
      return true;
    };
    const leave = await rig.jobs.read(id, { take, end: () => undefined });
    await rig.until('the last line', () => (seen === 'two\n' ? true : undefined));
    await rig.ended((await rig.jobs.submit('node1', exec('/bin/sh', '-c', `echo three >>${log}`), { by })).id);
    await rig.until('the next line', () => (seen === 'two\nthree\n' ? true : undefined));
    leave();
    await rig.jobs.cancel(id, by);
    expect((await rig.ended(id)).job).toMatchObject({
      state: 'failed',
      message: expect.stringContaining('cancelled by admin'),
    });
  });

  test('another host key is not accepted: nothing is sent, and the job says why it waits', async () => {
    const right = server.door('boot-1');
    const other = rig.key.publicKey.replace(/ anybios$/, '');
    rig.open('node1', { ...right, hostKey: other });
    const { id } = await rig.jobs.submit('node1', exec('/usr/bin/touch', `${live.run}/wrong`), { by });
    // It is tried again and again, and while it is, it names the boot that it is sent to.
    const waiting = await rig.until('its reason', async () => {
      const { job } = await rig.jobs.get(id);
      return job.message === undefined || job.session !== undefined ? undefined : job;
    });
    expect(waiting).toMatchObject({ state: 'queued', message: expect.stringMatching(/host key|identification/i) });
    expect(existsSync(join(live.run, 'wrong'))).toBe(false);
    rig.open('node1', server.door('boot-1'));
    expect((await rig.ended(id)).job.state).toBe('done');
  });
});

test('a job for a machine that nobody reaches waits until it expires; one that may have run is not sent to the next boot', async () => {
  const rig = await startRig([{ name: 'node1', macs: [macOf(1)], role: 'web', labels: {} }], 2);
  try {
    const dead = {
      session: 'boot-1',
      port: 922,
      hostKey: rig.key.publicKey.replace(/ anybios$/, ''),
      registeredAt: Date.now(),
    };
    const { id } = await rig.jobs.submit('node1', exec('/bin/true'), { by });
    expect((await rig.jobs.get(id)).job).toMatchObject({ state: 'queued' });
    // 127.88.1.9: nobody listens there.
    rig.open('node1', { ...dead, address: parseIpv4('127.88.1.9') });
    expect((await rig.ended(id)).job).toMatchObject({
      state: 'timed-out',
      message: expect.stringMatching(/^expired: .*refused/),
    });
  } finally {
    await rig.close();
  }
});
