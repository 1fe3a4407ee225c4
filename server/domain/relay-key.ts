import type { RelayPort } from './machine.js';
import { opaqueHex } from './opaque-id.js';

/** One text for one port: `circuit/remote` in hex, either may be empty. Undefined when neither is there. */
export function relayKey({ circuitId, remoteId }: RelayPort): string | undefined {
  if (circuitId === undefined && remoteId === undefined) return undefined;
  return portKey(circuitId && opaqueHex(circuitId), remoteId && opaqueHex(remoteId));
}

export function portKey(circuitHex: string | undefined, remoteHex: string | undefined): string {
  return `${circuitHex ?? ''}/${remoteHex ?? ''}`;
}
