import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import type { VirtualMachine } from '../../server/lab/firmware.js';
import { addressOf } from '../../server/lab/site.js';
import { BootLab, type LabMachine } from '../support/lab-boot.js';

/* Jobs on a booted machine with the `micro` live OS: the real way in, dropbear, and what its systems do then. */

const SITE = `
systems:
  - { name: web, kind: chroot, image: base, command: [/bin/httpd, -f, -p, "80", -h, /srv], files: { /srv/index.html: "web\\n" } }
roles:
  - { name: web, profile: micro, systems: [web] }
machines:
  - { name: n1, macs: ["52:54:00:77:00:01"], address: ${addressOf(1)}, role: web }
`;

const jobSchema = z.object({
  id: z.string(),
  state: z.string(),
  exit: z.number().optional(),
  message: z.string().optional(),
  output: z.string(),
});
type LabJob = z.output<typeof jobSchema>;

let lab: BootLab;
let n1: VirtualMachine;

beforeAll(async () => {
  lab = await BootLab.open('control');
  await lab.apply(SITE);
  n1 = lab.powerOn(1, 'bios');
  await lab.up(n1);
});
afterAll(() => lab.close());

async function ask(wish: Readonly<Record<string, unknown>>): Promise<string> {
  return z.object({ id: z.string() }).parse(await lab.api.request('POST', '/machines/n1/jobs', { json: wish })).id;
}

/** Until it has ended, over restarts of the server. */
async function ended(id: string, seconds = 60): Promise<LabJob> {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    const job = await lab.api.get(`/jobs/${id}`).then(
      (answer) => jobSchema.parse(answer),
      (error: unknown) => {
        if (Date.now() > end) throw error;
        return undefined;
      },
    );
    if (job !== undefined && job.state !== 'queued' && job.state !== 'sent') return job;
    if (Date.now() > end)
      throw new Error(`job ${id} has not ended: ${JSON.stringify(job)}\n${lab.console(n1).slice(-2000)}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
const done = async (wish: Readonly<Record<string, unknown>>): Promise<LabJob> => {
  const job = await ended(await ask(wish));
  expect(job).toMatchObject({ state: 'done' });
  return job;
};
const exec = (...command: readonly string[]) => ({ kind: 'exec', command });
const web = (status: LabMachine) => status.systems.find(({ name }) => name === 'web');
const answers = async (): Promise<boolean> =>
  lab.inside('curl', '-sS', '--fail', '--max-time', '2', `http://${addressOf(1)}/`).then(
    () => true,
    () => false,
  );

test('a command runs on the machine, and inside a system; the same id runs once', async () => {
  expect((await done(exec('hostname'))).output).toBe('n1\n');
  expect((await done({ ...exec('cat', '/srv/index.html'), system: 'web' })).output).toBe('web\n');
  const wish = { ...exec('sh', '-c', 'echo x >>/tmp/once; cat /tmp/once'), id: 'once' };
  expect([await ask(wish), await ask(wish)]).toEqual(['once', 'once']);
  expect((await ended('once')).output).toBe('x\n');
  expect((await done(exec('cat', '/tmp/once'))).output).toBe('x\n');
});

test('nothing else listens: the system, and the way in for jobs', async () => {
  const listening = await done(exec('netstat', '-ltn'));
  const ports = [...listening.output.matchAll(/:(\d+) +\S+ +LISTEN/g)].map(([, port]) => port);
  expect([...new Set(ports)].sort()).toEqual(['80', '922']);
});

test('paused it does not answer, resumed it does; restarted and killed it comes back', async () => {
  expect(await answers()).toBe(true);
  await done({ kind: 'pause', system: 'web' });
  expect(web(await lab.status('n1'))).toMatchObject({ state: 'paused' });
  expect(await answers()).toBe(false);
  await done({ kind: 'resume', system: 'web' });
  expect(await answers()).toBe(true);
  await done({ kind: 'restart', system: 'web' });
  expect(web(await lab.status('n1'))).toMatchObject({ state: 'running', restarts: 0 });
  await done({ kind: 'kill', system: 'web' });
  const back = await lab.until(
    n1,
    'its restart by policy',
    (status) => web(status)?.restarts === 1 && web(status)?.state === 'running',
  );
  expect(web(back)).toMatchObject({ state: 'running', restarts: 1 });
  await done({ kind: 'stop', system: 'web' });
  expect(web(await lab.status('n1'))).toMatchObject({ state: 'stopped' });
  expect(await answers()).toBe(false);
  await done({ kind: 'start', system: 'web' });
  expect(await answers()).toBe(true);
});

test('new limits hold at once', async () => {
  await done({ kind: 'limit', system: 'web', memoryBytes: 33_554_432, cpus: 0.5 });
  const cgroup = '/sys/fs/cgroup/systems/web';
  expect((await done(exec('cat', `${cgroup}/memory.max`, `${cgroup}/cpu.max`))).output).toBe(
    '33554432\n50000 100000\n',
  );
});

test('what the role names now is made so without a reboot', async () => {
  await lab.apply(SITE.replace('"web\\n"', '"new\\n"'));
  await done({ kind: 'refresh' });
  expect(await lab.web(1)).toBe('new\n');
});

test('a server that is killed in the middle of a job hears its end', async () => {
  const id = await ask(
    exec('sh', '-c', 'echo y >>/tmp/middle; until [ -e /tmp/go ]; do sleep 0.2; done; cat /tmp/middle'),
  );
  await expect
    .poll(async () => jobSchema.parse(await lab.api.get(`/jobs/${id}`)).state, { timeout: 60_000, interval: 100 })
    .toBe('sent');
  await lab.lab.endServer('SIGKILL');
  await lab.lab.startServer();
  await done(exec('touch', '/tmp/go'));
  expect(await ended(id)).toMatchObject({ state: 'done', output: 'y\n' });
});

test('a reboot is done when the machine boots again', async () => {
  const before = (await lab.status('n1')).boot?.session;
  const job = await ended(await ask({ kind: 'reboot' }), 90);
  expect(job).toMatchObject({ state: 'done', message: 'the machine went down and boots again' });
  expect((await lab.status('n1')).boot?.session).not.toBe(before);
});
