import type { Ipv4 } from './ipv4.js';
import type { Mac } from './mac.js';

export type SystemKind = 'chroot' | 'container' | 'vm';
export type RestartPolicy = 'always' | 'on-failure' | 'never';

/** A virtual system run on a machine: a root file system template plus a layer of its own (docs/systems.md). */
export interface System {
  readonly name: string;
  readonly kind: SystemKind;
  /** Image reference of the template: `base` or `base:1`. Absent only for a VM with a disk of its own or one that netboots. */
  readonly image?: string;
  /** Image reference of a root file system that lies over the template. */
  readonly layer?: string;
  /** VM only: image reference of a disk, which the VM boots by itself; what it writes goes into a layer over it. */
  readonly disk?: string;
  /** VM only, with `image`: the kernel image it is started with; absent = `kernel`, the shared one. */
  readonly kernel?: string;
  /** Program and arguments; no shell is involved. Empty only for a VM without `image`. */
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Absolute path inside the system -> Handlebars text. */
  readonly files: Readonly<Record<string, string>>;
  /** Bytes; undefined = no limit. For a VM its RAM. */
  readonly memoryBytes?: number;
  /** Processors, may be fractional; undefined = no limit. */
  readonly cpus?: number;
  readonly storage: SystemStorage;
  /** Absent: `host`, for a VM `nat` without ports. */
  readonly network?: SystemNetwork;
  readonly restart: RestartPolicy;
  /** Systems of the same role that must run before this one starts. */
  readonly after?: readonly string[];
  readonly health?: HealthCheck;
}

/**
 * Where a system writes. `ram`: lost at its next start from nothing; bounded by its memory limit, or by half of the machine's RAM.
 * `ramBytes`: bounded by that. A label: kept on the partition of that label, in a file system of its own when it has a size.
 */
export type SystemStorage = 'ram' | { readonly ramBytes: number } | LabelStorage;

export interface LabelStorage {
  readonly label: string;
  /** Relative to the root of the partition. */
  readonly path: string;
  /** Bytes; absent: as much as the partition has. */
  readonly sizeBytes?: number;
}

/** The bridge and the NAT go over the card that the machine booted from. */
export const BOOT_CARD = 'boot';

export type SystemNetwork =
  /** The machine's own: one address for both. */
  | 'host'
  /** A card of its own beside the machine's, with a MAC of its own (`mac`, else systemMac); without an address it asks by DHCP. */
  | { readonly bridge: typeof BOOT_CARD; readonly mac?: Mac; readonly address?: Ipv4 }
  /** A private network behind the machine's address, which forwards these ports. */
  | { readonly nat: typeof BOOT_CARD; readonly ports: readonly PortForward[] };

export interface PortForward {
  readonly protocol: 'tcp' | 'udp';
  /** Of the machine. */
  readonly from: number;
  /** Of the system. */
  readonly to: number;
}

/** What decides that a system runs: the first success makes it `running`, `retries` failures in a row end it as failed. */
export interface HealthCheck {
  readonly check:
    | { readonly command: readonly string[] }
    /** 2xx and 3xx are healthy. */
    | { readonly http: { readonly port: number; readonly path: string } }
    | { readonly tcp: number };
  readonly intervalSeconds: number;
  readonly timeoutSeconds: number;
  readonly retries: number;
}

/** The network a system has when its definition names none. */
export function networkOf({ kind, network }: Pick<System, 'kind' | 'network'>): SystemNetwork {
  return network ?? (kind === 'vm' ? { nat: BOOT_CARD, ports: [] } : 'host');
}

export const SYSTEM_NETWORKS = ['host', 'bridge', 'nat'] as const;
export type SystemNetworkKind = (typeof SYSTEM_NETWORKS)[number];

export function networkKind(network: SystemNetwork): SystemNetworkKind {
  if (network === 'host') return 'host';
  return 'bridge' in network ? 'bridge' : 'nat';
}

export const SYSTEM_STORAGES = ['ram', 'ram-size', 'label'] as const;
export type SystemStorageKind = (typeof SYSTEM_STORAGES)[number];

export function storageKind(storage: SystemStorage): SystemStorageKind {
  if (storage === 'ram') return 'ram';
  return 'label' in storage ? 'label' : 'ram-size';
}

/** What a machine reports of a system. `unknown` is derived: its machine is lost. */
export type SystemState = 'starting' | 'running' | 'paused' | 'stopped' | 'failed' | 'handed-over' | 'unknown';
export const REPORTED_SYSTEM_STATES = ['starting', 'running', 'paused', 'stopped', 'failed', 'handed-over'] as const;
