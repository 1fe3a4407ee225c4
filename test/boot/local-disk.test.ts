import { afterAll, beforeAll, expect, test } from 'vitest';
import { BootLab } from '../support/lab-boot.js';

let lab: BootLab;
beforeAll(async () => {
  lab = await BootLab.open('local');
});
afterAll(() => lab.close());

test('a machine that nobody registered gets an address and no boot file, and goes on to its own disk', async () => {
  const machine = lab.powerOn(1, 'bios');
  // It has no disk: SeaBIOS says so when the network has nothing for it.
  await expect
    .poll(() => lab.console(machine), { timeout: 120_000, interval: 500 })
    .toMatch(/No bootable device|Boot failed/i);
  expect([...(await lab.leases()).values()]).toContain(machine.mac);
  expect(await lab.status(machine.mac)).toMatchObject({ known: false, status: 'discovered' });
  const events = await lab.events({ mac: machine.mac });
  expect(events.filter(({ source }) => source === 'tftp' || source === 'http')).toEqual([]);
  expect(events.map(({ message }) => message).join('\n')).toMatch(/localdisk|not registered|unknown/i);
});
