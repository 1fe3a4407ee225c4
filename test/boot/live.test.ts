import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { VirtualMachine } from '../../server/lab/firmware.js';
import { addressOf } from '../../server/lab/site.js';
import { BootLab } from '../support/lab-boot.js';
import { blankDisk, useLabImages } from '../support/lab-disks.js';
import { exec, LabJobs } from '../support/lab-jobs.js';

/*
 * The Debian live OS on a machine with 1 GB: chroots and containers on every kind of network and storage. Many checks in few boots: a
 * boot is what costs. VMs: vm.test.ts.
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
    health: { http: { port: 80, path: /from-layer }, interval: 20s }
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
    health: { command: [/bin/grep, -q, inner, /srv/www/index.html], interval: 5s, timeout: 30s, retries: 2 }
  - name: keeper # what it writes survives a reboot of the machine
    kind: chroot
    image: base
    command: [/bin/sh, -c, "echo started >>/srv/starts; exec httpd -f -p 81 -h /srv"]
    storage: { label: data, path: systems/keeper, size: 16M }
  - name: eater # starts to eat when somebody calls
    kind: container
    image: base
    memory: 32M
    command: [/bin/sh, -c, "nc -l -p 7000 </dev/null; dd if=/dev/zero of=/dev/null bs=64M count=1; sleep 100000"]
${copies.map((name) => `  - { name: ${name}, kind: chroot, image: base, command: [/bin/sleep, "100000"] }\n`).join('')}
roles:
  - { name: live, profile: live, systems: [${systems.join(', ')}] }
machines:
  - name: n1
    macs: ["52:54:00:77:00:01"]
    address: ${addressOf(1)}
    role: live
    disks: { data: /dev/disk/by-id/virtio-BLANK }
`;

/** Another page for web, limits for box. */
const changed = (systems: readonly string[]) =>
  site(systems)
    .replace('web on', 'new on')
    .replace('kind: container', 'kind: container\n    memory: 96M\n    cpus: 0.5');

const SYSTEMS = ['web', 'box', 'leased', 'inner', 'keeper', 'eater'];
/** MiB: what the profile promises to do with. */
const MEMORY = 1024;

let lab: BootLab;
let n1: VirtualMachine;
let jobs: LabJobs;

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
  await useLabImages(lab).import('box:1', { from: { 'srv/www/from-layer': 'from the layer\n' } });
  await lab.apply(site(SYSTEMS));
  n1 = lab.powerOn(1, 'bios', ['-smp', '2', ...blankDisk(lab, 'BLANK', 64)], MEMORY);
  jobs = new LabJobs(lab);
  await lab.up(n1, 1800);
}, 1_900_000);
afterAll(() => lab.close());

// A limit for what hangs; a busy machine is no reason to fail.
describe('chroots and containers', { timeout: 900_000 }, () => {
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
        .poll(() => stateOf('n1', system), { timeout: 280_000 })
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
      .poll(() => stateOf('n1', 'eater'), { timeout: 280_000 })
      .toMatchObject({ state: 'running', restarts: 1 });
    expect(await messagesOf('eater')).toContain('starting: killed: over its memory of 32 MiB; again in 1 s');
    expect(await stateOf('n1', 'inner')).toMatchObject({ state: 'running', restarts: 0 });
  });

  test('whose health check fails is ended, and starts again', async () => {
    await jobs.done({ ...exec('sh', '-c', 'mv /srv/www/index.html /srv/www/gone'), system: 'inner' });
    const why = 'starting: unhealthy: 2 checks in a row failed (command); again in 1 s';
    await expect.poll(() => messagesOf('inner'), { timeout: 280_000 }).toContain(why);
    await jobs.done({ ...exec('mv', '/systems/inner/srv/www/gone', '/systems/inner/srv/www/index.html') });
    await expect
      .poll(() => stateOf('n1', 'inner'), { timeout: 280_000 })
      .toMatchObject({ state: 'running', restarts: 1 });
  });

  test('changed while they run: another definition composes that system anew, limits alone are set', async () => {
    const shown = async (property: string) => {
      const words = ['show', `--property=${property}`, '--value', 'anybios-system-box.service'];
      return (await jobs.done(exec('systemctl', ...words))).output;
    };
    const before = await lab.asDesired(n1, 'its digests', 600);
    const pid = await shown('MainPID');
    await lab.apply(changed(SYSTEMS));
    const after = await lab.asDesired(n1, 'the change', 600);
    expect(await lab.web(1)).toBe('new on n1\n');
    expect(await shown('MainPID')).toBe(pid);
    expect(await shown('MemoryMax')).toBe('100663296\n');
    expect(after.boot?.session).toBe(before.boot?.session);
  });

  test('half a processor is no more than that: what wants a whole one is held back', async () => {
    const cgroup = '/sys/fs/cgroup/anybios.slice/anybios-system-box.service';
    expect((await jobs.done(exec('cat', `${cgroup}/cpu.max`))).output).toBe('50000 100000\n');
    const heldBack = async () =>
      Number(/^nr_throttled (\d+)$/m.exec((await jobs.done(exec('cat', `${cgroup}/cpu.stat`))).output)?.[1]);
    const before = await heldBack();
    const burns = await jobs.ask({ ...exec('sh', '-c', 'until [ -e /tmp/enough ]; do :; done'), system: 'box' });
    await expect.poll(heldBack, { timeout: 280_000 }).toBeGreaterThan(before);
    await jobs.done({ ...exec('touch', '/tmp/enough'), system: 'box' });
    expect(await jobs.ended(burns)).toMatchObject({ state: 'done' });
  });

  test('eight more chroots of one template take at most 3 MiB each, their processes included', async () => {
    const before = await jobs.availableKiB();
    await lab.apply(changed([...SYSTEMS, ...copies]));
    await expect
      .poll(
        async () =>
          (await lab.status('n1')).systems.filter(({ name, state }) => copies.includes(name) && state === 'running'),
        { timeout: 280_000 },
      )
      .toHaveLength(8);
    const each = await jobs.eachTakesBelow(3 * 1024, before, 8);
    console.log(`memory for each further chroot on live: ${each.toFixed(0)} KiB`);
  });
});

test('what a system keeps on a labelled disk survives a reboot; the disk was formatted because it was empty and declared', async () => {
  expect(await get(`${addressOf(1)}:81/starts`)).toBe('started\n');
  const { boot } = await lab.status('n1');
  // The others would only take their time once more.
  await lab.apply(changed(['keeper']));
  await jobs.ask({ kind: 'reboot' });
  await lab.until(n1, 'its next boot', (s) => s.boot?.session !== boot?.session && s.boot?.outcome === 'succeeded', {
    seconds: 1800,
  });
  expect(await get(`${addressOf(1)}:81/starts`)).toBe('started\nstarted\n');
  const formatted = (await lab.events({ machine: 'n1' })).filter(({ message }) =>
    message.includes('was empty and got the label data'),
  );
  expect(formatted).toHaveLength(1);
}, 1_900_000);
