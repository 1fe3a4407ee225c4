import type { BootFiles } from './dhcp-options.js';
import type { Loader, Mode } from './role.js';
import type { SystemKind, SystemNetworkKind, SystemStorageKind } from './system.js';

/**
 * How to boot. `boot` loads a kernel; `local` leaves the machine to its own disk; `discover` boots stage 1, which reports the
 * inventory and waits for approval.
 */
export type ProfileKind = 'boot' | 'local' | 'discover';

/** The limits of a system that a profile can enforce; a definition that asks for another is refused. */
export type SystemLimit = 'memory' | 'cpus';

/** Fields of a system that not every live OS knows; `spares`: it runs the systems of a role under a lease. */
export const SYSTEM_FEATURES = ['layer', 'disk', 'after', 'health', 'spares'] as const;
export type SystemFeature = (typeof SYSTEM_FEATURES)[number];

/** One folder under profiles/, `extends` already merged. */
export interface Profile {
  readonly name: string;
  readonly description: string;
  readonly kind: ProfileKind;
  /** Image reference of the kernel image; absent for `local`. */
  readonly kernel?: string;
  /** Image reference of the live OS; absent for `local` and `discover`. */
  readonly rootfs?: string;
  /** Kernel arguments of the site, e.g. `console=ttyS0,115200n8`; ours (ip=, anybios.*) are added by the boot plan. */
  readonly args: readonly string[];
  /** Template names in the folder: which text each loader gets. */
  readonly templates: { readonly ipxe: string; readonly grub: string };
  readonly supports: {
    readonly modes: readonly Mode[];
    readonly kinds: readonly SystemKind[];
    readonly storage: readonly SystemStorageKind[];
    readonly limits: readonly SystemLimit[];
    readonly networks: readonly SystemNetworkKind[];
    readonly features: readonly SystemFeature[];
  };
  readonly loader?: Loader;
  readonly bootFiles?: BootFiles;
  /** What stage 1 does after its retries. */
  readonly failure: { readonly policy: 'reboot' | 'shell'; readonly delaySeconds: number };
  /** Defaults of role params; a role may set these names and no others. */
  readonly params: Readonly<Record<string, string>>;
}
