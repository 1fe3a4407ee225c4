import type { ImagePart } from '../domain/image.js';
import { type Cidr, formatIpv4, type Ipv4, netmask, parseCidr } from '../domain/ipv4.js';
import type { Mac } from '../domain/mac.js';
import type { Subnet } from '../domain/site.js';
import { networkOf, type PortForward, type System } from '../domain/system.js';
import { systemMac } from '../domain/system-mac.js';
import type { PlannedFile } from './boot-plan.js';
import { joinKernelArgs } from './kernel-args.js';

/** A system as one machine starts it: its images by digest, its network by number. */
export interface BootableSystem {
  readonly system: System;
  readonly image?: PlannedFile;
  readonly layer?: PlannedFile;
  readonly disk?: PlannedFile;
  /** VM from a template only. */
  readonly kernel?: { readonly vmlinuz: PlannedFile; readonly initrd: PlannedFile; readonly modules: PlannedFile };
  readonly network: PlannedNetwork;
  /** VM from a template only: the whole kernel command line. */
  readonly append?: string;
}

export type PlannedNetwork =
  | { readonly kind: 'host' }
  | { readonly kind: 'bridge'; readonly mac: Mac; readonly address?: PlannedAddress }
  | {
      readonly kind: 'nat';
      readonly mac: Mac;
      readonly address: PlannedAddress;
      readonly ports: readonly PortForward[];
    };

export interface PlannedAddress {
  readonly address: Ipv4;
  readonly prefix: number;
  readonly gateway?: Ipv4;
  readonly dns: readonly Ipv4[];
}

/**
 * The network behind a machine that its NAT systems share; it never leaves the machine. RFC 2544 keeps it for benchmarks of network
 * devices, so no site has it.
 */
export const NAT_NETWORK: Cidr = parseCidr('198.18.0.0/16');
const NAT_GATEWAY = (NAT_NETWORK.network + 1) as Ipv4;
/** Host parts of NAT addresses: above what the machine itself uses, below the broadcast address. */
const NAT_FIRST = 256;
const NAT_COUNT = 65_000;

export interface SystemPlanInput {
  /** Name of the machine; a dashed MAC for an unknown one. */
  readonly machine: string;
  /** All of the role, in its order. */
  readonly systems: readonly System[];
  /** Name servers of the machine's subnet. */
  readonly dns: readonly Ipv4[];
  readonly subnetOf: (address: Ipv4) => Subnet | undefined;
  /** Throws for an image that is not there. */
  readonly part: (reference: string, wanted: ImagePart, whose: string) => PlannedFile;
}

/** The systems of one machine. Throws `not_found` for a missing image and `invalid` for a command line that does not fit. */
export function planSystems(input: SystemPlanInput): readonly BootableSystem[] {
  const addresses = natAddresses(input.systems);
  return input.systems.map((system) => {
    const whose = `system ${system.name}`;
    const network = planNetwork(system, input, addresses.get(system.name));
    const file = (reference: string | undefined, wanted: ImagePart): PlannedFile | undefined =>
      reference === undefined ? undefined : input.part(reference, wanted, whose);
    const image = file(system.image, 'rootfs');
    const layer = file(system.layer, 'rootfs');
    const disk = file(system.disk, 'disk');
    const direct = system.kind === 'vm' && system.image !== undefined;
    const kernel = direct ? kernelFiles(system.kernel ?? 'kernel', input, whose) : undefined;
    return {
      system,
      network,
      ...(image === undefined ? {} : { image }),
      ...(layer === undefined ? {} : { layer }),
      ...(disk === undefined ? {} : { disk }),
      ...(kernel === undefined ? {} : { kernel, append: vmAppend(system, network) }),
    };
  });
}

function kernelFiles(reference: string, { part }: SystemPlanInput, whose: string) {
  return {
    vmlinuz: part(reference, 'vmlinuz', whose),
    initrd: part(reference, 'initrd', whose),
    modules: part(reference, 'modules', whose),
  };
}

function planNetwork(
  system: System,
  { machine, dns, subnetOf }: SystemPlanInput,
  natAddress: Ipv4 | undefined,
): PlannedNetwork {
  const network = networkOf(system);
  if (network === 'host') return { kind: 'host' };
  const mac = 'bridge' in network && network.mac !== undefined ? network.mac : systemMac(machine, system.name);
  if ('nat' in network) {
    const address = natAddress ?? NAT_GATEWAY;
    const planned = { address, prefix: NAT_NETWORK.prefix, gateway: NAT_GATEWAY, dns };
    return { kind: 'nat', mac, address: planned, ports: network.ports };
  }
  const subnet = network.address === undefined ? undefined : subnetOf(network.address);
  if (network.address === undefined || subnet === undefined) return { kind: 'bridge', mac };
  const { router, cidr } = subnet;
  const gateway = router === undefined ? {} : { gateway: router };
  const address = { address: network.address, prefix: cidr.prefix, ...gateway, dns: subnet.dns };
  return { kind: 'bridge', mac, address };
}

/**
 * Addresses behind the NAT: from the system's name, so that other systems of the role may come and go without changing it; the next
 * free one where two names meet.
 */
function natAddresses(systems: readonly System[]): ReadonlyMap<string, Ipv4> {
  const taken = new Set<number>();
  const addresses = new Map<string, Ipv4>();
  for (const { name } of systems) {
    let host = Number.parseInt(systemMac('', name).replaceAll(':', '').slice(4), 16) % NAT_COUNT;
    while (taken.has(host)) host = (host + 1) % NAT_COUNT;
    taken.add(host);
    addresses.set(name, (NAT_NETWORK.network + NAT_FIRST + host) as Ipv4);
  }
  return addresses;
}

/** What tells two VMs of one template apart: their network, and the disks that the machine attaches to them. */
function vmAppend({ name }: System, network: PlannedNetwork): string {
  const address = network.kind === 'host' ? undefined : network.address;
  return joinKernelArgs([
    'console=ttyS0',
    // QEMU ends with the guest's reboot, and the machine starts it again by its policy. At once, and by a triple fault, as QEMU's
    // documentation of microvm asks for: the second of panic=1, or of the wait for a keyboard controller that is not there, is
    // 125,000,000 instructions, which take an emulated machine minutes.
    'panic=-1',
    'reboot=t',
    // In slow emulation the kernel's check of the timer fails and it panics: "IO-APIC + timer doesn't work" (kernel-parameters.txt).
    'no_timer_check',
    // Tests of every cipher at each start take a fifth of the kernel's own start; the machine's kernel is the same and has done them.
    'cryptomgr.notests',
    address === undefined ? 'ip=dhcp' : ipArgument(address, name),
    ...(network.kind === 'host' ? [] : [`BOOTIF=01-${network.mac.replaceAll(':', '-')}`]),
    `anybios.vm=${name}`,
  ]);
}

/** `ip=` as in the kernel's nfsroot documentation: client:server:gateway:netmask:host:device:autoconf:dns0:dns1. */
function ipArgument({ address, prefix, gateway, dns }: PlannedAddress, name: string): string {
  const [dns0, dns1] = dns;
  const shown = (value: Ipv4 | undefined): string => (value === undefined ? '' : formatIpv4(value));
  const fields = [formatIpv4(address), '', shown(gateway), formatIpv4(netmask(prefix)), name, '', 'off'];
  return `ip=${[...fields, shown(dns0), shown(dns1)].join(':').replace(/:+$/, '')}`;
}
