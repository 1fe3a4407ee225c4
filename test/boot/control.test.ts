import { afterAll, beforeAll, expect, test } from 'vitest';
import type { VirtualMachine } from '../../server/lab/firmware.js';
import { addressOf } from '../../server/lab/site.js';
import { BootLab, type LabMachine } from '../support/lab-boot.js';
import { exec, LabJobs } from '../support/lab-jobs.js';

/* Jobs on a booted machine with the `micro` live OS: the real way in, dropbear, and what its systems do then. */

const SITE = `
systems:
  - { name: web, kind: chroot, image: base, command: [/bin/httpd, -f, -p, "80", -h, /srv], files: { /srv/index.html: "web\\n" } }
roles:
  - { name: web, profile: micro, systems: [web] }
machines:
  - { name: n1, macs: ["52:54:00:77:00:01"], address: ${addressOf(1)}, role: web }
`;

let lab: BootLab;
let n1: VirtualMachine;
let jobs: LabJobs;

beforeAll(async () => {
  lab = await BootLab.open('control');
  await lab.apply(SITE);
  jobs = new LabJobs(lab);
  n1 = lab.powerOn(1, 'bios');
  await lab.up(n1);
});
afterAll(() => lab.close());

const web = (status: LabMachine) => status.systems.find(({ name }) => name === 'web');
const answers = async (): Promise<boolean> =>
  lab.inside('curl', '-sS', '--fail', '--max-time', '2', `http://${addressOf(1)}/`).then(
    () => true,
    () => false,
  );

test('a command runs on the machine, and inside a system; the same id runs once', async () => {
  expect((await jobs.done(exec('hostname'))).output).toBe('n1\n');
  expect((await jobs.done({ ...exec('cat', '/srv/index.html'), system: 'web' })).output).toBe('web\n');
  const wish = { ...exec('sh', '-c', 'echo x >>/tmp/once; cat /tmp/once'), id: 'once' };
  expect([await jobs.ask(wish), await jobs.ask(wish)]).toEqual(['once', 'once']);
  expect((await jobs.ended('once')).output).toBe('x\n');
  expect((await jobs.done(exec('cat', '/tmp/once'))).output).toBe('x\n');
});

test('nothing else listens: the system, and the way in for jobs', async () => {
  const listening = await jobs.done(exec('netstat', '-ltn'));
  const ports = [...listening.output.matchAll(/:(\d+) +\S+ +LISTEN/g)].map(([, port]) => port);
  expect([...new Set(ports)].sort()).toEqual(['80', '922']);
});

test('paused it does not answer, resumed it does; restarted and killed it comes back', async () => {
  expect(await answers()).toBe(true);
  await jobs.done({ kind: 'pause', system: 'web' });
  expect(web(await lab.status('n1'))).toMatchObject({ state: 'paused' });
  expect(await answers()).toBe(false);
  await jobs.done({ kind: 'resume', system: 'web' });
  expect(await answers()).toBe(true);
  await jobs.done({ kind: 'restart', system: 'web' });
  expect(web(await lab.status('n1'))).toMatchObject({ state: 'running', restarts: 0 });
  await jobs.done({ kind: 'kill', system: 'web' });
  const back = await lab.until(
    n1,
    'its restart by policy',
    (status) => web(status)?.restarts === 1 && web(status)?.state === 'running',
  );
  expect(web(back)).toMatchObject({ state: 'running', restarts: 1 });
  await jobs.done({ kind: 'stop', system: 'web' });
  expect(web(await lab.status('n1'))).toMatchObject({ state: 'stopped' });
  expect(await answers()).toBe(false);
  await jobs.done({ kind: 'start', system: 'web' });
  expect(await answers()).toBe(true);
});

test('new limits hold at once', async () => {
  await jobs.done({ kind: 'limit', system: 'web', memoryBytes: 33_554_432, cpus: 0.5 });
  const cgroup = '/sys/fs/cgroup/systems/web';
  expect((await jobs.done(exec('cat', `${cgroup}/memory.max`, `${cgroup}/cpu.max`))).output).toBe(
    '33554432\n50000 100000\n',
  );
});

test('what the role names now is made so without a reboot', async () => {
  await lab.apply(SITE.replace('"web\\n"', '"new\\n"'));
  await jobs.done({ kind: 'refresh' });
  expect(await lab.web(1)).toBe('new\n');
});

test('a server that is killed in the middle of a job hears its end', async () => {
  const id = await jobs.ask(
    exec('sh', '-c', 'echo y >>/tmp/middle; until [ -e /tmp/go ]; do sleep 0.2; done; cat /tmp/middle'),
  );
  await expect.poll(async () => (await jobs.show(id)).state, { timeout: 60_000, interval: 100 }).toBe('sent');
  await lab.lab.endServer('SIGKILL');
  await lab.lab.startServer();
  await jobs.done(exec('touch', '/tmp/go'));
  expect(await jobs.ended(id)).toMatchObject({ state: 'done', output: 'y\n' });
});

test('a reboot is done when the machine boots again', async () => {
  const before = (await lab.status('n1')).boot?.session;
  const job = await jobs.ended(await jobs.ask({ kind: 'reboot' }), 90);
  expect(job).toMatchObject({ state: 'done', message: 'the machine went down and boots again' });
  expect((await lab.status('n1')).boot?.session).not.toBe(before);
});
