import type { DhcpFacts } from '../boot/contract.js';
import { archOf, describeArch } from '../domain/arch.js';
import type { Diagnosis } from '../domain/boot-session.js';
import type { Loader } from '../domain/role.js';
import { type BootFileSetting, fallbackBootFile, type OwnBootFile, ownBootFile } from './own-boot-file.js';

/** A loader that can be handed out; `undionly` is the BIOS one and not a setting. */
export type LoaderName = Exclude<Loader, 'auto'> | 'undionly';

/** Names in the one name space of TFTP and HTTP (Debian's file names; grubx64.efi must lie beside the shim). */
export const LOADER_FILES: Readonly<Record<LoaderName, string>> = {
  undionly: 'undionly.kpxe',
  snponly: 'snponly.efi',
  ipxe: 'ipxe.efi',
  shim: 'shimx64.efi',
};

export interface LoaderSetting {
  readonly loader: Loader;
  /** Where it was set: the nearest one wins in this order. */
  readonly source: 'machine' | 'role' | 'profile' | 'subnet' | 'default';
}

export interface LoaderRequest {
  readonly facts: Pick<DhcpFacts, 'client' | 'arch'>;
  readonly mode: 'full' | 'proxy';
  readonly setting: LoaderSetting;
  /** Boot files that people set, from near to far. */
  readonly bootFiles?: readonly BootFileSetting[];
  /** What stage 1 of this machine reported last; undefined = nothing yet, or forgotten after a loader led nowhere. */
  readonly secureBoot?: 'on' | 'off' | 'none' | undefined;
}

export type LoaderChoice =
  | {
      readonly kind: 'loader';
      /** `site`: a file of the site's own. */
      readonly loader: LoaderName | 'site';
      readonly file: string;
      /** How the firmware fetches it: by name over TFTP, or by a URL that ends in `file`. */
      readonly transport: 'tftp' | 'http';
      readonly reason: string;
    }
  | { readonly kind: 'none'; readonly reason: string; readonly diagnosis?: Diagnosis };

const SECURE_BOOT_BY_URL: Diagnosis = {
  name: 'secure-boot-http',
  message: 'Secure Boot over UEFI HTTP Boot: the signed GRUB behind the shim has no http module and cannot go on',
  remedy: 'let the firmware boot by PXE (IPv4) instead of HTTP, or set loader: snponly and turn Secure Boot off',
};

/**
 * The boot loader for this firmware. The architecture decides the family; within x64 UEFI an explicit setting wins, then what
 * is known of Secure Boot. `auto` in full mode is the shim until Secure Boot was reported off, because no DHCP option tells
 * that it is on and firmware that refuses a loader does not ask again; the shim also works with Secure Boot off.
 */
export function chooseLoader(request: LoaderRequest): LoaderChoice {
  const { client } = request.facts;
  if (client !== 'pxe' && client !== 'http') {
    return { kind: 'none', reason: client === 'ipxe' ? 'iPXE runs already: it gets a script' : 'not a boot ROM' };
  }
  const code = request.facts.arch;
  if (code === undefined) {
    if (client === 'http') return { kind: 'none', reason: 'HTTP firmware that does not tell its architecture' };
    // RFC 4578 demands option 93, yet old BIOS ROMs leave it out; UEFI always sends it.
    return bios('no architecture given (option 93): taken for a BIOS ROM');
  }
  const arch = archOf(code);
  const own = ownBootFile(code, request.bootFiles ?? []);
  if (own !== undefined) return site(own, client);
  if (arch?.loaders === undefined) {
    const fallback = fallbackBootFile(code, request.bootFiles ?? []);
    if (fallback !== undefined) return site(fallback, client);
    return { kind: 'none', reason: `no boot loader is shipped for ${describeArch(code)}` };
  }
  if (arch.loaders === 'bios') return bios(describeArch(code));
  return client === 'http' ? x64ByUrl(request, code) : x64ByTftp(request, code);
}

function site({ file, reason }: OwnBootFile, client: 'pxe' | 'http'): LoaderChoice {
  if (client === 'pxe' && file.includes('://')) {
    return { kind: 'none', reason: `${reason}: ${file} is a URL, and this firmware boots by TFTP` };
  }
  return { kind: 'loader', loader: 'site', file, transport: client === 'http' ? 'http' : 'tftp', reason };
}

function bios(why: string): LoaderChoice {
  return { kind: 'loader', loader: 'undionly', file: LOADER_FILES.undionly, transport: 'tftp', reason: why };
}

function x64ByTftp({ mode, setting, secureBoot }: LoaderRequest, code: number): LoaderChoice {
  const arch = describeArch(code);
  const give = (loader: LoaderName, why: string): LoaderChoice => ({
    kind: 'loader',
    loader,
    file: LOADER_FILES[loader],
    transport: 'tftp',
    reason: `${arch}, ${why}`,
  });
  if (setting.loader !== 'auto') return give(setting.loader, `loader: ${setting.loader} set on the ${setting.source}`);
  switch (secureBoot) {
    case 'off':
    case 'none':
      return give('snponly', 'its last boot reported Secure Boot off');
    case 'on':
      return mode === 'full'
        ? give('shim', 'its last boot reported Secure Boot on')
        : give(
            'shim',
            'Secure Boot on; works in proxy mode only if the DHCP server of the site names us as next-server',
          );
    case undefined:
      return mode === 'full'
        ? give('shim', 'Secure Boot unknown: the shim works with both')
        : give('snponly', 'proxy mode: the signed GRUB would ask the DHCP server of the site');
  }
}

function x64ByUrl({ setting, secureBoot }: LoaderRequest, code: number): LoaderChoice {
  const arch = describeArch(code);
  if (setting.loader === 'shim' || (setting.loader === 'auto' && secureBoot === 'on')) {
    const why =
      setting.loader === 'shim' ? `loader: shim set on the ${setting.source}` : 'its last boot reported Secure Boot on';
    return { kind: 'none', reason: `${arch}, ${why}: ${SECURE_BOOT_BY_URL.message}`, diagnosis: SECURE_BOOT_BY_URL };
  }
  const loader = setting.loader === 'ipxe' ? 'ipxe' : 'snponly';
  const why = setting.loader === 'auto' ? 'HTTP Boot' : `loader: ${loader} set on the ${setting.source}`;
  return { kind: 'loader', loader, file: LOADER_FILES[loader], transport: 'http', reason: `${arch}, ${why}` };
}
