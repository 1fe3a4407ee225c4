import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { VirtualMachine } from '../../server/lab/firmware.js';
import { labMachines, labSite } from '../../server/lab/site.js';
import { BootLab, type LabMachine } from '../support/lab-boot.js';
import { type MarkFilter, markFilterArguments, startMarkFilter } from '../support/lab-mark-filter.js';
import { type RivalDhcp, startRivalDhcp } from '../support/rival-dhcp.js';

/* Real firmware beside a real DHCP server (dnsmasq, which gives addresses and nothing else): ours adds what to boot. */

let lab: BootLab;
let rival: RivalDhcp;
const machines: VirtualMachine[] = [];
let filter: MarkFilter;

beforeAll(async () => {
  lab = await BootLab.open('proxy', 'localdisk', undefined, 'proxy');
  rival = startRivalDhcp(lab.namespace, '10.77.0.2', '10.77.0.150,10.77.0.199');
  // The addresses are the other server's: none is reserved here.
  await lab.apply(labSite(labMachines(3, ['bios'], lab.lab.folder.machines)).replaceAll(/address: [\d.]+, /g, ''));
  machines.push(lab.powerOn(1, 'bios'), lab.powerOn(2, 'uefi'));
});
afterAll(async () => {
  rival.close();
  await lab.close();
});

function machine(number: number): VirtualMachine {
  const found = machines[number - 1];
  if (found === undefined) throw new Error(`machine ${number} is not on`);
  return found;
}

/** The boot as a whole: an address of the other server's, `ip=dhcp`, a lease of ours for nobody. */
async function expectProxyBoot(number: number, status: LabMachine): Promise<readonly string[]> {
  expect(status.currentAddress).toMatch(/^10\.77\.0\.1[5-9]\d$/);
  const ids = { session: status.boot?.session ?? '' };
  const events = await lab.events(ids);
  expect(events.filter(({ level }) => level === 'error')).toEqual([]);
  expect(lab.console(machine(number))).toMatch(/ip=dhcp/);
  expect([...(await lab.leases()).keys()]).toEqual([]);
  const opened = status.boot?.openedAt ?? 0;
  const script = events.find(({ kind }) => kind === 'http.script');
  expect(script?.data).toMatchObject({ nonce: true });
  const stages = Object.entries(status.boot?.stages ?? {}).map(
    ([stage, at]) => `${stage} ${((at - opened) / 1000).toFixed(1)}`,
  );
  console.log(`figures proxy ${status.boot?.firmware}, style ${status.proxyStyle ?? 'none'}: ${stages.join(', ')}`);
  return events.map(({ kind, message }) => `${kind} ${message}`);
}

test('a BIOS ROM that is iPXE gets its script in the proxy offer', async () => {
  const status = await lab.up(machine(1));
  const steps = await expectProxyBoot(1, status);
  expect(steps).toContainEqual(
    expect.stringMatching(/^dhcp.offer .*offered http:\/\/10\.77\.0\.1:8080\/boot\/ipxe\/\S+, no address/),
  );
  expect(steps).toContainEqual(expect.stringMatching(/^dhcp.request .*takes 10\.77\.0\.1\d\d, given by 10\.77\.0\.2/));
  expect(await lab.inside('curl', '-sS', '--fail', `http://${status.currentAddress}/`)).toBe('web on n1\n');
});

test('a UEFI ROM (OVMF) asks for its file on port 4011', async () => {
  const status = await lab.up(machine(2));
  const steps = await expectProxyBoot(2, status);
  expect(steps).toContainEqual(expect.stringMatching(/^dhcp.offer .*offered snponly.efi \(second-leg\), no address/));
  expect(steps).toContainEqual(expect.stringMatching(/^dhcp.ack .*given snponly.efi on port 4011/));
  expect(status).toMatchObject({ proxyStyle: 'second-leg', proxyStyleProven: true });
});

describe('a BIOS ROM that is not iPXE (QEMU’s, its marks taken off on the way)', () => {
  beforeAll(async () => {
    await lab.powerOff(machine(1));
    await lab.powerOff(machine(2));
    machines.push(lab.powerOn(3, 'bios', markFilterArguments(lab.lab.folder.machines)));
    filter = await startMarkFilter(lab.lab.folder.machines, AbortSignal.timeout(10_000));
  });
  afterAll(() => filter.close());

  test('takes undionly.kpxe from the first offer, and undionly its script', async () => {
    const status = await lab.up(machine(3));
    const steps = await expectProxyBoot(3, status);
    expect(steps).toContainEqual(
      expect.stringMatching(/^dhcp.offer .*offered undionly.kpxe \(first-offer\), no address/),
    );
    expect(steps).toContainEqual(expect.stringMatching(/^tftp.sent sent undionly.kpxe/));
    expect(status).toMatchObject({ proxyStyle: 'first-offer', proxyStyleProven: true });
  });
});
