import { type Cidr, formatCidr, formatIpv4, type Ipv4, ipv4FromOctets, netmask } from '../../domain/ipv4.js';
import { Reader } from '../reader.js';
import { WireError } from '../wire-error.js';
import { Writer } from '../writer.js';

/** One classless static route; the destination 0.0.0.0/0 is the default route. Router 0.0.0.0 = on the wire itself. */
export interface Route {
  readonly to: Cidr;
  readonly via: Ipv4;
}

const LARGEST = 0xffff;

/**
 * Option 121 (RFC 3442): for each route the prefix length, as many bytes of the destination as the prefix needs, the router.
 *
 *   | 24 | 10 20 30 | 10 77 0 1 |
 */
export function readRoutes(bytes: Uint8Array, field: string): readonly Route[] {
  const reader = new Reader(bytes);
  const routes: Route[] = [];
  while (reader.remaining > 0) {
    const prefix = reader.u8(field);
    if (prefix > 32) throw new WireError(field, `a prefix of ${prefix} bits is over 32`);
    const significant = ipv4FromOctets(reader.bytes(Math.ceil(prefix / 8), field));
    routes.push({
      to: { network: ((significant & netmask(prefix)) >>> 0) as Ipv4, prefix },
      via: reader.u32(field) as Ipv4,
    });
  }
  return routes;
}

export function writeRoutes(routes: readonly Route[], field: string): Uint8Array {
  const writer = new Writer(LARGEST);
  for (const { to, via } of routes) {
    writer.u8(to.prefix, field);
    for (let byte = 0; byte < Math.ceil(to.prefix / 8); byte++)
      writer.u8((to.network >>> (24 - 8 * byte)) & 255, field);
    writer.u32(via, field);
  }
  return writer.finish();
}

/** `10.20.30.0/24 via 10.77.0.1`, `default via 10.77.0.1`. */
export function formatRoute({ to, via }: Route): string {
  return `${to.prefix === 0 ? 'default' : formatCidr(to)} via ${formatIpv4(via)}`;
}
