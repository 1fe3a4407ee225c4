import type { Ipv4 } from '../domain/ipv4.js';
import type { Mac } from '../domain/mac.js';
import { WideMap } from '../domain/wide-map.js';

const NONE: readonly Ipv4[] = [];

/** Which addresses belong to which network card. Nearly all have one: that costs no list of its own to speak of. */
export class AddressesByMac {
  readonly #index = new WideMap<Mac, readonly Ipv4[]>();

  /** Not changed by what comes later. */
  of(mac: Mac): readonly Ipv4[] {
    return this.#index.get(mac) ?? NONE;
  }

  add(mac: Mac, address: Ipv4): void {
    const before = this.#index.get(mac);
    if (before === undefined) this.#index.set(mac, [address]);
    else if (!before.includes(address)) this.#index.set(mac, [...before, address]);
  }

  remove(mac: Mac, address: Ipv4): void {
    const before = this.#index.get(mac);
    if (before === undefined || !before.includes(address)) return;
    if (before.length === 1) this.#index.delete(mac);
    else
      this.#index.set(
        mac,
        before.filter((other) => other !== address),
      );
  }
}
