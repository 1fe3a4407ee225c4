import { expect } from 'vitest';
import { WireError } from '../../server/wire/wire-error.js';

/** encode → decode gives the value back, and encoding that again gives the same bytes. Returns the bytes. */
export function expectRoundTrip<T>(
  value: T,
  encode: (value: T) => Uint8Array,
  decode: (bytes: Uint8Array) => T,
): Uint8Array {
  const bytes = encode(value);
  const back = decode(bytes);
  expect(back).toEqual(value);
  expect(encode(back)).toEqual(bytes);
  return bytes;
}

/** Decodes every beginning of `bytes`; only WireError may come out. Returns how many lengths were accepted. */
export function cutAtEveryLength(bytes: Uint8Array, decode: (bytes: Uint8Array) => unknown): number {
  let accepted = 0;
  for (let length = 0; length < bytes.length; length++) if (survives(bytes.subarray(0, length), decode)) accepted++;
  return accepted;
}

/** True = decoded, false = WireError; anything else is thrown on. */
export function survives(bytes: Uint8Array, decode: (bytes: Uint8Array) => unknown): boolean {
  try {
    decode(bytes);
    return true;
  } catch (error) {
    if (error instanceof WireError) return false;
    throw error;
  }
}
