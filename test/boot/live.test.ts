import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { VirtualMachine } from '../../server/lab/firmware.js';
import { addressOf } from '../../server/lab/site.js';
import { BootLab } from '../support/lab-boot.js';
import { blankDisk, greetingDisk, useLabImages } from '../support/lab-disks.js';
import { exec, LabJobs } from '../support/lab-jobs.js';

/*
 * The Debian live OS on two machines with 1 GB that boot at the same time: n1 runs chroots and containers on every kind of network and
 * storage, n2 runs VMs, which are emulated in an emulated machine. Many checks in few boots: a boot is what costs.
 */

const page = (text: string) => `files: { /srv/www/index.html: "${text} on {{machine.name}}\\n" }`;
const httpd = (port: number) => `command: [/bin/httpd, -f, -p, "${port}", -h, /srv/www]`;
const copies = Array.from({ length: 8 }, (_, index) => `copy${index + 1}`);

const site = (systems: readonly string[]) => `
systems:
  - { name: web, kind: chroot, image: base, memory: 64M, ${httpd(80)}, ${page('web')} }
  - name: box
    kind: container
    image: base
    layer: box
    ${httpd(80)}
    network: { bridge: boot, address: 10.77.0.60 }
    ${page('box')}
    after: [web]
    health: { http: { port: 80, path: /from-layer }, interval: 2s }
  - name: leased # asks our DHCP server
    kind: container
    image: base
    ${httpd(80)}
    network: { bridge: boot }
    ${page('leased')}
    health: { tcp: 80 }
  - name: inner
    kind: container
    image: base
    ${httpd(80)}
    network: { nat: boot, ports: [8080:80] }
    ${page('inner')}
    storage: { ram: 16M }
    health: { command: [/bin/grep, -q, inner, /srv/www/index.html], interval: 2s, timeout: 30s, retries: 2 }
  - name: keeper # what it writes survives a reboot of the machine
    kind: chroot
    image: base
    command: [/bin/sh, -c, "echo started >>/srv/starts; exec httpd -f -p 81 -h /srv"]
    storage: { label: data, path: systems/keeper, size: 16M }
  - name: eater # starts to eat when somebody calls
    kind: container
    image: base
    memory: 32M
    command: [/bin/sh, -c, "nc -l -p 7000 </dev/null; exec dd if=/dev/zero of=/dev/null bs=64M count=1"]
${copies.map((name) => `  - { name: ${name}, kind: chroot, image: base, command: [/bin/sleep, "100000"] }\n`).join('')}
  - name: guest
    kind: vm
    image: micro
    memory: 128M
    ${httpd(80)}
    network: { nat: boot, ports: [8080:80] }
    ${page('guest')}
    health: { http: { port: 80 }, interval: 20s, timeout: 20s }
  - { name: disk, kind: vm, disk: greeting, memory: 32M, storage: { ram: 4M }, after: [guest] }
  - { name: netboot, kind: vm, memory: 96M, network: { bridge: boot, mac: "52:54:00:77:00:63" }, after: [disk] }
roles:
  - { name: live, profile: live, systems: [${systems.join(', ')}] }
  - { name: bare, profile: micro }
  - { name: vms, profile: live, systems: [guest, disk, netboot] }
machines:
  - name: n1
    macs: ["52:54:00:77:00:01"]
    address: ${addressOf(1)}
    role: live
    disks: { data: /dev/disk/by-id/virtio-BLANK }
  - { name: n2, macs: ["52:54:00:77:00:02"], address: ${addressOf(2)}, role: vms }
  - { name: n99, macs: ["52:54:00:77:00:63"], role: bare } # a VM of n2
`;

/** Another page for web, a limit for box. */
const changed = (systems: readonly string[]) =>
  site(systems).replace('web on', 'new on').replace('kind: container', 'kind: container\n    memory: 96M');

const SYSTEMS = ['web', 'box', 'leased', 'inner', 'keeper', 'eater'];
/** MiB: what the profile promises to do with. */
const MEMORY = 1024;

let lab: BootLab;
let n1: VirtualMachine;
let n2: VirtualMachine;
let jobs: LabJobs;
let vmJobs: LabJobs;

const get = (address: string) => lab.inside('curl', '-sS', '--fail', '--max-time', '5', `http://${address}`);
const answers = (address: string) =>
  get(address).then(
    () => true,
    () => false,
  );
const stateOf = async (machine: string, name: string) =>
  (await lab.status(machine)).systems.find((system) => system.name === name);
const messagesOf = async (name: string) =>
  (await lab.events({ machine: 'n1' }))
    .filter(({ kind, data }) => kind.startsWith('system.') && data.system === name)
    .map(({ data }) => `${data.state}: ${data.message}`);

beforeAll(async () => {
  lab = await BootLab.open('live');
  const images = useLabImages(lab);
  await images.import('box:1', { from: { 'srv/www/from-layer': 'from the layer\n' } });
  await images.import('greeting:1', { disk: greetingDisk('hello from a disk') });
  await lab.apply(site(SYSTEMS));
  n1 = lab.powerOn(1, 'bios', blankDisk(lab, 'BLANK', 64), MEMORY);
  n2 = lab.powerOn(2, 'bios', [], MEMORY);
  jobs = new LabJobs(lab);
  vmJobs = new LabJobs(lab, 'n2');
  await lab.up(n1, 900);
}, 1_000_000);
afterAll(() => lab.close());

describe('chroots and containers', () => {
  test('answer on the network that each has: the machine’s, a bridge with a fixed address or one by DHCP, a forwarded port', async () => {
    expect(await lab.web(1)).toBe('web on n1\n');
    expect(await get('10.77.0.60/')).toBe('box on n1\n');
    expect(await get('10.77.0.60/from-layer')).toBe('from the layer\n');
    expect(await get(`${addressOf(1)}:8080/`)).toBe('inner on n1\n');
    const [, mac = ''] =
      /ether (\S+)/.exec(
        (await jobs.done({ ...exec('ifconfig', 'eth0'), system: 'leased' })).output.replace('HWaddr', 'ether'),
      ) ?? [];
    const [address] = [...(await lab.leases())].find(([, owner]) => owner === mac.toLowerCase()) ?? [];
    expect(address, mac).toBeDefined();
    expect(await get(`${address}/`)).toBe('leased on n1\n');
  });

  test('start in the order of `after`', async () => {
    const running = (await lab.events({ machine: 'n1' }))
      .filter(({ data }) => data.state === 'running')
      .map(({ data }) => data.system);
    expect(running.indexOf('web')).toBeLessThan(running.indexOf('box'));
    expect(running).toEqual(expect.arrayContaining(SYSTEMS));
  });

  test.each([
    ['web', addressOf(1)],
    ['box', '10.77.0.60'],
  ])(
    'jobs for %s: a command inside, paused it does not answer, killed it comes back, stopped it stays away',
    async (system, address) => {
      expect((await jobs.done({ ...exec('cat', '/srv/www/index.html'), system })).output).toBe(`${system} on n1\n`);
      await jobs.done({ kind: 'pause', system });
      expect(await answers(address)).toBe(false);
      await jobs.done({ kind: 'resume', system });
      expect(await answers(address)).toBe(true);
      await jobs.done({ kind: 'kill', system });
      await expect
        .poll(() => stateOf('n1', system), { timeout: 120_000 })
        .toMatchObject({ state: 'running', restarts: 1 });
      expect(await answers(address)).toBe(true);
      await jobs.done({ kind: 'stop', system });
      expect(await answers(address)).toBe(false);
      expect(await stateOf('n1', system)).toMatchObject({ state: 'stopped' });
      await jobs.done({ kind: 'start', system });
      expect(await answers(address)).toBe(true);
    },
  );

  test('over its memory a container is killed alone, and says so', async () => {
    await lab.inside('sh', '-c', `busybox nc ${addressOf(1)} 7000 </dev/null`);
    await expect
      .poll(() => stateOf('n1', 'eater'), { timeout: 120_000 })
      .toMatchObject({ state: 'running', restarts: 1 });
    expect(await messagesOf('eater')).toContain('starting: killed: over its memory of 32 MiB; again in 1 s');
    expect(await stateOf('n1', 'inner')).toMatchObject({ state: 'running', restarts: 0 });
  });

  test('whose health check fails is ended, and starts again', async () => {
    await jobs.done({ ...exec('sh', '-c', 'mv /srv/www/index.html /srv/www/gone'), system: 'inner' });
    const why = 'starting: unhealthy: 2 checks in a row failed (command); again in 1 s';
    await expect.poll(() => messagesOf('inner'), { timeout: 120_000 }).toContain(why);
    await jobs.done({ ...exec('mv', '/systems/inner/srv/www/gone', '/systems/inner/srv/www/index.html') });
    await expect
      .poll(() => stateOf('n1', 'inner'), { timeout: 120_000 })
      .toMatchObject({ state: 'running', restarts: 1 });
  });

  test('changed while they run: another definition composes that system anew, limits alone are set', async () => {
    const shown = async (property: string) => {
      const words = ['show', `--property=${property}`, '--value', 'anybios-system-box.service'];
      return (await jobs.done(exec('systemctl', ...words))).output;
    };
    const before = await lab.asDesired(n1, 'its digests');
    const pid = await shown('MainPID');
    await lab.apply(changed(SYSTEMS));
    const after = await lab.asDesired(n1, 'the change');
    expect(await lab.web(1)).toBe('new on n1\n');
    expect(await shown('MainPID')).toBe(pid);
    expect(await shown('MemoryMax')).toBe('100663296\n');
    expect(after.boot?.session).toBe(before.boot?.session);
  });

  test('eight more chroots of one template take at most 3 MiB each, their processes included', async () => {
    const available = async () => {
      const command = "sync; echo 3 >/proc/sys/vm/drop_caches; awk '/^MemAvailable/ { print $2 }' /proc/meminfo";
      return Number((await jobs.done(exec('sh', '-c', command))).output);
    };
    const before = await available();
    await lab.apply(changed([...SYSTEMS, ...copies]));
    await expect
      .poll(
        async () =>
          (await lab.status('n1')).systems.filter(({ name, state }) => copies.includes(name) && state === 'running'),
        { timeout: 280_000 },
      )
      .toHaveLength(8);
    const each = (before - (await available())) / 8;
    console.log(`memory for each further chroot on live: ${each.toFixed(0)} KiB`);
    expect(each).toBeLessThan(3 * 1024);
  }, 600_000);
});

describe('VMs', () => {
  test('one from a template, by the shared kernel; one from its own disk; one that netboots as a machine of this server', async () => {
    const status = await lab.up(n2, 900);
    expect(status.systems.map(({ name, state }) => `${name} ${state}`)).toEqual([
      'guest running',
      'disk running',
      'netboot running',
    ]);
    expect(await get(`${addressOf(2)}:8080/`)).toBe('guest on n2\n');
    const console = '/run/anybios/systems/disk/console.log';
    await expect
      .poll(async () => (await vmJobs.done(exec('cat', console))).output, { timeout: 120_000 })
      .toContain('hello from a disk');
    const reached = async () => (await lab.status('n99')).boot?.stages ?? {};
    await expect.poll(reached, { timeout: 180_000, interval: 1000 }).toHaveProperty('script');
    await vmJobs.done({ kind: 'stop', system: 'netboot' });
    await vmJobs.done({ kind: 'stop', system: 'disk' });
    expect(await stateOf('n2', 'disk')).toMatchObject({ state: 'stopped' });
  }, 1_500_000);

  test('paused it does not answer; killed it is started again, with the shared kernel of today; stopped', async () => {
    await vmJobs.done({ kind: 'pause', system: 'guest' });
    expect(await answers(`${addressOf(2)}:8080/`)).toBe(false);
    await vmJobs.done({ kind: 'resume', system: 'guest' });
    await expect.poll(() => answers(`${addressOf(2)}:8080/`), { timeout: 30_000 }).toBe(true);

    const initrd = await useLabImages(lab).renewKernel();
    const running = async () =>
      (
        await vmJobs.done(
          exec(
            'sh',
            '-c',
            "tr '\\0' ' ' </proc/$(systemctl show --property=MainPID --value anybios-system-guest)/cmdline",
          ),
        )
      ).output;
    expect(await running()).not.toContain(initrd);
    await vmJobs.done({ kind: 'kill', system: 'guest' });
    await expect
      .poll(() => running().catch(() => ''), { timeout: 280_000, interval: 1000 })
      .toContain(`${initrd}.img -append`);
    expect(await stateOf('n2', 'guest')).toMatchObject({ restarts: 1 });
    await vmJobs.done({ kind: 'stop', system: 'guest' });
    expect(await stateOf('n2', 'guest')).toMatchObject({ state: 'stopped' });
    await lab.powerOff(n2);
  }, 900_000);
});

test('what a system keeps on a labelled disk survives a reboot; the disk was formatted because it was empty and declared', async () => {
  expect(await get(`${addressOf(1)}:81/starts`)).toBe('started\n');
  const { boot } = await lab.status('n1');
  await jobs.ask({ kind: 'reboot' });
  await lab.until(n1, 'its next boot', (s) => s.boot?.session !== boot?.session && s.boot?.outcome === 'succeeded', {
    seconds: 900,
  });
  expect(await get(`${addressOf(1)}:81/starts`)).toBe('started\nstarted\n');
  const formatted = (await lab.events({ machine: 'n1' })).filter(({ message }) =>
    message.includes('was empty and got the label data'),
  );
  expect(formatted).toHaveLength(1);
}, 1_000_000);
