import type { BootChoice } from '../domain/boot-session.js';
import { AnybiosError } from '../domain/errors.js';
import { type Mac, macDashed } from '../domain/mac.js';
import type { Profile } from '../domain/profile.js';
import type { Role } from '../domain/role.js';
import { choiceWord } from './boot-menu.js';
import { fillParams, joinKernelArgs } from './kernel-args.js';

/** What the kernel command line of a boot is made of. */
export interface CommandLineParts {
  readonly profile: Pick<Profile, 'args'>;
  /** Those of the profile with those of the role over them. */
  readonly params: Readonly<Record<string, string>>;
  /** The whole argument: `ip=…`. */
  readonly ip: string;
  readonly mac: Mac;
  /** Names. */
  readonly systems: readonly string[];
  readonly mode: 'resident' | 'single' | 'discover';
  readonly serverUrl: string;
  readonly rootfs?: { readonly url: string; readonly digest: string } | undefined;
  readonly choice?: BootChoice | undefined;
  readonly session?: string | undefined;
  readonly nonce?: string | undefined;
}

/** The arguments of the profile, then the server's own. Throws `invalid` for what a loader or the kernel would misread. */
export function commandLine(parts: CommandLineParts): string {
  const { profile, params, systems, mode, rootfs, choice, session, nonce } = parts;
  const args = profile.args.map((arg) => fillParams(arg, params)).filter((arg) => arg !== undefined);
  args.push(parts.ip, `BOOTIF=01-${macDashed(parts.mac)}`);
  if (systems.length > 0) args.push(`chroot=${systems.map((name) => `/systems/${name}`).join(',')}`);
  // A machine held for approval has no mode of its own yet; stage 1 learns `discover` from its claim.
  if (mode !== 'discover') args.push(`anybios.mode=${mode}`);
  args.push(`anybios.server=${parts.serverUrl}`);
  if (rootfs !== undefined) args.push(`anybios.rootfs=${rootfs.url}`, `anybios.sha256=${rootfs.digest}`);
  if (choice !== undefined) args.push(`anybios.choice=${choiceWord(choice)}`);
  if (session !== undefined) args.push(`anybios.session=${session}`);
  if (nonce !== undefined) args.push(`anybios.nonce=${nonce}`);
  return joinKernelArgs(args);
}

/** Hex digits of a session's id and of a nonce: a machine's own command line always has both. */
export const SESSION_DIGITS = 24;
export const NONCE_DIGITS = 48;

const DIGEST = '0'.repeat(64);

/**
 * Why no machine of this role can boot: its command line is refused even where it is shortest (`ip=dhcp`, no choice). Undefined: it
 * may fit, which depends on the machine's address and name.
 */
export function commandLineFault(
  { mode, systems, params }: Pick<Role, 'mode' | 'systems' | 'params'>,
  profile: Pick<Profile, 'kind' | 'args' | 'params'>,
  serverUrl: string,
): { readonly field: 'systems' | 'params'; readonly message: string; readonly allowed: string } | undefined {
  if (profile.kind !== 'boot') return undefined;
  const refusal = (names: readonly string[]): AnybiosError | undefined => {
    try {
      commandLine({
        profile,
        params: { ...profile.params, ...params },
        ip: 'ip=dhcp',
        mac: '00:00:00:00:00:00' as Mac,
        systems: names,
        mode,
        serverUrl,
        rootfs: { url: `${serverUrl}/images/sha256/${DIGEST}/rootfs.squashfs`, digest: DIGEST },
        session: '0'.repeat(SESSION_DIGITS),
        nonce: '0'.repeat(NONCE_DIGITS),
      });
      return undefined;
    } catch (error) {
      if (error instanceof AnybiosError) return error;
      throw error;
    }
  };
  const refused = refusal(systems);
  if (refused === undefined) return undefined;
  const field = systems.length > 0 && refusal([]) === undefined ? 'systems' : 'params';
  return { field, message: refused.message, allowed: refused.remedy ?? 'see docs/booting.md' };
}
