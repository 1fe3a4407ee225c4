import { readFileSync } from 'node:fs';
import { formatIpv4, type Ipv4 } from '../domain/ipv4.js';
import { type Mac, parseMac } from '../domain/mac.js';

/** ATF_COM of linux/if_arp.h: the entry is complete. */
const COMPLETE = 0x2;

/**
 * The MAC that has this address, by the kernel's neighbour table (/proc/net/arp). A machine that talks to us over TCP is in it,
 * unless it is behind a router. Undefined = the kernel does not know.
 */
export function neighbourOf(address: Ipv4, table = readFileSync('/proc/net/arp', 'latin1')): Mac | undefined {
  const wanted = `${formatIpv4(address)} `;
  for (const line of table.split('\n')) {
    if (!line.startsWith(wanted)) continue;
    const [, , flags = '0', mac = ''] = line.split(/\s+/);
    if ((Number(flags) & COMPLETE) !== 0 && /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/i.test(mac)) return parseMac(mac);
  }
  return undefined;
}
