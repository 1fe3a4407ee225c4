import type { BootSession } from '../domain/boot-session.js';

/** A ROM that is iPXE itself cannot be told from a chainloaded one; this much silence means it was switched on again. */
const IPXE_SILENCE_MS = 60_000;

/**
 * Whether a DISCOVER is a new power-on (docs/booting.md: "boot session"). Firmware without iPXE marks: when no session is open, or the
 * open one has already fetched its script. iPXE: when none is open, after a claim, or after 60 s of silence. An OS: never.
 */
export function opensSession(
  client: 'pxe' | 'http' | 'ipxe' | 'os' | 'bootp',
  session: BootSession | undefined,
  now: number,
): boolean {
  const open = session !== undefined && session.closedAt === undefined;
  switch (client) {
    case 'pxe':
    case 'http':
      return !open || session.scriptFetchedAt !== undefined;
    case 'ipxe':
      return session === undefined || session.claimedAt !== undefined || now - session.lastStepAt >= IPXE_SILENCE_MS;
    case 'os':
    case 'bootp':
      return false;
  }
}
