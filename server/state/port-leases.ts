import type { Ipv4 } from '../domain/ipv4.js';

const NONE: ReadonlySet<Ipv4> = new Set();

/** Which addresses machines behind one port of a relay have: in memory only, and only for subnets that limit them. */
export class PortLeases {
  readonly #byPort = new Map<string, Set<Ipv4>>();
  readonly #portOf = new Map<Ipv4, string>();

  at(port: string): ReadonlySet<Ipv4> {
    return this.#byPort.get(port) ?? NONE;
  }

  took(port: string, address: Ipv4): void {
    this.left(address);
    const its = this.#byPort.get(port);
    if (its === undefined) this.#byPort.set(port, new Set([address]));
    else its.add(address);
    this.#portOf.set(address, port);
  }

  left(address: Ipv4): void {
    const port = this.#portOf.get(address);
    if (port === undefined) return;
    this.#portOf.delete(address);
    const its = this.#byPort.get(port);
    its?.delete(address);
    if (its?.size === 0) this.#byPort.delete(port);
  }
}
