import type { Ipv4 } from '../domain/ipv4.js';
import type { Mac } from '../domain/mac.js';

const NONE: readonly Ipv4[] = [];
const PART_BITS = 8;
/** Places of a part in the beginning; a power of two, as later. */
const PLACES = 16;
const FREE = -1;

/**
 * Which addresses belong to which network card: pairs in arrays of numbers, which cost a collection of young objects nothing. 256 small
 * tables, each of which is made anew by itself when it is three quarters full, so that no packet waits for all of them.
 */
export class AddressesByMac {
  readonly #parts: readonly Part[] = Array.from({ length: 2 ** PART_BITS }, () => new Part());
  /** Of the last MAC that was looked for. */
  #number = 0;
  #hash = 0;

  /** Not changed by what comes later. */
  of(mac: Mac): readonly Ipv4[] {
    return this.#partOf(mac).of(this.#number, this.#hash);
  }

  /** Twice is once. */
  add(mac: Mac, address: Ipv4): void {
    this.#partOf(mac).add(this.#number, this.#hash, address);
  }

  remove(mac: Mac, address: Ipv4): void {
    this.#partOf(mac).remove(this.#number, this.#hash, address);
  }

  #partOf(mac: Mac): Part {
    const upper = (byte(mac, 0) << 16) | (byte(mac, 3) << 8) | byte(mac, 6);
    const lower = (byte(mac, 9) << 16) | (byte(mac, 12) << 8) | byte(mac, 15);
    this.#number = upper * 0x1000000 + lower;
    this.#hash = hashOf(upper, lower);
    const part = this.#parts[this.#hash & (2 ** PART_BITS - 1)];
    if (part === undefined) throw new RangeError('no such part');
    return part;
  }
}

/** A table with linear probing: MAC and address at one place each; a MAC with two addresses has two places. */
class Part {
  #macs = new Float64Array(PLACES).fill(FREE);
  #addresses = new Uint32Array(PLACES);
  #count = 0;

  of(mac: number, hash: number): readonly Ipv4[] {
    let found: Ipv4[] | undefined;
    for (let at = this.#start(hash); this.#macs[at] !== FREE; at = this.#after(at)) {
      if (this.#macs[at] !== mac) continue;
      const address = this.#addresses[at] as Ipv4;
      if (found === undefined) found = [address];
      else found.push(address);
    }
    return found ?? NONE;
  }

  add(mac: number, hash: number, address: Ipv4): void {
    let at = this.#start(hash);
    for (; this.#macs[at] !== FREE; at = this.#after(at))
      if (this.#macs[at] === mac && this.#addresses[at] === address) return;
    this.#macs[at] = mac;
    this.#addresses[at] = address;
    this.#count++;
    if (this.#count * 4 > this.#macs.length * 3) this.#widen();
  }

  remove(mac: number, hash: number, address: Ipv4): void {
    let at = this.#start(hash);
    for (; this.#macs[at] !== FREE; at = this.#after(at)) {
      if (this.#macs[at] === mac && this.#addresses[at] === address) break;
    }
    if (this.#macs[at] === FREE) return;
    this.#count--;
    // What follows without a gap may have come here only because this place was taken: it moves up.
    for (let next = this.#after(at); this.#macs[next] !== FREE; next = this.#after(next)) {
      const start = this.#start(hashOfNumber(this.#macs[next] ?? 0));
      if (((next - start) & this.#mask) < ((next - at) & this.#mask)) continue;
      this.#macs[at] = this.#macs[next] ?? FREE;
      this.#addresses[at] = this.#addresses[next] ?? 0;
      at = next;
    }
    this.#macs[at] = FREE;
  }

  get #mask(): number {
    return this.#macs.length - 1;
  }

  #start(hash: number): number {
    return (hash >>> PART_BITS) & this.#mask;
  }

  #after(at: number): number {
    return (at + 1) & this.#mask;
  }

  #widen(): void {
    const macs = this.#macs;
    const addresses = this.#addresses;
    this.#macs = new Float64Array(macs.length * 2).fill(FREE);
    this.#addresses = new Uint32Array(macs.length * 2);
    this.#count = 0;
    macs.forEach((mac, at) => {
      if (mac !== FREE) this.add(mac, hashOfNumber(mac), addresses[at] as Ipv4);
    });
  }
}

function hashOfNumber(mac: number): number {
  const upper = Math.floor(mac / 0x1000000);
  return hashOf(upper, mac - upper * 0x1000000);
}

/** Odd, and others in each process: who makes up MACs cannot make up such that fall on one place, where each would be looked at. */
const [UPPER = 1, LOWER = 1] = crypto.getRandomValues(new Uint32Array(2)).map((number) => number | 1);

/** Of a storm only the lower half differs, and often in steps of a power of two: mixed well. */
function hashOf(upper: number, lower: number): number {
  let hash = (Math.imul(upper, UPPER) + Math.imul(lower, LOWER)) | 0;
  hash = Math.imul(hash ^ (hash >>> 15), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** Two hex digits of `52:54:00:00:00:01`, in lower case (domain/mac.ts). */
function byte(mac: Mac, at: number): number {
  return (digit(mac, at) << 4) | digit(mac, at + 1);
}

function digit(mac: Mac, at: number): number {
  const code = mac.charCodeAt(at);
  return code < 0x3a ? code - 0x30 : code - 0x57;
}
