import type { BootFiles, DhcpOptionWords } from './dhcp-options.js';
import type { AddressRange, Cidr, Ipv4 } from './ipv4.js';

/** How DHCP behaves on a subnet. `proxy` adds boot information beside the site's own server; `observe` only listens. */
export type DhcpMode = 'full' | 'proxy' | 'observe' | 'off';
export const DHCP_MODES = ['full', 'proxy', 'observe', 'off'] as const;

/** Dynamic addresses, for every machine or for one kind only. */
export interface Pool extends AddressRange {
  readonly for?: 'known' | 'unknown';
}

/** `two`: requests on one port, transfers on another; `one`: both on one, for address translation and containers. */
export const TFTP_PORTS = ['two', 'one'] as const;
/** `auto` = many datagrams in one system call where that works (Linux), `dgram` = Node's sockets. */
export const TFTP_TRANSPORTS = ['auto', 'dgram'] as const;

export interface TftpConfig {
  /** IPv4 and IPv6; absent: this server's address in boot URLs. */
  readonly addresses?: readonly string[];
  readonly ports: (typeof TFTP_PORTS)[number];
  readonly transport: (typeof TFTP_TRANSPORTS)[number];
  /** Transfers at once. */
  readonly perAddress: number;
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
  /** Addresses that unknown machines behind one port of a relay (option 82) have at once; absent: as many as there are. */
  readonly leasesPerPort?: number;
  readonly options?: DhcpOptionWords;
  readonly bootFiles?: BootFiles;
  /** How long to ask the wire whether a new address is in use before it is offered; absent: not at all. */
  readonly probeMs?: number;
  /** Bytes: larger TFTP blocks do not come through to this subnet. */
  readonly tftpBlockSize?: number;
  readonly loader?: 'auto' | 'snponly' | 'ipxe' | 'shim';
  /** `none`: the operator says that there is no IPv6 router, and iPXE is told so, which ends its waiting for one. Absent: nothing is said. */
  readonly ipv6Router?: 'none';
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
