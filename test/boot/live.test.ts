import { afterAll, beforeAll, expect, test } from 'vitest';
import type { VirtualMachine } from '../../server/lab/firmware.js';
import { addressOf } from '../../server/lab/site.js';
import { BootLab } from '../support/lab-boot.js';
import { exec, LabJobs } from '../support/lab-jobs.js';

/* The Debian live OS: a chroot, and a container with a card of its own that waits for it. */

const SITE = `
systems:
  - name: web
    kind: chroot
    image: base
    memory: 64M
    command: [/bin/httpd, -f, -p, "80", -h, /srv/www]
    files: { /srv/www/index.html: "web on {{machine.name}}\\n" }
  - name: box
    kind: container
    image: base
    command: [/bin/httpd, -f, -p, "80", -h, /srv/www]
    network: { bridge: boot, address: 10.77.0.60 }
    files: { /srv/www/index.html: "box on {{machine.name}}\\n" }
    after: [web]
    health: { http: { port: 80 }, interval: 2s }
roles:
  - { name: live, profile: live, systems: [web, box] }
machines:
  - { name: n1, macs: ["52:54:00:77:00:01"], address: ${addressOf(1)}, role: live }
`;

let lab: BootLab;
let n1: VirtualMachine;

beforeAll(async () => {
  lab = await BootLab.open('live');
  await lab.apply(SITE);
  n1 = lab.powerOn(1, 'bios');
  await lab.up(n1, 400);
}, 500_000);
afterAll(() => lab.close());

test('the Debian live OS runs a chroot and a container with a card of its own', async () => {
  expect(await lab.web(1)).toBe('web on n1\n');
  expect(await lab.inside('curl', '-sS', '--fail', '--max-time', '10', 'http://10.77.0.60/')).toBe('box on n1\n');
});

test('jobs: a command inside each kind, paused it does not answer, killed it comes back', async () => {
  const jobs = new LabJobs(lab);
  const answers = (): Promise<boolean> =>
    lab.web(1).then(
      () => true,
      () => false,
    );
  expect((await jobs.done(exec('hostname'))).output).toBe('n1\n');
  for (const system of ['web', 'box'])
    expect((await jobs.done({ ...exec('cat', '/srv/www/index.html'), system })).output).toBe(`${system} on n1\n`);
  await jobs.done({ kind: 'pause', system: 'web' });
  expect(await answers()).toBe(false);
  await jobs.done({ kind: 'resume', system: 'web' });
  expect(await answers()).toBe(true);
  await jobs.done({ kind: 'kill', system: 'web' });
  await expect.poll(answers, { timeout: 60_000, interval: 200 }).toBe(true);
});

test('changed while it runs: another definition composes that system anew, limits alone are set', async () => {
  const jobs = new LabJobs(lab);
  const shown = async (property: string, system: string): Promise<string> => {
    const unit = `anybios-system-${system}.service`;
    return (await jobs.done(exec('systemctl', 'show', `--property=${property}`, '--value', unit))).output;
  };
  const before = await lab.asDesired(n1, 'its digests');
  const pid = await shown('MainPID', 'box');
  await lab.apply(SITE.replace('web on', 'new on').replace('kind: container', 'kind: container\n    memory: 96M'));
  const after = await lab.asDesired(n1, 'the change');
  expect(await lab.web(1)).toBe('new on n1\n');
  expect(await shown('MainPID', 'box')).toBe(pid);
  expect(await shown('MemoryMax', 'box')).toBe('100663296\n');
  expect(after.boot?.session).toBe(before.boot?.session);
});
