import { afterAll, beforeAll, expect, test } from 'vitest';
import type { VirtualMachine } from '../../server/lab/firmware.js';
import { addressOf } from '../../server/lab/site.js';
import { BootLab } from '../support/lab-boot.js';
import { greetingDisk, useLabImages } from '../support/lab-disks.js';
import { exec, LabJobs } from '../support/lab-jobs.js';

/*
 * VMs on the Debian live OS, emulated in an emulated machine: by the shared kernel, from a disk image, by the network. Each start of
 * `guest` is minutes of a processor, so only its first one is waited for. The tests go on from each other.
 */

const SITE = `
systems:
  - name: guest
    kind: vm
    image: micro
    memory: 128M
    # When somebody calls it takes more memory than it has, whatever Linux thinks of that.
    command:
      - /bin/sh
      - -c
      - "httpd -p 80 -h /srv/www; nc -l -p 7000 </dev/null; echo 1 >/proc/sys/vm/overcommit_memory; exec dd if=/dev/zero of=/dev/null bs=256M count=1"
    network: { nat: boot, ports: [8080:80, 7000:7000] }
    files: { /srv/www/index.html: "guest on {{machine.name}}\\n" }
    # Patient: beside two others that start an answer may take long.
    health: { http: { port: 80 }, interval: 60s, timeout: 50s, retries: 4 }
  - { name: disk, kind: vm, disk: greeting, memory: 32M, storage: { ram: 4M }, after: [guest] }
  - { name: netboot, kind: vm, memory: 96M, network: { bridge: boot, mac: "52:54:00:77:00:63" }, after: [disk] }
roles:
  - { name: vms, profile: live, systems: [guest, disk, netboot] }
  - { name: bare, profile: micro }
machines:
  - { name: n1, macs: ["52:54:00:77:00:01"], address: ${addressOf(1)}, role: vms }
  - { name: n99, macs: ["52:54:00:77:00:63"], role: bare } # a VM of n1
`;

/** A nested start may take long on a busy machine; only one that hangs is a failure. */
const START_SECONDS = 1500;

let lab: BootLab;
let n1: VirtualMachine;
let jobs: LabJobs;

const answer = () => lab.inside('curl', '-sS', '--fail', '--max-time', '10', `http://${addressOf(1)}:8080/`);
const answers = () =>
  answer().then(
    () => true,
    () => false,
  );
const stateOf = async (name: string) => (await lab.status('n1')).systems.find((system) => system.name === name);
const messagesOf = async (name: string) =>
  (await lab.events({ machine: 'n1' }))
    .filter(({ kind, data }) => kind.startsWith('system.') && data.system === name)
    .map(({ data }) => `${data.state}: ${data.message}`);
/** QEMU's command line, of the guest that runs now. */
const commandLine = async () => {
  const script = "tr '\\0' ' ' </proc/$(systemctl show --property=MainPID --value anybios-system-guest)/cmdline";
  return (await jobs.done(exec('sh', '-c', script))).output;
};

beforeAll(async () => {
  lab = await BootLab.open('vm');
  await useLabImages(lab).import('greeting:1', { disk: greetingDisk('hello from a disk') });
  await lab.apply(SITE);
  // A processor for the guest, another one for what watches it.
  n1 = lab.powerOn(1, 'bios', ['-smp', '2'], 1024);
  jobs = new LabJobs(lab);
});
afterAll(() => lab.close());

test('one by the shared kernel answers, one from its disk speaks, one that netboots is a machine of this server', async () => {
  const status = await lab.up(n1, START_SECONDS);
  expect(status.systems.map(({ name, state }) => `${name} ${state}`)).toEqual([
    'guest running',
    'disk running',
    'netboot running',
  ]);
  // Two that are emulated start beside it: an answer may take long.
  await expect.poll(() => answer().catch(String), { timeout: 240_000 }).toBe('guest on n1\n');
  const log = '/run/anybios/systems/disk/console.log';
  // Without white space: the firmware's own line break may come out in the middle of it.
  await expect
    .poll(async () => (await jobs.done(exec('cat', log))).output.replace(/\s/g, ''), { timeout: 240_000 })
    .toContain('hellofromadisk');
  const reached = async () => (await lab.status('n99')).boot?.stages ?? {};
  await expect.poll(reached, { timeout: 600_000, interval: 1000 }).toHaveProperty('script');
}, 2_400_000);

test('one that is stopped is told as stopped', async () => {
  // At once: a VM with an operating system of its own is given ten seconds to shut down.
  const systems = ['netboot', 'disk'];
  await Promise.all(systems.map((system) => jobs.done({ kind: 'stop', system })));
  for (const system of systems) expect(await stateOf(system)).toMatchObject({ state: 'stopped', restarts: 0 });
}, 600_000);

test('paused it does not answer, resumed it does', async () => {
  await jobs.done({ kind: 'pause', system: 'guest' });
  expect(await stateOf('guest')).toMatchObject({ state: 'paused' });
  expect(await answers()).toBe(false);
  await jobs.done({ kind: 'resume', system: 'guest' });
  await expect.poll(answers, { timeout: 120_000 }).toBe(true);
}, 600_000);

test('over its memory it ends alone and says so; a new shared kernel is used from that start on', async () => {
  const { boot } = await lab.status('n1');
  const initrd = await useLabImages(lab).renewKernel();
  expect(await commandLine()).not.toContain(initrd);
  await lab.inside('sh', '-c', `busybox nc ${addressOf(1)} 7000 </dev/null`);
  await expect
    .poll(() => messagesOf('guest'), { timeout: 900_000, interval: 1000 })
    .toContain('starting: over its memory of 128 MiB: its kernel panicked; again in 1 s');
  await expect
    .poll(() => commandLine().catch(String), { timeout: 600_000, interval: 1000 })
    .toContain(`${initrd}.img -append`);
  expect(await stateOf('guest')).toMatchObject({ restarts: 1 });
  // The machine itself stays up; a heartbeat may be late when its processors start a VM.
  await expect
    .poll(() => lab.status('n1'), { timeout: 240_000, interval: 1000 })
    .toMatchObject({ status: 'up', boot: { session: boot?.session } });
}, 2_100_000);

test('killed it is started again by its policy; stopped it stays away', async () => {
  await jobs.done({ kind: 'kill', system: 'guest' });
  await expect
    .poll(() => stateOf('guest'), { timeout: 240_000 })
    .toMatchObject({ restarts: 2, message: expect.stringMatching(/^(ended by signal KILL.*; again in [0-9]+ s)?$/) });
  await expect.poll(() => commandLine().catch(() => ''), { timeout: 240_000, interval: 1000 }).toContain('-append');
  await jobs.done({ kind: 'stop', system: 'guest' });
  expect(await stateOf('guest')).toMatchObject({ state: 'stopped' });
  expect(await answers()).toBe(false);
}, 900_000);
