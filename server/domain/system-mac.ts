import { type Mac, macFromBytes } from './mac.js';

// FNV-1a, 64 bits (draft-eastlake-fnv): domain imports no hash, and the MAC needs no secret, only spread.
const OFFSET = 0xcbf29ce484222325n;
const PRIME = 0x100000001b3n;
const MASK = 0xffffffffffffffffn;

/**
 * The MAC of a system on a machine, the same at every boot: `02` (locally administered, unicast: IEEE 802, U/L bit), then the lowest
 * 40 bits of the FNV-1a hash of `MACHINE/SYSTEM`. Names hold no slash, so two pairs never hash the same text.
 */
export function systemMac(machine: string, system: string): Mac {
  let hash = OFFSET;
  for (const byte of new TextEncoder().encode(`${machine}/${system}`)) hash = ((hash ^ BigInt(byte)) * PRIME) & MASK;
  // The high bits are the better mixed ones of FNV: folded onto those that are kept.
  hash ^= hash >> 40n;
  const bytes = [0x02, ...[32n, 24n, 16n, 8n, 0n].map((shift) => Number((hash >> shift) & 0xffn))];
  const mac = macFromBytes(Uint8Array.from(bytes));
  if (mac === undefined) throw new RangeError('six bytes are a MAC');
  return mac;
}
