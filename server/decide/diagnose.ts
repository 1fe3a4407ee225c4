import type { BootSession, BootStage, Diagnosis } from '../domain/boot-session.js';

interface Stall {
  /** Silence in this stage after which the boot counts as stalled. */
  readonly seconds: number;
  readonly name: string;
  readonly message: string;
  readonly remedy: string;
}

// One row per stage: what silence there means. Limits are generous: TCG, 10 Mbit/s links and POST screens are slow.
const STALLS: Readonly<Record<BootStage, Stall>> = {
  dhcp: {
    seconds: 90,
    name: 'loader-not-fetched',
    message: 'the machine got an offer with a boot file and never asked for the file',
    remedy: 'look for a second DHCP server, a firewall on UDP 69, or spanning tree without portfast on the switch port',
  },
  loader: {
    seconds: 120,
    name: 'loader-refused',
    message: 'the boot loader was fetched and nothing came after it',
    remedy:
      'Secure Boot refuses an unsigned loader: set loader: shim for this machine, or turn Secure Boot off; on some NICs ipxe.efi hangs where snponly.efi works',
  },
  script: {
    seconds: 120,
    name: 'kernel-not-fetched',
    message: 'the boot script was fetched and the kernel was not',
    remedy:
      'read the machine’s screen: the script prints why; check that the machine reaches the HTTP port of this server',
  },
  kernel: {
    seconds: 180,
    name: 'stage1-silent',
    message: 'kernel and initrd were fetched and stage 1 did not report',
    remedy:
      'the NIC may need a driver that is not in the initrd (build the hardware flavour), or the machine has too little memory; see its console',
  },
  stage1: {
    seconds: 120,
    name: 'stage1-stuck',
    message: 'stage 1 claimed its boot and then fell silent',
    remedy: 'see the machine’s console; boot it with the role parameter break: mount for a shell there',
  },
  rootfs: {
    seconds: 120,
    name: 'rootfs-stuck',
    message: 'loading the root file system stopped',
    remedy: 'see the machine’s console: the server may be unreachable or the memory full',
  },
  live: {
    seconds: 120,
    name: 'live-silent',
    message: 'the live OS started and reported no system',
    remedy: 'see the machine’s console',
  },
  systems: {
    seconds: 180,
    name: 'systems-stuck',
    message: 'not every assigned system is running',
    remedy: 'anybios machine show NAME lists the states; the events hold the last line of each system',
  },
};

/** Beside another DHCP server Secure Boot has no way of its own (docs/booting.md: secure-boot-proxy). */
const LOADER_IN_PROXY: Stall = {
  seconds: STALLS.loader.seconds,
  name: 'secure-boot-proxy',
  message:
    'the boot loader was fetched and nothing came after it; with Secure Boot on the firmware refuses snponly.efi, and the signed GRUB behind the shim asks the DHCP server of the site for its files',
  remedy:
    'turn Secure Boot off; or let the DHCP server of the site name this server as next-server and set loader: shim; or serve the subnet in full mode. With Secure Boot off: try loader: ipxe',
};

/** The same for UEFI HTTP Boot: what helps is another one. */
const LOADER_BY_URL_IN_PROXY: Stall = {
  seconds: STALLS.loader.seconds,
  name: 'secure-boot-http',
  message:
    'the boot loader was fetched by its URL and nothing came after it; with Secure Boot on the firmware refuses snponly.efi, and the signed GRUB behind the shim has no http module',
  remedy:
    'turn Secure Boot off, or let the firmware boot by PXE (IPv4) and read secure-boot-proxy. With Secure Boot off: try loader: ipxe',
};

/** The stage in which a machine with `anybios.break=` is silent, because it waits for somebody at its console. */
export function shellStage(kernelArgs: string, mode: 'resident' | 'single' | 'discover'): BootSession['shellIn'] {
  const at = /(?:^| )anybios\.break=(\S+)/.exec(kernelArgs)?.[1];
  switch (at) {
    case 'net':
      return { at, stage: 'kernel' };
    case 'mount':
      return { at, stage: 'rootfs' };
    case 'systems':
      return { at, stage: mode === 'resident' ? 'live' : 'rootfs' };
    default:
      return undefined;
  }
}

export const CHAINLOAD_LOOP_FETCHES = 3;

/** Named diagnosis of an open session that has been silent too long; undefined while there is still hope. */
export function diagnoseSilence(session: BootSession, now: number): Diagnosis | undefined {
  const stall = loaderStallInProxy(session) ?? STALLS[session.stage];
  if (now - session.lastStepAt < stall.seconds * 1000) return undefined;
  if (session.shellIn?.stage === session.stage && session.progress === undefined) {
    return {
      name: 'waits-in-shell',
      message: `the machine waits in the shell that was asked for with break: ${session.shellIn.at}`,
      remedy: 'go on at its console with exit; take the role parameter break away for the next boot',
    };
  }
  return {
    name: stall.name,
    message: `${stall.message} (silent for ${Math.round((now - session.lastStepAt) / 1000)} s)`,
    remedy: stall.remedy,
  };
}

function loaderStallInProxy({ dhcpMode, stage, firmware }: BootSession): Stall | undefined {
  if (dhcpMode !== 'proxy' || stage !== 'loader') return undefined;
  if (firmware === 'uefi-http') return LOADER_BY_URL_IN_PROXY;
  return firmware === 'uefi' ? LOADER_IN_PROXY : undefined;
}

/** The same machine asks for the loader again and again in one boot: it never learns that it is iPXE. */
export function diagnoseLoop(session: BootSession): Diagnosis | undefined {
  if (session.loaderFetches < CHAINLOAD_LOOP_FETCHES || session.scriptFetchedAt !== undefined) return undefined;
  return {
    name: 'chainload-loop',
    message: `the boot loader was fetched ${session.loaderFetches} times in a row without a script after it`,
    remedy:
      'the loader does not send option 77/175 or does not get our answer: look for a second DHCP server, or set another loader for this machine',
  };
}
