import type { DhcpBoot } from '../boot/contract.js';
import type { DhcpMode, ServerIdentity, Subnet } from '../domain/site.js';
import type { LeaseBook } from '../state/leases.js';
import type { DhcpMetrics } from './dhcp-metrics.js';
import type { DhcpSite } from './links-needed.js';
import type { PacketGuard } from './packet-guard.js';
import type { OpenSecondLeg } from './second-leg.js';
import type { OpenDhcpLink } from './socket.js';
import type { WireWatch } from './wire-watch.js';

/** The part of a pino logger that is used. */
export interface DhcpLog {
  info(data: object, message: string): void;
  warn(data: object, message: string): void;
  error(data: object, message: string): void;
}

export interface DhcpServerOptions {
  readonly interfaces: readonly string[];
  readonly subnets: readonly Subnet[];
  /** For packets from outside of all subnets; default `full`: each has its reason in the events. */
  readonly mode?: DhcpMode;
  readonly identity: ServerIdentity;
  readonly boot: DhcpBoot;
  readonly leases: LeaseBook;
  /** Epoch milliseconds. */
  readonly clock: () => number;
  readonly log: DhcpLog;
  /** How an interface is opened; tests without root give their own. */
  readonly openLink?: OpenDhcpLink;
  readonly openSecondLeg?: OpenSecondLeg;
  /** Told of every packet, for what it says about the network. */
  readonly watch?: Pick<WireWatch, 'heard' | 'start' | 'stop'>;
  /** Asked before a packet is read; told of those that cannot be read. */
  readonly guard?: Pick<PacketGuard, 'admits' | 'admitsDecline' | 'malformed'>;
  readonly metrics?: Pick<DhcpMetrics, 'count' | 'took'>;
}

/** How often each end of an exchange was reached, since the start. */
export interface DhcpCounts {
  received: number;
  replied: number;
  ignored: number;
  malformed: number;
  failed: number;
}

export interface DhcpServer {
  readonly counts: Readonly<DhcpCounts>;
  /** Rejects with `unavailable` when an interface cannot be opened; then none is left open. */
  start(): Promise<void>;
  /**
   * Other subnets and modes from the next packet on; answers under way are finished as they were decided. Sockets are opened and
   * closed as needed. `atOnce` runs between the same two packets. Rejects with `unavailable` when one cannot be opened; then
   * nothing has changed.
   */
  configure(site: DhcpSite, atOnce?: () => void): Promise<void>;
  /** Stops listening and waits for the answers that are on their way. */
  close(): Promise<void>;
}
