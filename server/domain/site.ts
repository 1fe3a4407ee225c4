import type { BootFiles, DhcpOptionWords } from './dhcp-options.js';
import type { AddressRange, Cidr, Ipv4 } from './ipv4.js';

/** How DHCP behaves on a subnet. `proxy` adds boot information beside the site's own server; `observe` only listens. */
export type DhcpMode = 'full' | 'proxy' | 'observe' | 'off';
export const DHCP_MODES = ['full', 'proxy', 'observe', 'off'] as const;

/** Dynamic addresses, for every machine or for one kind only. */
export interface Pool extends AddressRange {
  readonly for?: 'known' | 'unknown';
}

export interface Subnet {
  readonly cidr: Cidr;
  readonly mode: DhcpMode;
  /** No pool: reservations only. */
  readonly pools: readonly Pool[];
  /** Never given from a pool. */
  readonly exclude?: readonly AddressRange[];
  readonly router?: Ipv4;
  readonly dns: readonly Ipv4[];
  readonly domain?: string;
  readonly leaseSeconds: number;
  readonly options?: DhcpOptionWords;
  readonly bootFiles?: BootFiles;
  /** How long to ask the wire whether a new address is in use before it is offered; absent: not at all. */
  readonly probeMs?: number;
  readonly loader?: 'auto' | 'snponly' | 'ipxe' | 'shim';
  /** Machines that load something large at once; absent: `downloads.perSubnet`. */
  readonly downloads?: number;
}

/** What an unknown machine gets (governs boot information only). */
export type UnknownPolicy =
  | { readonly kind: 'localdisk' }
  | { readonly kind: 'ignore' }
  | { readonly kind: 'discover' }
  | { readonly kind: 'role'; readonly role: string };

/** Where machines reach this server; goes into every URL handed out. */
export interface ServerIdentity {
  readonly address: Ipv4;
  readonly httpPort: number;
  readonly tftpPort: number;
  /** `http://10.77.0.1:8080`, no slash at the end. */
  readonly url: string;
}

/**
 * Who sends images over HTTP: `sendfile` = a process of ours; `streams` = the same without sendfile; `nginx` = one that we run;
 * `accel` = the site's own nginx, by X-Accel-Redirect.
 */
export const IMAGE_PLANES = ['sendfile', 'streams', 'nginx', 'accel'] as const;
export type ImagePlane = (typeof IMAGE_PLANES)[number];
