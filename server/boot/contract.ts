import type { Assignment } from '../decide/assignment.js';
import type { Diagnosis } from '../domain/boot-session.js';
import type { ErrorCode } from '../domain/errors.js';
import type { Json } from '../domain/event.js';
import type { Ipv4 } from '../domain/ipv4.js';
import type { Mac } from '../domain/mac.js';
import type { Machine, ProxyStyle } from '../domain/machine.js';
import type { MaybePromise } from '../domain/maybe-promise.js';
import type { Loader, Role } from '../domain/role.js';
import type { Subnet } from '../domain/site.js';

/** What one DHCP packet says about the machine that sent it: the evidence, before any decision. */
export interface DhcpFacts {
  readonly mac: Mac;
  /** `pxe` and `http` are firmware, `ipxe` carries the iPXE marks, `os` is everything else that speaks DHCP, `bootp` has no option 53. */
  readonly client: 'pxe' | 'http' | 'ipxe' | 'os' | 'bootp';
  /** Option 93, or from the vendor class (`PXEClient:Arch:00007:`). */
  readonly arch?: number;
  /** Option 97, as an SMBIOS UUID in lower case. */
  readonly uuid?: string;
  readonly hostname?: string;
  /** Option 61 in hex. */
  readonly clientId?: string;
  /** Option 82: the port as the relay names it, in hex. */
  readonly relay?: { readonly circuitId?: string; readonly remoteId?: string };
  /** It has its address and asks this server without a relay, so nothing can be said of its port. */
  readonly renewing?: true;
  /** What iPXE says of its build. */
  readonly ipxe?: { readonly version?: string; readonly features: readonly string[] };
}

export type DhcpMessageWord = 'discover' | 'offer' | 'request' | 'ack' | 'nak' | 'decline' | 'release' | 'inform';

/** One step that the DHCP shell reports to the boot core; opens boot sessions and lands in the timeline. */
export interface DhcpStep {
  readonly facts: DhcpFacts;
  readonly message: DhcpMessageWord | 'ignored';
  /** Absent = full. `proxy`: the addresses are another server's; `observe`: heard only, it opens nothing. */
  readonly mode?: 'proxy' | 'observe';
  /** How the boot file was offered to a ROM in proxy mode. */
  readonly proxyStyle?: ProxyStyle;
  /** Why this firmware can get no boot file at all. */
  readonly diagnosis?: Diagnosis;
  /** The address offered or acknowledged; in proxy mode the one it was heard to take. */
  readonly address?: Ipv4;
  /** One sentence; for `ignored` the reason. */
  readonly text: string;
  readonly data: Readonly<Record<string, Json>>;
}

/** What a machine that netboots is told to load next. `none` = addresses only, with the reason. */
export type BootOffer =
  | { readonly kind: 'script'; readonly url: string; readonly reason: string }
  | {
      readonly kind: 'loader';
      readonly file: string;
      readonly loader: Exclude<Loader, 'auto'> | 'undionly' | 'site';
      readonly reason: string;
      /** In proxy mode, for PXE ROMs. */
      readonly proxyStyle?: ProxyStyle;
    }
  | { readonly kind: 'none'; readonly reason: string; readonly diagnosis?: Diagnosis };

/** What the subnet says about booting. */
export type BootSubnet = Pick<Subnet, 'mode' | 'loader' | 'bootFiles'>;

/** Who sent a packet and what it is to be. True until something is awaited: desired state may change meanwhile. */
export interface Sender {
  /** undefined = unknown. */
  readonly machine: Machine | undefined;
  /** The machine whose MAC it uses although that is pinned to another port. */
  readonly impostorOf?: string | undefined;
  /** Whose DHCP options it gets; undefined = none. */
  readonly role: Role | undefined;
  readonly assignment: Assignment;
}

/** What the DHCP shell needs of the boot core (implemented by Boot). All calls are synchronous and in memory. Without `sender` it is looked up. */
export interface DhcpBoot {
  /** The machine this packet comes from (decide/identify.ts) and its role, or that of unknown machines. */
  senderOf(facts: DhcpFacts): Sender;
  /** What to hand out now. `subnetLoader` and `mode` come from the subnet. Pure reading: opens nothing. */
  bootOffer(facts: DhcpFacts, subnet: BootSubnet, sender?: Sender): BootOffer;
  step(step: DhcpStep, sender?: Sender): void;
}

/** Who asks for a file. */
export interface Requester {
  readonly protocol: 'tftp' | 'http';
  /** 0.0.0.0 when the request came over IPv6: machines are known by their IPv4 address. */
  readonly address: Ipv4;
  readonly ipv6?: string;
}

/**
 * The answer to a name, the same over TFTP and HTTP. `file` paths are absolute, resolved and inside the folder they belong to;
 * `none` says why, and the shell maps `code` to its protocol.
 */
export type BootFile =
  | { readonly kind: 'text'; readonly name: string; readonly text: string; readonly contentType: string }
  | {
      readonly kind: 'file';
      readonly name: string;
      readonly path: string;
      readonly size: number;
      readonly contentType: string;
      readonly digest?: string;
    }
  | { readonly kind: 'none'; readonly name: string; readonly code: ErrorCode; readonly reason: string };

/** A boot file as it is answered over HTTP; a refusal has been recorded already. `reason` is for the status line too. */
export type BootAnswer =
  | { readonly kind: 'text'; readonly text: string; readonly contentType: string }
  | { readonly kind: 'file'; readonly name: string; readonly path: string; readonly contentType: string }
  | { readonly kind: 'none'; readonly status: number; readonly reason: string };

/** Answers a request for `/boot/…` or `/files/…` (the path as it was sent, without a query). */
export type AnswerBoot = (path: string, requester: Requester) => MaybePromise<BootAnswer>;

/** Outcome of one transfer, reported by the shells for the timeline. */
export interface TransferReport {
  readonly requester: Requester;
  readonly name: string;
  /** `started` and `progress` are optional; one of the last three ends a transfer. `probed`: firmware read the size and stopped (TFTP error 8), normal. */
  readonly phase: 'started' | 'progress' | 'sent' | 'probed' | 'failed';
  readonly bytes: number;
  readonly total: number;
  readonly milliseconds: number;
  readonly reason?: string;
}

/** What the TFTP and HTTP shells need of the boot core (implemented by Boot). */
export interface FileBoot {
  /** A request that the shell itself refused: malformed, an upload, a method that is not served. Lands in the events. */
  refused(requester: Requester, name: string, reason: string): void;
  /** Accepts any name a machine may send (`//x`, `\\x`, `X`); never throws for a bad name. Refusals are recorded as events by the implementation. */
  resolve(name: string, requester: Requester): MaybePromise<BootFile>;
  transfer(report: TransferReport): void;
}
