import { afterAll, beforeAll, expect, test } from 'vitest';
import type { VirtualMachine } from '../../server/lab/firmware.js';
import { labMachines, labSite } from '../../server/lab/site.js';
import { BootLab, type LabMachine } from '../support/lab-boot.js';
import { type RivalDhcp, startRivalDhcp } from '../support/rival-dhcp.js';

/* UEFI HTTP Boot and Secure Boot beside a real DHCP server (dnsmasq, which gives addresses and nothing else). */

/** Leaves HTTP Boot as the firmware's first way. */
const NO_PXE = ['-fw_cfg', 'name=opt/org.tianocore/IPv4PXESupport,string=n'];

let lab: BootLab;
let rival: RivalDhcp;

beforeAll(async () => {
  lab = await BootLab.open('proxysb', 'localdisk', undefined, 'proxy');
  rival = startRivalDhcp(lab.namespace, '10.77.0.2', '10.77.0.150,10.77.0.199');
  await lab.apply(labSite(labMachines(3, ['bios'], lab.lab.folder.machines)).replaceAll(/address: [\d.]+, /g, ''));
});
afterAll(async () => {
  rival.close();
  await lab.close();
});

/** Until the firmware has fetched the loader and said nothing for two minutes. */
function stalls(machine: VirtualMachine): Promise<LabMachine> {
  return lab.until(machine, 'a diagnosis', (status) => status.boot?.diagnosis !== undefined, { mayFail: true });
}

async function steps(status: LabMachine): Promise<readonly string[]> {
  const events = await lab.events({ session: status.boot?.session ?? '' });
  return events.map(({ kind, message }) => `${kind} ${message}`);
}

test('UEFI HTTP Boot boots: the address is the other server’s, the URL ours', async () => {
  const machine = lab.powerOn(1, 'uefi-http');
  const status = await lab.up(machine);
  expect(status).toMatchObject({ secureBoot: 'off', boot: { firmware: 'uefi-http' } });
  expect(status.currentAddress).toMatch(/^10\.77\.0\.1[5-9]\d$/);
  expect(await steps(status)).toContainEqual(
    expect.stringMatching(/^dhcp.offer .*offered http:\/\/10\.77\.0\.1:8080\/boot\/snponly\.efi, no address/),
  );
  expect(await lab.inside('curl', '-sS', '--fail', `http://${status.currentAddress}/`)).toBe('web on n1\n');
  await lab.powerOff(machine);
});

test('with Secure Boot on, PXE and HTTP Boot refuse the loader, and each has a named diagnosis', async () => {
  const pxe = lab.powerOn(2, 'secureboot');
  const http = lab.powerOn(3, 'secureboot', NO_PXE);
  const [byPxe, byHttp] = await Promise.all([stalls(pxe), stalls(http)]);

  expect(byPxe.boot).toMatchObject({ outcome: 'stalled', stage: 'loader', diagnosis: { name: 'secure-boot-proxy' } });
  expect(await steps(byPxe)).toContainEqual(expect.stringMatching(/^tftp.sent sent snponly\.efi/));
  expect(lab.console(pxe)).toMatch(/Access Denied/);

  expect(byHttp.boot).toMatchObject({ outcome: 'stalled', stage: 'loader', diagnosis: { name: 'secure-boot-http' } });
  expect(await steps(byHttp)).toContainEqual(expect.stringMatching(/^boot.stalled .*no http module/));
  expect(lab.console(http)).toMatch(/Access Denied/);
  // Nothing of ours has gone on behind the firmware's back.
  expect([...(await lab.leases()).keys()]).toEqual([]);
});
