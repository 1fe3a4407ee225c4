import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Firmware, VirtualMachine } from '../../server/lab/firmware.js';
import { addressOf, labMachines, labSite } from '../../server/lab/site.js';
import { BootLab, type LabMachine } from '../support/lab-boot.js';
import { type MarkFilter, markFilterArguments, startMarkFilter } from '../support/lab-mark-filter.js';

/* Every firmware path, from power-on to "all systems running" as the API says it, and to what the system itself answers. */

const STAGES = ['dhcp', 'loader', 'script', 'kernel', 'stage1', 'rootfs', 'live', 'systems'];
let lab: BootLab;

beforeAll(async () => {
  lab = await BootLab.open('firmware');
  // Firmware is set at power-on, not here: odd machines are `web`, even ones `db`.
  await lab.apply(labSite(labMachines(6, ['bios'], lab.lab.folder.machines)));
});
afterAll(() => lab.close());

/** Seconds from the first packet to each stage: the figures of docs/booting.md. */
function figures(what: string, status: LabMachine): void {
  const stages = status.boot?.stages ?? {};
  const openedAt = status.boot?.openedAt ?? 0;
  const seconds = STAGES.filter((stage) => stages[stage] !== undefined).map(
    (stage) => `${stage} ${(((stages[stage] ?? 0) - openedAt) / 1000).toFixed(1)}`,
  );
  const { 'memory-total-bytes': total, 'memory-available-bytes': available } = status.inventory ?? {};
  const memory = [total, available].map((bytes) => `${(Number(bytes) / 2 ** 20).toFixed(0)} MiB`);
  console.log(`figures ${what}: ${seconds.join(', ')}; memory ${memory[0]}, available ${memory[1]}`);
}

const hasHeartbeat = (status: LabMachine): boolean => status.inventory?.['memory-total-bytes'] !== undefined;

/** What holds for every boot that has come up. */
async function expectRealBoot(number: number, status: LabMachine, firmware: string): Promise<void> {
  expect(status).toMatchObject({
    status: 'up',
    currentAddress: addressOf(number),
    boot: { stage: 'systems', firmware },
  });
  const entered = STAGES.map((stage) => status.boot?.stages[stage]).filter((at) => at !== undefined);
  expect(entered).toEqual([...entered].sort((a, b) => a - b));
  const events = await lab.events({ session: status.boot?.session ?? '' });
  const kinds = events.map(({ kind }) => kind);
  for (const kind of ['stage1.claimed', 'rootfs.verified', 'rootfs.mounted', 'live.started', 'system.running']) {
    expect(kinds).toContain(kind);
  }
  expect(events.filter(({ level }) => level === 'error')).toEqual([]);
}

async function expectAnswer(number: number, status: LabMachine): Promise<void> {
  if (number % 2 === 1) {
    expect(status.systems).toEqual([expect.objectContaining({ name: 'web', state: 'running' })]);
    expect(await lab.web(number)).toBe(`web on n${number}\n`);
  } else {
    expect(status.systems).toEqual([expect.objectContaining({ name: 'db', state: 'running' })]);
    expect(await lab.records(number)).toBe(`db on n${number}\n`);
  }
}

/** Two at a time: firmware that waits for one of two processors runs into its own timeouts. */
const pairs: readonly (readonly [number, Firmware, string])[][] = [
  [
    [1, 'bios', 'ipxe'],
    [2, 'uefi', 'uefi'],
  ],
  [
    [3, 'uefi-http', 'uefi-http'],
    [4, 'secureboot', 'uefi'],
  ],
];

describe.each(pairs)('%j beside %j', (...pair) => {
  const machines = new Map<number, VirtualMachine>();
  beforeAll(() => {
    for (const [number, firmware] of pair) machines.set(number, lab.powerOn(number, firmware));
  });
  afterAll(async () => {
    for (const machine of machines.values()) await lab.powerOff(machine);
  });

  test.each(pair)('machine %i boots by %s until its systems run and answer', async (number, firmware, seenAs) => {
    const machine = machines.get(number);
    if (machine === undefined) throw new Error('not started');
    await lab.up(machine);
    const status = await lab.until(machine, 'a heartbeat', hasHeartbeat);
    figures(firmware, status);
    await expectRealBoot(number, status, seenAs);
    await expectAnswer(number, status);

    if (firmware === 'bios') {
      // The promise of the micro profile: it runs in 512 MB, with most of it left to the systems.
      expect(Number(status.inventory?.['memory-total-bytes'])).toBeLessThan(512 * 2 ** 20);
      expect(Number(status.inventory?.['memory-available-bytes'])).toBeGreaterThan(300 * 2 ** 20);
    }
    if (firmware === 'secureboot') {
      expect(status.secureBoot).toBe('on');
      const fetched = (await lab.events({ session: status.boot?.session ?? '', source: 'tftp' })).map((e) => e.message);
      for (const file of ['shimx64.efi', 'grubx64.efi', 'grub.cfg', 'vmlinuz']) {
        expect(fetched.filter((message) => message.includes(file))).not.toEqual([]);
      }
      // The kernel's own word: signed modules only, no access to its memory.
      expect(lab.console(machine)).toContain('Kernel is locked down from EFI Secure Boot');
    } else {
      expect(status.secureBoot).toBe(firmware === 'bios' ? 'none' : 'off');
    }
  });
});

describe('what the first boots cannot show', () => {
  let plain: VirtualMachine;
  let again: VirtualMachine;
  let filter: MarkFilter;
  beforeAll(async () => {
    plain = lab.powerOn(5, 'bios', markFilterArguments(lab.lab.folder.machines));
    filter = await startMarkFilter(lab.lab.folder.machines, AbortSignal.timeout(10_000));
    again = lab.powerOn(2, 'uefi');
  });
  afterAll(async () => {
    filter.close();
    await lab.powerOff(plain);
    await lab.powerOff(again);
  });

  test('a BIOS ROM that is not iPXE (QEMU’s, with its marks taken off on the way) boots by undionly.kpxe', async () => {
    await lab.up(plain);
    const status = await lab.until(plain, 'a heartbeat', hasHeartbeat);
    figures('bios-undionly', status);
    // DISCOVER and REQUEST of the ROM at least.
    expect(filter.stripped()).toBeGreaterThanOrEqual(2);
    await expectRealBoot(5, status, 'bios');
    await expectAnswer(5, status);
    const kinds = (await lab.events({ session: status.boot?.session ?? '' })).map(
      (event) => `${event.kind} ${event.message}`,
    );
    const loader = kinds.findIndex((text) => text.startsWith('tftp.sent') && text.includes('undionly.kpxe'));
    const ipxe = kinds.findIndex((text, at) => at > loader && text.startsWith('dhcp.offer') && /ipxe/i.test(text));
    expect(loader).toBeGreaterThan(0);
    expect(ipxe).toBeGreaterThan(loader);
  });

  test('a UEFI machine that has shown Secure Boot off gets iPXE (snponly.efi) from then on', async () => {
    // Its first boot was by shim: nothing was known of it.
    const first = (await lab.events({ machine: 'n2', source: 'tftp' })).map(({ message }) => message);
    expect(first.join('\n')).toContain('shimx64.efi');
    const status = await lab.up(again);
    figures('uefi, second boot', status);
    await expectRealBoot(2, status, 'uefi');
    await expectAnswer(2, status);
    const files = await lab.events({ session: status.boot?.session ?? '', source: 'tftp' });
    const sent = files.filter(({ kind }) => kind === 'tftp.sent').map(({ message }) => message);
    expect(sent).toEqual([expect.stringContaining('snponly.efi')]);
  });
});
