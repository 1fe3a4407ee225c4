import type { DhcpOptionWords } from './dhcp-options.js';
import type { Spares } from './standby.js';

/** Which boot loader a machine gets (docs/booting.md, 2). `auto` decides from what is known of Secure Boot. */
export type Loader = 'auto' | 'snponly' | 'ipxe' | 'shim';
export const LOADERS = ['auto', 'snponly', 'ipxe', 'shim'] as const;

/** `resident`: the live OS stays PID 1 and runs all systems. `single`: the one system gets the whole machine. */
export type Mode = 'resident' | 'single';

/** The parameter of a profile or role that asks for a boot menu: seconds until its default; empty = no menu. */
export const BOOT_MENU_PARAM = 'menu';

/** What a machine must be. */
export interface Role {
  readonly name: string;
  readonly profile: string;
  readonly mode: Mode;
  /** Names of systems, in start order. */
  readonly systems: readonly string[];
  readonly params: Readonly<Record<string, string>>;
  readonly loader?: Loader;
  readonly options?: DhcpOptionWords;
  /** Machines that take it over when one that has it is lost (docs/systems.md, "Spares and moves"). */
  readonly spares?: Spares;
}
