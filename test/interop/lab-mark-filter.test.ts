import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Lab } from '../../server/lab/lab.js';
import { labMachines } from '../../server/lab/site.js';
import { markFilterArguments, startMarkFilter } from '../support/lab-mark-filter.js';

let temporary: string;
let lab: Lab;

beforeAll(() => {
  temporary = mkdtempSync(`${tmpdir()}/la-`);
  lab = Lab.open({ namespace: 'la-filter', folder: `${temporary}/lab`, program: '', accelerator: 'tcg', config: '' });
});

afterAll(async () => {
  await lab.close();
  rmSync(temporary, { recursive: true });
});

/** dnsmasq as the judge: it tells by the same options whether a client is iPXE. */
test('the ROM shows no marks, undionly does', { timeout: 120_000 }, async () => {
  const log = `${temporary}/dnsmasq.log`;
  lab.startInside(
    'dnsmasq',
    [
      ...['--no-daemon', '--conf-file=/dev/null', '--port=0', '--interface=br0', '--bind-interfaces', '--log-dhcp'],
      ...['--dhcp-range=10.77.0.100,10.77.0.120', `--dhcp-leasefile=${temporary}/leases`, '--user=root'],
      ...['--enable-tftp', '--tftp-root=/usr/lib/ipxe', '--dhcp-match=set:ipxe,175', '--dhcp-userclass=set:class,iPXE'],
      ...['--dhcp-boot=tag:!ipxe,tag:!class,undionly.kpxe', '--dhcp-boot=tag:ipxe,tag:class,the-script'],
    ],
    log,
  );
  for (const machine of labMachines(1, ['bios'], lab.folder.machines)) {
    lab.startMachine(machine, markFilterArguments(lab.folder.machines));
  }
  const filter = await startMarkFilter(lab.folder.machines, AbortSignal.timeout(10_000));
  await expect
    .poll(() => readFileSync(log, 'utf8'), { timeout: 90_000, interval: 250 })
    .toMatch(/sent .*undionly\.kpxe[\s\S]*tags: .*class[\s\S]*the-script not found/);
  filter.close();
  // DISCOVER and REQUEST of the ROM at least.
  expect(filter.stripped()).toBeGreaterThanOrEqual(2);
});
