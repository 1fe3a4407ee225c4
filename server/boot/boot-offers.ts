import type { Assignment } from '../decide/assignment.js';
import { chooseLoader, type LoaderChoice, type LoaderSetting } from '../decide/loader.js';
import type { BootFileSetting } from '../decide/own-boot-file.js';
import { macDashed } from '../domain/mac.js';
import type { Machine } from '../domain/machine.js';
import type { Profile } from '../domain/profile.js';
import type { Role } from '../domain/role.js';
import type { BootOffer, BootSubnet, DhcpFacts, Sender } from './contract.js';
import type { Observations } from './observations.js';
import type { Planner } from './planner.js';
import type { ProxyMemory } from './proxy-memory.js';
import { FIRST_LOADERS } from './transfers.js';

export interface BootOffersDeps {
  readonly observations: Observations;
  readonly planner: Planner;
  readonly proxy: ProxyMemory;
}

/** What a machine is told to load next. Pure reading. */
export class BootOffers {
  readonly #deps: BootOffersDeps;

  constructor(deps: BootOffersDeps) {
    this.#deps = deps;
  }

  offerFor(facts: DhcpFacts, { machine, assignment }: Sender, subnet: BootSubnet): BootOffer {
    const { planner, proxy } = this.#deps;
    if (facts.client === 'os' || facts.client === 'bootp')
      return { kind: 'none', reason: 'not a netboot client: addresses only' };
    if (assignment.kind === 'none') return { kind: 'none', reason: assignment.reason };
    if (facts.client === 'ipxe') {
      const url = `${planner.identity.url}/boot/ipxe/${macDashed(facts.mac)}`;
      return { kind: 'script', url, reason: `iPXE asks: the script of ${machine?.name ?? facts.mac}` };
    }
    if (assignment.profile.kind === 'local')
      return { kind: 'none', reason: `${assignment.reason}; profile ${assignment.profile.name}: its own disk` };
    const choice = this.#chooseLoader(facts, machine, assignment, subnet);
    if (choice.kind === 'none') return choice;
    // HTTP firmware wants a whole URL that ends in .efi (docs/hardware.md: OVMF); TFTP firmware a bare name at the root.
    const file = choice.transport === 'http' ? this.#urlOf(choice.file) : choice.file;
    const offer = {
      kind: 'loader',
      file,
      loader: choice.loader,
      reason: `${assignment.reason}; ${choice.reason}`,
    } as const;
    if (subnet.mode !== 'proxy' || facts.client !== 'pxe') return offer;
    return { ...offer, proxyStyle: proxy.styleOf(machine?.name ?? facts.mac, facts).style };
  }

  /** The nearest setting of machine, role, profile and subnet wins; `auto` looks at what is known of Secure Boot. */
  #chooseLoader(
    facts: DhcpFacts,
    machine: Machine | undefined,
    assignment: Exclude<Assignment, { kind: 'none' }>,
    subnet: BootSubnet,
  ): LoaderChoice {
    const bootFiles: BootFileSetting[] = [];
    if (machine?.bootFiles !== undefined) bootFiles.push({ source: 'machine', files: machine.bootFiles });
    const { profile } = assignment;
    if (profile.bootFiles !== undefined) bootFiles.push({ source: 'profile', files: profile.bootFiles });
    if (subnet.bootFiles !== undefined) bootFiles.push({ source: 'subnet', files: subnet.bootFiles });
    const secureBoot = this.#deps.observations.get(machine?.name ?? facts.mac)?.secureBoot;
    const mode = subnet.mode === 'proxy' ? 'proxy' : 'full';
    const role = assignment.kind === 'role' ? assignment.role : undefined;
    return chooseLoader({ facts, mode, setting: nearest(machine, role, profile, subnet), bootFiles, secureBoot });
  }

  /** Shipped loaders lie under /boot, the site's own files under /files; a whole URL is given as it is. */
  #urlOf(file: string): string {
    if (file.includes('://')) return file;
    const { url } = this.#deps.planner.identity;
    return FIRST_LOADERS.has(file) ? `${url}/boot/${file}` : `${url}/files/${file.replace(/^\/+/, '')}`;
  }
}

function nearest(
  machine: Machine | undefined,
  role: Role | undefined,
  profile: Profile,
  subnet: BootSubnet,
): LoaderSetting {
  if (machine?.loader !== undefined) return { source: 'machine', loader: machine.loader };
  if (role?.loader !== undefined) return { source: 'role', loader: role.loader };
  if (profile.loader !== undefined) return { source: 'profile', loader: profile.loader };
  if (subnet.loader !== undefined) return { source: 'subnet', loader: subnet.loader };
  return BY_DEFAULT;
}

const BY_DEFAULT: LoaderSetting = { source: 'default', loader: 'auto' };
