import type { BootSession } from '../domain/boot-session.js';
import type { MachineStatus, Observed } from '../domain/machine.js';

/** A live OS reports every 10 s; after three missing heartbeats the machine is lost (docs/booting.md, 8). */
export const HEARTBEAT_SECONDS = 10;
const LOST_AFTER_MS = 3 * HEARTBEAT_SECONDS * 1000 + 2000;

export interface StatusInput {
  readonly known: boolean;
  readonly observed: Observed | undefined;
  readonly session: BootSession | undefined;
  /** Epoch ms. */
  readonly now: number;
  /** Silence counts only while the server itself was up. */
  readonly serverStartedAt: number;
}

/** One word for what the machine is doing; derived, never stored. */
export function machineStatus({ known, observed, session, now, serverStartedAt }: StatusInput): MachineStatus {
  const open = session !== undefined && session.closedAt === undefined;
  if (!known) return observed?.waiting === true ? 'waiting' : 'discovered';
  const heard = observed?.upSince === undefined ? undefined : (observed.heartbeatAt ?? observed.upSince);
  // A live OS that was heard after the newest session opened is up, whatever asked DHCP with its MAC since.
  if (heard !== undefined && (session === undefined || heard >= session.openedAt)) {
    if (now - Math.max(heard, serverStartedAt) > LOST_AFTER_MS) return 'lost';
    const starting = open && session.claimedAt !== undefined && session.outcome === 'running';
    return starting ? 'booting' : 'up';
  }
  if (open) return 'booting';
  if (observed?.unmanaged === true) return 'unmanaged';
  if (observed?.approvedAt !== undefined && (session === undefined || session.openedAt < observed.approvedAt))
    return 'approved';
  return 'off';
}
