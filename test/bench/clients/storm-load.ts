import { addressText, benchMac } from './dhcp-words.js';
import { fetchHttp } from './http-fetch.js';
import { loadOptions, percentile, result, rounded } from './options.js';
import { Relay } from './relay.js';
import { fetchTftp } from './tftp-fetch.js';

// A rack is switched on: every machine does its whole boot, from its own address. DHCP as PXE ROM, loader by TFTP, DHCP as iPXE,
// script, kernel and initrd as the script names them, the root file system, DHCP as the OS.

const given = loadOptions({
  server: '10.98.0.1',
  relays: '10.64.0.1',
  machines: '200',
  /** Seconds over which they are switched on. */
  ramp: '1',
  rootfs: '',
  'mac-base': String(0x20000000),
});
const machines = Number(given.machines);
const relays = await Promise.all(given.relays.split(',').map((address) => Relay.open(address, given.server)));
const times: number[] = [];
const reasons = new Map<string, number>();
let bytes = 0;

async function boot(index: number): Promise<void> {
  const relay = relays[index % relays.length];
  const mac = benchMac(Number(given['mac-base']) + index);
  const dhcp = async (kind: 'uefi' | 'ipxe' | 'os') => {
    const lease = await relay?.lease(mac, kind);
    if (lease === undefined) throw new Error(`DHCP as ${kind}: no lease`);
    return lease.ack;
  };
  const rom = await dhcp('uefi');
  const local = addressText(rom.address);
  const server = addressText(rom.nextServer);
  bytes += await fetchTftp({ server, port: 69, file: rom.bootFile, blksize: 1456, local });
  const ipxe = await dhcp('ipxe');
  const script = await fetchHttp(ipxe.bootFile, local, true);
  for (const word of ['kernel', 'initrd']) {
    const url = new RegExp(`^${word} (http://\\S+)`, 'm').exec(script.text)?.[1];
    if (url === undefined) throw new Error(`the script has no line "${word} http://"`);
    bytes += (await fetchHttp(url, local)).bytes;
  }
  if (given.rootfs !== '') bytes += (await fetchHttp(given.rootfs, local)).bytes;
  await dhcp('os');
}

const begun = performance.now();
await Promise.all(
  Array.from({ length: machines }, async (_, index) => {
    await new Promise((resolve) => setTimeout(resolve, (1000 * Number(given.ramp) * index) / machines));
    const on = performance.now();
    try {
      await boot(index);
      times.push(performance.now() - on);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
    }
  }),
);
const seconds = (performance.now() - begun) / 1000;
result({
  last: rounded(seconds, 2),
  p50: rounded(percentile(times, 50), 0),
  p99: rounded(percentile(times, 99), 0),
  failed: machines - times.length,
  bytes,
  reasons: [...reasons].map(([reason, count]) => `${count} x ${reason}`).join('; '),
});
for (const relay of relays) relay.close();
