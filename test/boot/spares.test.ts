import { afterAll, beforeAll, expect, test } from 'vitest';
import type { VirtualMachine } from '../../server/lab/firmware.js';
import { addressOf } from '../../server/lab/site.js';
import { BootLab } from '../support/lab-boot.js';
import { exec, LabJobs } from '../support/lab-jobs.js';

/*
 * A role with spares on two machines with the `micro` live OS. The one that has it is cut off from the network, which is harder than
 * switching it off: it lives, and must stop its systems by itself before the spare starts them.
 */

const LEASE_SECONDS = 20;
const SITE = `
systems:
  - { name: web, kind: chroot, image: base, command: [/bin/httpd, -f, -p, "80", -h, /srv],
      files: { /srv/index.html: "web of {{machine.name}} in {{machine.labels.rack}} at {{machine.address}}\\n" } }
roles:
  - { name: web, profile: micro, systems: [web], spares: [n2], spareLease: ${LEASE_SECONDS}s }
machines:
  - { name: n1, macs: ["52:54:00:77:00:01"], address: ${addressOf(1)}, role: web, labels: { rack: r1 } }
  - { name: n2, macs: ["52:54:00:77:00:02"], labels: { rack: r2 } }
`;
const PAGE = `web of n1 in r1 at ${addressOf(1)}\n`;

let lab: BootLab;
let n1: VirtualMachine;
let n2: VirtualMachine;

beforeAll(async () => {
  lab = await BootLab.open('spares');
  await lab.apply(SITE);
  n1 = lab.powerOn(1, 'bios');
  n2 = lab.powerOn(2, 'bios');
  await lab.up(n1);
  await lab.up(n2);
});
afterAll(() => lab.close());

const kinds = async (machine: string): Promise<readonly string[]> =>
  (await lab.events({ machine })).map(({ kind }) => kind);

/** Seconds of uptime at which the machine said this on its console; its own clock. */
function said(machine: VirtualMachine, text: string): boolean {
  return lab.console(machine).includes(text);
}

test('the spare waits in the live OS of the role, with no system', async () => {
  expect(await lab.status('n1')).toMatchObject({ role: 'web', place: { holder: 'n1', leaseSeconds: LEASE_SECONDS } });
  const spare = await lab.until(n2, 'a spare that is ready', ({ place, ...status }) => status.status === 'up');
  expect(spare).toMatchObject({ standby: 'web', systems: [] });
  await expect
    .poll(async () => (await lab.status('n1')).place?.spares, { timeout: 30_000, interval: 250 })
    .toEqual([{ name: 'n2' }]);
  expect(await lab.web(1)).toBe(PAGE);
});

test('cut off, the machine stops its systems by itself, and only then the spare has them, with their names and address', async () => {
  await lab.cutOff(n1);
  let overlap = false;
  await lab.until(
    n1,
    'the end of its systems',
    () => {
      if (said(n1, 'all systems are stopped')) return true;
      overlap ||= said(n2, 'system web running');
      return false;
    },
    { seconds: 90, mayFail: true },
  );
  expect(said(n1, 'the lease of the role is over: stopping all systems')).toBe(true);
  expect(overlap).toBe(false);
  const after = await lab.until(n2, 'the role on the spare', (status) =>
    status.systems.some(({ name, state }) => name === 'web' && state === 'running'),
  );
  expect(after).toMatchObject({ role: 'web', standsFor: 'n1' });
  // The address of the lost machine, answered by the other one; and what its files say is as it was.
  await expect.poll(() => lab.web(1).catch(() => ''), { timeout: 30_000, interval: 500 }).toBe(PAGE);
  expect(await kinds('n2')).toContain('role.taken-over');
  const place = (await lab.status('n1')).place;
  expect(place).toMatchObject({ holder: 'n2', role: 'web' });
});

test('back on the network, the lost machine starts nothing, leaves the address alone, and waits as a spare', async () => {
  await lab.reconnect(n1);
  await lab.until(
    n1,
    'its return',
    ({ place }) => place?.spares.some((s) => s.name === 'n1' && s.unfit === undefined) === true,
    {
      seconds: 120,
      mayFail: true,
    },
  );
  expect(await kinds('n1')).toContain('machine.returned');
  // What it has kept of them, stopped, goes with its next heartbeat.
  await expect.poll(async () => (await lab.status('n1')).systems, { timeout: 60_000, interval: 500 }).toEqual([]);
  expect(await lab.web(1)).toBe(PAGE);
  expect(said(n1, `address ${addressOf(1)} of the role is given up`)).toBe(true);
});

test('handed back by a person, it runs on its own machine again', async () => {
  await lab.api.request('POST', '/machines/n2/hand-over', { json: {} });
  const back = await lab.until(n1, 'its role', (status) => status.systems.some(({ state }) => state === 'running'), {
    seconds: 90,
    mayFail: true,
  });
  expect(back).toMatchObject({ role: 'web', place: { holder: 'n1' } });
  await expect.poll(() => lab.web(1).catch(() => ''), { timeout: 30_000, interval: 500 }).toBe(PAGE);
  await expect.poll(async () => (await lab.status('n2')).systems, { timeout: 60_000, interval: 500 }).toEqual([]);
});

test('switched off, and a person says so: the end of its lease is not waited for', async () => {
  const confirm = (): Promise<string> =>
    lab.api.request('POST', '/machines/n1/confirm-off').then(
      () => 'said',
      (error: unknown) => String(error),
    );
  expect(await confirm()).toContain('was heard');
  await lab.powerOff(n1);
  await expect.poll(confirm, { timeout: 60_000, interval: 500 }).toBe('said');
  await lab.until(n2, 'the role', ({ systems }) => systems.some(({ state }) => state === 'running'), { seconds: 60 });
  expect(await lab.status('n1')).toMatchObject({ status: 'off', place: { holder: 'n2', why: 'n1 is switched off' } });
});

test('hung with systems that run, the machine is reset by its watchdog', async () => {
  expect(lab.console(n2)).toMatch(/watchdog .+ resets this machine after 5 s without us/);
  const before = (await lab.status('n2')).boot?.session;
  const jobs = new LabJobs(lab, 'n2');
  await jobs.ask(exec('sh', '-c', 'kill -STOP $(pidof lease-guard)'));
  await lab.until(n2, 'another boot', ({ boot }) => boot !== undefined && boot.session !== before, {
    seconds: 90,
    mayFail: true,
  });
});
