import type { BootChoice, Diagnosis } from '../domain/boot-session.js';
import type { Digest } from '../domain/digest.js';
import { AnybiosError } from '../domain/errors.js';
import { type Image, type ImageFile, type ImagePart, versionKey } from '../domain/image.js';
import { formatIpv4, type Ipv4, netmask } from '../domain/ipv4.js';
import type { Mac } from '../domain/mac.js';
import type { ServerIdentity, Subnet } from '../domain/site.js';
import type { System } from '../domain/system.js';
import type { Assignment } from './assignment.js';
import { bootMenu, chosenRole } from './boot-menu.js';
import { commandLine } from './command-line.js';
import { type BootableSystem, planSystems } from './system-plan.js';

/** A file of an image as a boot loader asks for it. */
export interface PlannedFile {
  /** Last segment of the URL: iPXE names the file after it, and `initrd=` must repeat that name under UEFI. */
  readonly file: string;
  readonly path: string;
  readonly url: string;
  readonly digest: string;
  readonly size: number;
}

/** One value of the answer and why it is that value. */
export interface Explained {
  readonly key: string;
  readonly value: string;
  readonly reason: string;
}

export type BootPlan =
  | {
      readonly kind: 'boot';
      readonly mode: 'resident' | 'single' | 'discover';
      readonly name: string;
      readonly kernelReference: string;
      /** `name:version`. */
      readonly kernelVersion: string;
      readonly rootfsVersion?: string;
      readonly kernel: PlannedFile;
      readonly initrd: PlannedFile;
      readonly modules: PlannedFile;
      /** The live OS, in single mode the template of the one system, in discover mode nothing. */
      readonly rootfs?: PlannedFile;
      readonly systems: readonly BootableSystem[];
      readonly params: Readonly<Record<string, string>>;
      /** The whole kernel command line. */
      readonly args: string;
      /** What else may be chosen at the machine, each with its command line. */
      readonly menu?: PlannedMenu;
      /** Every version that this boot loads, as `name:version`. */
      readonly images: readonly string[];
      readonly why: readonly Explained[];
    }
  | { readonly kind: 'local'; readonly name: string; readonly reason: string; readonly why: readonly Explained[] }
  | {
      readonly kind: 'none';
      readonly name: string;
      readonly reason: string;
      readonly remedy: string;
      /** Absent = there is nothing to boot. */
      readonly diagnosis?: Diagnosis;
      readonly why: readonly Explained[];
    };

export interface PlannedMenu {
  readonly seconds: number;
  /** Label of the entry that starts when nobody chooses. */
  readonly default: string;
  readonly entries: readonly { readonly label: string; readonly text: string; readonly args: string }[];
}

export interface BootPlanInput {
  readonly assignment: Assignment;
  readonly mac: Mac;
  /** Machine name; a dashed MAC for an unknown one. */
  readonly name: string;
  /** Whose systems these are, if not the machine's own: a spare runs them as those of the machine that it stands for. */
  readonly standsFor?: string | undefined;
  readonly server: ServerIdentity;
  readonly subnet: Subnet | undefined;
  /** The address given in this session, else the reservation. */
  readonly address: Ipv4 | undefined;
  readonly reserved: boolean;
  readonly session: string | undefined;
  /** Absent for everyone but the machine itself. */
  readonly nonce: string | undefined;
  readonly system: (name: string) => System | undefined;
  readonly image: (reference: string) => Image | undefined;
  /** Of a fixed address of a system; absent: none is known. */
  readonly subnetOf?: (address: Ipv4) => Subnet | undefined;
  /** From the boot menu; absent: what the role itself says. */
  readonly choice?: BootChoice | undefined;
  /** The file failed its verification and is not given to anybody. */
  readonly isDamaged: (digest: Digest) => boolean;
}

/** File names in URLs; the part of the image they stand for. */
export const PART_FILES: Readonly<Record<ImagePart, string>> = {
  vmlinuz: 'vmlinuz',
  initrd: 'initrd.img',
  modules: 'modules.squashfs',
  rootfs: 'rootfs.squashfs',
  disk: 'disk.img',
};

function plannedFile(file: ImageFile, server: ServerIdentity): PlannedFile {
  const name = PART_FILES[file.part];
  const path = `/images/sha256/${file.digest}/${name}`;
  return { file: name, path, url: server.url + path, digest: file.digest, size: file.size };
}

/** What this machine boots: images, systems and the whole kernel command line, each value with its reason. Never throws. */
export function decideBootPlan(input: BootPlanInput): BootPlan {
  const { assignment, name } = input;
  const why: Explained[] = [{ key: 'assignment', value: assignment.kind, reason: assignment.reason }];
  if (assignment.kind === 'none') {
    return {
      kind: 'none',
      name,
      reason: assignment.reason,
      remedy: 'give the machine a role: anybios machine assign NAME ROLE',
      why,
    };
  }
  const { profile } = assignment;
  why.push({
    key: 'profile',
    value: profile.name,
    reason: assignment.kind === 'role' ? `role ${assignment.role.name} names it` : assignment.reason,
  });
  if (profile.kind === 'local')
    return { kind: 'local', name, reason: `profile ${profile.name} leaves the machine to its own disk`, why };
  try {
    return planBoot(input, assignment, why);
  } catch (error) {
    if (!(error instanceof AnybiosError)) throw error;
    const remedy = error.remedy ?? 'see anybios machine explain';
    const none = { kind: 'none', name, reason: error.message, remedy, why } as const;
    if (error.code !== 'unavailable') return none;
    return { ...none, diagnosis: { name: 'image-damaged', message: error.message, remedy } };
  }
}

function planBoot(input: BootPlanInput, assignment: Exclude<Assignment, { kind: 'none' }>, why: Explained[]): BootPlan {
  const { name, mac, server } = input;
  const { profile } = assignment;
  const role =
    assignment.kind === 'role' ? chosenRole(assignment.role, profile, input.choice, input.system) : undefined;
  const mode = role?.mode ?? 'discover';
  const say = (key: string, value: string, reason: string): void => void why.push({ key, value, reason });

  const images = new Set<string>();
  const part = (reference: string, wanted: ImagePart, whose: string): PlannedFile => {
    const image = input.image(reference);
    const file = image?.files.find((f) => f.part === wanted);
    if (image === undefined || file === undefined) {
      throw new AnybiosError('not_found', `${whose} needs image ${reference} (${wanted}), which is not there`, {
        field: 'image',
        remedy: `anybios image import ${reference}, or anybios assets build for the shipped ones`,
      });
    }
    const version = versionKey(image);
    if (input.isDamaged(file.digest)) {
      throw new AnybiosError(
        'unavailable',
        `${whose} needs image ${version}, whose ${wanted} is damaged on the server`,
        {
          field: 'image',
          remedy: `import the same files again, or let it use another version: anybios image show ${version}`,
        },
      );
    }
    images.add(version);
    say(
      wanted === 'rootfs' ? `image ${reference}` : wanted,
      `${image.name}:${image.version} ${file.digest.slice(0, 12)}`,
      `${whose} names ${reference}`,
    );
    return plannedFile(file, server);
  };

  const kernelReference = profile.kernel ?? 'kernel';
  const kernel = part(kernelReference, 'vmlinuz', `profile ${profile.name}`);
  const initrd = part(kernelReference, 'initrd', `profile ${profile.name}`);
  const modules = part(kernelReference, 'modules', `profile ${profile.name}`);
  const versionOf = (reference: string): string => {
    const image = input.image(reference);
    return image === undefined ? reference : versionKey(image);
  };
  const named = (role?.systems ?? []).map((systemName): System => {
    const system = input.system(systemName);
    if (system === undefined) {
      throw new AnybiosError('not_found', `role ${role?.name} names system ${systemName}, which does not exist`, {
        remedy: 'anybios apply a site file that defines it',
      });
    }
    return system;
  });
  const systems = planSystems({
    machine: input.standsFor ?? name,
    systems: named,
    dns: input.subnet?.dns ?? [],
    subnetOf: input.subnetOf ?? (() => undefined),
    part,
  });
  let rootfs: PlannedFile | undefined;
  let rootfsReference = profile.rootfs ?? '';
  if (mode === 'resident') rootfs = part(rootfsReference, 'rootfs', `profile ${profile.name}`);
  if (mode === 'single') {
    const [only, ...more] = systems;
    if (only === undefined || more.length > 0) {
      throw new AnybiosError('invalid', `role ${role?.name} is single and has ${systems.length} systems`, {
        remedy: 'a single role names exactly one system',
      });
    }
    if (only.image === undefined) {
      throw new AnybiosError('invalid', `system ${only.system.name} has no root file system of its own`, {
        remedy: 'a single role names a chroot or a container',
      });
    }
    rootfs = only.image;
    rootfsReference = only.system.image ?? '';
  }

  const params = { ...profile.params, ...role?.params };
  const ip = decideIpArgument(input, mode);
  say('ip', ip.value, ip.reason);
  const line = commandLine({
    profile,
    params,
    ip: ip.value,
    mac,
    systems: systems.map(({ system }) => system.name),
    mode,
    serverUrl: server.url,
    rootfs,
    choice: input.choice,
    session: input.session,
    nonce: input.nonce,
  });
  say('command line', line, 'profile arguments, then the server’s own');
  return {
    kind: 'boot',
    mode,
    name,
    kernelReference,
    kernelVersion: versionOf(kernelReference),
    ...(rootfs === undefined ? {} : { rootfsVersion: versionOf(rootfsReference) }),
    kernel,
    initrd,
    modules,
    ...(rootfs === undefined ? {} : { rootfs }),
    systems,
    params,
    args: line,
    ...planMenu(input, assignment),
    images: [...images],
    why,
  };
}

/** The other command lines; none for a plan that is itself a choice. */
function planMenu(
  input: BootPlanInput,
  assignment: Exclude<Assignment, { kind: 'none' }>,
): { readonly menu?: PlannedMenu } {
  if (assignment.kind !== 'role' || input.choice !== undefined) return {};
  const menu = bootMenu(assignment.role, assignment.profile, input.system);
  if (menu === undefined) return {};
  const entries = menu.entries.map(({ label, text, choice }) => {
    const plan = planBoot({ ...input, choice }, assignment, []);
    return { label, text, args: plan.kind === 'boot' ? plan.args : '' };
  });
  return { menu: { seconds: menu.seconds, default: menu.default, entries } };
}

/**
 * `ip=` as in the kernel's Documentation/admin-guide/nfs/nfsroot.rst: client:server:gateway:netmask:host:device:autoconf:dns0:dns1.
 * Static where the server knows that the lease is renewed for the machine (resident) or the address is reserved.
 */
function decideIpArgument(
  input: BootPlanInput,
  mode: 'resident' | 'single' | 'discover',
): { readonly value: string; readonly reason: string } {
  const { subnet, address, server, name } = input;
  if (address === undefined) return { value: 'ip=dhcp', reason: 'no address has been given to it yet' };
  if (subnet === undefined || subnet.mode !== 'full')
    return { value: 'ip=dhcp', reason: 'the addresses here are not given by this server' };
  if (mode === 'single' && !input.reserved)
    return { value: 'ip=dhcp', reason: 'single mode without a reserved address: the system renews the lease itself' };
  const [dns0, dns1] = subnet.dns;
  const fields = [
    formatIpv4(address),
    formatIpv4(server.address),
    subnet.router === undefined ? '' : formatIpv4(subnet.router),
    formatIpv4(netmask(subnet.cidr.prefix)),
    name,
    '', // the device: BOOTIF says it
    'off',
    dns0 === undefined ? '' : formatIpv4(dns0),
    dns1 === undefined ? '' : formatIpv4(dns1),
  ];
  return {
    value: `ip=${fields.join(':').replace(/:+$/, '')}`,
    reason: input.reserved ? 'reserved address of the machine' : 'address of its lease, renewed by each heartbeat',
  };
}
