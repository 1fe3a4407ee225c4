import type { SubOptions } from './sub-options.js';

/** PXE 2.1, table 2-1, tag 6: bit 3 = do not search boot servers, take the file that this offer names. */
const DISCOVERY_CONTROL = 6;
const USE_FILE_OF_OFFER = 8;
/** PXE 2.1, table 2-1, tag 71: which entry of a boot menu, and which layer of it. */
const BOOT_ITEM = 71;

/** Option 43 of an offer that says everything at once. */
export function proxyDiscoveryControl(): SubOptions {
  return new Map([[DISCOVERY_CONTROL, Uint8Array.of(USE_FILE_OF_OFFER)]]);
}

/** What a boot server repeats in its ACK of a request for one item: ROMs drop an ACK without it. Undefined = none was asked for. */
export function bootItemEcho(asked: SubOptions | undefined): SubOptions | undefined {
  const item = asked?.get(BOOT_ITEM);
  return item === undefined ? undefined : new Map([[BOOT_ITEM, item]]);
}
