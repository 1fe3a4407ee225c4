import { invalid } from './errors.js';
import { hexOf } from './hex.js';
import { TextMemo } from './text-memo.js';

/** An Ethernet address in lower case with colons, `52:54:00:00:00:01`. Made by parseMac or macFromBytes only. */
export type Mac = string & { readonly __brand: 'Mac' };

const PAIRS = /^[0-9a-f]{2}([:-]?[0-9a-f]{2}){5}$/;

/** Reads `52:54:00:..`, `52-54-00-..` or `525400..` in any case. Throws `invalid` (field: the caller's). */
export function parseMac(text: string, field = 'mac'): Mac {
  const lower = text.trim().toLowerCase();
  if (!PAIRS.test(lower)) {
    throw invalid(`"${text}" is not a MAC address`, {
      field,
      remedy: 'write six pairs of hex digits, e.g. 52:54:00:00:00:01',
    });
  }
  const hex = lower.replace(/[:-]/g, '');
  return (hex.match(/../g) ?? []).join(':') as Mac;
}

export function macFromBytes(bytes: Uint8Array): Mac | undefined {
  if (bytes.length < 6) return undefined;
  return LAST_MACS.of(bytes.length === 6 ? bytes : bytes.subarray(0, 6));
}

/** Of a storm, those whose next packet is near. */
const LAST_MACS = new TextMemo(256, (bytes) => hexOf(bytes, ':') as Mac);

export function macToBytes(mac: Mac): Uint8Array {
  return Uint8Array.from(mac.split(':'), (pair) => Number.parseInt(pair, 16));
}

/** `52-54-00-00-00-01`: the form in URLs, file names and BOOTIF (pxelinux adds the hardware type `01-` in front). */
export function macDashed(mac: Mac): string {
  return mac.replaceAll(':', '-');
}
