import type { ControlDoor } from './control-door.js';
import type { BootFiles, DhcpOptionWords } from './dhcp-options.js';
import type { Ipv4 } from './ipv4.js';
import type { Mac } from './mac.js';
import type { Loader } from './role.js';
import type { SystemState } from './system.js';

/** A computer that netboots: the desired state, as the operator wrote it. */
export interface Machine {
  readonly name: string;
  /** The first is the one shown. None only when UUID, client id or relay tells the machine. */
  readonly macs: readonly Mac[];
  /** SMBIOS UUID, lower case. */
  readonly uuid?: string;
  readonly serial?: string;
  /** DHCP option 61, as written (domain/opaque-id.ts). */
  readonly clientId?: string;
  /** The port it is plugged into, as its relay names it in option 82; such a machine is told by that alone. */
  readonly relay?: RelayPort;
  /** Reserved address. */
  readonly address?: Ipv4;
  readonly role?: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly loader?: Loader;
  readonly options?: DhcpOptionWords;
  readonly bootFiles?: BootFiles;
  /** Label -> device (`/dev/…`) that may be formatted with it when it is empty; for systems with `storage: {label}`. */
  readonly disks?: Readonly<Record<string, string>>;
  /** Never written, added by state/standing.ts: the machine whose role it holds, with that machine's reserved address. */
  readonly standsFor?: StandsFor;
  /** The same: it has no role now and waits for this one. */
  readonly standby?: string;
}

/** The identity that follows a role to a spare: systems, their MACs and their files are those of this machine. */
export interface StandsFor {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly address?: Ipv4;
}

/** Sub-options 1 and 2 of DHCP option 82, as written (domain/opaque-id.ts); at least one. */
export interface RelayPort {
  readonly circuitId?: string;
  readonly remoteId?: string;
}

export type MachineStatus = 'discovered' | 'waiting' | 'approved' | 'booting' | 'up' | 'lost' | 'unmanaged' | 'off';

export interface ObservedSystem {
  readonly name: string;
  readonly state: SystemState;
  readonly restarts: number;
  /** The last line that says why, for `failed` and restarts. */
  readonly message?: string;
  /** Of the definition that it was composed from: `DEFINITION.IMAGES.LIMITS` (docs/control.md), from its last heartbeat. */
  readonly digest?: string;
}

/** What of a machine differs from what it shall be. */
export const DRIFTS = [
  'plan',
  'profile',
  'mode',
  'kernel',
  'live-os',
  'arguments',
  'missing',
  'extra',
  'definition',
  'limits',
  'image',
  'left-out',
  'stopped',
  'paused',
  'failed',
  'off',
  'lost',
] as const;

/** What ends a difference: the machine's next heartbeats, a reboot, a job of somebody, or the machine's return. */
export const DRIFT_ENDS = ['live', 'reboot', 'job', 'wait'] as const;

/** One difference between what a machine shall be and what it is. */
export interface Drift {
  readonly what: (typeof DRIFTS)[number];
  /** Absent: the machine itself. */
  readonly system?: string;
  readonly reason: string;
  readonly ends: (typeof DRIFT_ENDS)[number];
  readonly remedy: string;
}

/**
 * How a proxy names the boot file to a PXE ROM. `first-offer`: everything in the first offer, with discovery control (option 43);
 * `second-leg`: no option 43, and the ROM asks again on UDP 4011. ADR 5 says why there are two.
 */
export type ProxyStyle = 'first-offer' | 'second-leg';

/**
 * What a machine showed of itself; kept across restarts of the server. Known machines are keyed by name, unknown ones by
 * their MAC (`key`), so that approval carries it over.
 */
export interface Observed {
  /** Machine name, or MAC of a machine that is only discovered. */
  readonly key: string;
  readonly mac: Mac;
  /** Names of machines that were approved from discovery keep it. */
  readonly approvedAt?: number;
  readonly waiting: boolean;
  readonly firstSeenAt: number;
  readonly lastSeenAt: number;
  readonly uuid?: string;
  /** DHCP option 93. */
  readonly arch?: number;
  /** From efivarfs, reported by stage 1. `none` = BIOS. Forgotten when a loader is fetched with no next step. */
  readonly secureBoot?: 'on' | 'off' | 'none';
  /** Proxy mode: the style that is offered next; absent = the usual one of its firmware. */
  readonly proxyStyle?: ProxyStyle;
  /** A loader was fetched after an offer of this style. */
  readonly proxyStyleProven?: boolean;
  readonly inventory?: Readonly<Record<string, string>>;
  readonly systems: readonly ObservedSystem[];
  /** Systems of its role that somebody left out at the boot prompt, from its last heartbeat. */
  readonly leftOut?: readonly string[];
  /** Set by the first report of the live OS, cleared when a new boot session opens. */
  readonly upSince?: number;
  readonly heartbeatAt?: number;
  /** Where its live OS takes jobs; absent: none has registered in this boot. */
  readonly control?: ControlDoor;
  /** The machine was handed to its single system or to its own disk: no more reports are expected. */
  readonly unmanaged: boolean;
}
