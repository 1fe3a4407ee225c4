import type { Ipv4 } from './ipv4.js';
import type { Mac } from './mac.js';
import type { Mode } from './role.js';

/** In the order of a boot; a session's stage never goes back. */
export const BOOT_STAGES = ['dhcp', 'loader', 'script', 'kernel', 'stage1', 'rootfs', 'live', 'systems'] as const;
export type BootStage = (typeof BOOT_STAGES)[number];
export type BootOutcome = 'running' | 'succeeded' | 'failed' | 'stalled';

/** Why a boot does not go on, with a name that the documentation explains (docs/booting.md). */
export interface Diagnosis {
  /** e.g. `chainload-loop`, `loader-refused`, `digest-mismatch`. */
  readonly name: string;
  readonly message: string;
  readonly remedy: string;
}

export interface Progress {
  /** What is being loaded: a file name. */
  readonly file: string;
  readonly bytes: number;
  readonly total: number;
  /** In the queue of large downloads, from 1, of `waiting`: nothing is being loaded yet. */
  readonly place?: number;
  readonly waiting?: number;
}

/** What somebody chose at the boot menu; the systems of the role, or one of them alone. */
export interface BootChoice {
  readonly mode: Mode;
  /** In mode single. */
  readonly system?: string;
}

/** One power-on of one machine. */
export interface BootSession {
  readonly id: string;
  /** Machine name, or MAC until known. */
  readonly key: string;
  readonly mac: Mac;
  readonly machine?: string;
  readonly uuid?: string;
  /** Address given in this session; the nonce is rendered for it only. */
  readonly address?: Ipv4;
  /** The addresses come from another DHCP server: `address` is what was overheard. Absent = full mode. */
  readonly dhcpMode?: 'proxy';
  /** `bios`, `uefi`, `uefi-http`, `ipxe`, as first seen. */
  readonly firmware: string;
  readonly arch?: number;
  readonly openedAt: number;
  readonly lastStepAt: number;
  /** Set when the outcome is succeeded or failed, or a newer session replaced it. */
  readonly closedAt?: number;
  readonly stage: BootStage;
  /** Epoch ms at which each stage was entered. */
  readonly stages: Readonly<Partial<Record<BootStage, number>>>;
  readonly outcome: BootOutcome;
  readonly diagnosis?: Diagnosis;
  readonly progress?: Progress;
  readonly scriptFetchedAt?: number;
  readonly claimedAt?: number;
  /** From the boot menu, as stage 1 reported it. */
  readonly choice?: BootChoice;
  /** It was told to open a shell (`anybios.break=`): the stage that it is in meanwhile. */
  readonly shellIn?: { readonly at: string; readonly stage: BootStage };
  /** How often the loader was asked for: three times in a row is a chainload loop. */
  readonly loaderFetches: number;
  /** Versions that the machine was told to load, as `name:version`; until it claims, also those of what ran on it before. */
  readonly images?: readonly string[];
  /** As what it was claimed, if by a role: what only another boot changes. */
  readonly booted?: BootedAs;
}

/** The part of a boot that holds until the next one. */
export interface BootedAs {
  readonly role: string;
  readonly profile: string;
  readonly mode: Mode;
  /** Versions, as `name:version`. */
  readonly kernel: string;
  readonly rootfs?: string;
  /** Kernel arguments, without those of one boot alone and without the list of systems. */
  readonly args: readonly string[];
  /** Mode single: digest of its one system, which becomes the machine (boot/system-digest.ts). */
  readonly single?: string;
}

/** Boot credential of a session (docs/booting.md, 5). Only hashes are stored. */
export interface Claim {
  readonly session: string;
  readonly mac: Mac;
  readonly machine?: string;
  readonly nonceHash: string;
  /** Epoch ms; minutes after the last rendering. */
  readonly nonceExpiresAt: number;
  readonly claimId?: string;
  readonly credentialHash?: string;
  readonly firstUsedAt?: number;
  readonly revoked: boolean;
}
