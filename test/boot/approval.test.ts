import { afterAll, beforeAll, expect, test } from 'vitest';
import type { VirtualMachine } from '../../server/lab/firmware.js';
import { addressOf } from '../../server/lab/site.js';
import { BootLab } from '../support/lab-boot.js';

/*
 * A site with `unknownMachines: discover`: nobody has written down a machine yet. And roles that give the machine away: by themselves,
 * when their menu's time is over, or because somebody chose so at the machine.
 */

const SITE = `
systems:
  - name: web
    kind: chroot
    image: base
    command: [/bin/httpd, -f, -p, "80", -h, /srv/www]
    files: { /srv/www/index.html: "web on {{machine.name}}\\n" }
  - name: alone
    kind: chroot
    image: base
    command: [/bin/httpd, -f, -p, "80", -h, /srv/www]
    files: { /srv/www/index.html: "alone on {{machine.name}}\\n" }
roles:
  - { name: web, profile: micro, mode: resident, systems: [web] }
  - { name: alone, profile: micro, mode: single, systems: [alone], params: { menu: "2" } }
  - { name: choice, profile: live, mode: resident, systems: [web, alone], params: { menu: "120" } }
machines:
  - { name: n2, macs: ["52:54:00:77:00:02"], address: ${addressOf(2)}, role: alone }
  - { name: n3, macs: ["52:54:00:77:00:03"], address: ${addressOf(3)}, role: choice }
`;

let lab: BootLab;
let unknown: VirtualMachine;
let single: VirtualMachine;

beforeAll(async () => {
  lab = await BootLab.open('approval', 'discover');
  await lab.apply(SITE);
  unknown = lab.powerOn(1, 'bios');
  single = lab.powerOn(2, 'bios');
});
afterAll(() => lab.close());

test('in single mode the machine is handed to its one system, which answers; its menu had waited for nobody', async () => {
  const status = await lab.up(single);
  expect(lab.console(single)).toContain('anybios: n2, alone');
  expect(status).toMatchObject({ status: 'unmanaged', systems: [{ name: 'alone', state: 'handed-over' }] });
  await expect.poll(() => lab.web(2), { timeout: 30_000 }).toBe('alone on n2\n');
  await lab.powerOff(single);
});

test('at the boot menu one system of a resident role is given the whole machine', async () => {
  const machine = lab.powerOn(3, 'bios');
  await lab.until(
    machine,
    'the menu',
    ({ boot }) => boot !== undefined && lab.console(machine).includes('alone alone'),
    {
      seconds: 120,
    },
  );
  // Third entry: all systems, web alone, alone alone. `down` is ESC [ B.
  await lab.type(machine, '\x1b[B\x1b[B', /stage 1, kernel/, 120);
  const status = await lab.up(machine);
  expect(status).toMatchObject({
    status: 'unmanaged',
    systems: [
      { name: 'web', state: 'stopped' },
      { name: 'alone', state: 'handed-over' },
    ],
  });
  await expect.poll(() => lab.web(3), { timeout: 30_000 }).toBe('alone on n3\n');
  await lab.powerOff(machine);
});

test('an unknown machine shows what it is, waits, is approved, reboots and becomes its role', async () => {
  const waiting = await lab.until(
    unknown,
    'waiting for approval',
    (s) => s.status === 'waiting' && s.inventory?.cpus !== undefined,
    {
      name: unknown.mac,
    },
  );
  expect(waiting).toMatchObject({ name: unknown.mac, known: false, systems: [] });
  expect(waiting.inventory).toMatchObject({ product: expect.stringContaining('lab'), serial: unknown.serial });
  expect(waiting.inventory?.nic).toContain(unknown.mac);
  const before = waiting.boot?.session;

  await lab.api.request('POST', `/machines/${encodeURIComponent(unknown.mac)}/approve`, {
    json: { name: 'n1', role: 'web', address: addressOf(1) },
  });
  // Another power-on, another session.
  const status = await lab.until(
    unknown,
    'its role',
    ({ boot }) => boot !== undefined && boot.session !== before && boot.outcome === 'succeeded',
  );
  expect(status).toMatchObject({ name: 'n1', known: true, status: 'up', currentAddress: addressOf(1) });
  expect(await lab.web(1)).toBe('web on n1\n');
});
