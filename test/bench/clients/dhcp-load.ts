import { benchMac } from './dhcp-words.js';
import { loadOptions, percentile, result, rounded } from './options.js';
import { Relay } from './relay.js';

// Closed loop: so many exchanges (DISCOVER, OFFER, REQUEST, ACK) are under way all the time, for some seconds.

const given = loadOptions({
  server: '10.98.0.1',
  relays: '10.64.0.1',
  machines: '4000',
  together: '64',
  seconds: '3',
  'mac-base': String(0x10000000),
});
const relays = await Promise.all(given.relays.split(',').map((address) => Relay.open(address, given.server)));
const machines = Number(given.machines);
const base = Number(given['mac-base']);
const until = performance.now() + 1000 * Number(given.seconds);
const times: number[] = [];
let next = 0;
let failed = 0;

async function loop(): Promise<void> {
  while (performance.now() < until) {
    const index = next++ % machines;
    const relay = relays[index % relays.length];
    const lease = await relay?.lease(benchMac(base + index), 'uefi');
    if (lease === undefined) failed += 1;
    else times.push(lease.offerMs + lease.ackMs);
  }
}

const begun = performance.now();
await Promise.all(Array.from({ length: Number(given.together) }, loop));
const seconds = (performance.now() - begun) / 1000;
result({
  rate: rounded(times.length / seconds, 0),
  p50: rounded(percentile(times, 50)),
  p99: rounded(percentile(times, 99)),
  failed,
  count: times.length,
  resent: relays.reduce((sum, relay) => sum + relay.resent, 0),
});
for (const relay of relays) relay.close();
