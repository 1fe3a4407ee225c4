import type { Assignment } from '../decide/assignment.js';
import { chooseLoader, type LoaderChoice, type LoaderSetting } from '../decide/loader.js';
import type { BootFileSetting } from '../decide/own-boot-file.js';
import { macDashed } from '../domain/mac.js';
import type { Machine } from '../domain/machine.js';
import type { Loader } from '../domain/role.js';
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
    const bootFiles: readonly BootFileSetting[] = [
      { source: 'machine', files: machine?.bootFiles },
      { source: 'profile', files: assignment.profile.bootFiles },
      { source: 'subnet', files: subnet.bootFiles },
    ];
    const settings: readonly (readonly [LoaderSetting['source'], Loader | undefined])[] = [
      ['machine', machine?.loader],
      ['role', assignment.kind === 'role' ? assignment.role.loader : undefined],
      ['profile', assignment.profile.loader],
      ['subnet', subnet.loader],
    ];
    const [source, loader] = settings.find(([, value]) => value !== undefined) ?? ['default', undefined];
    const secureBoot = this.#deps.observations.get(machine?.name ?? facts.mac)?.secureBoot;
    const mode = subnet.mode === 'proxy' ? 'proxy' : 'full';
    return chooseLoader({ facts, mode, setting: { source, loader: loader ?? 'auto' }, bootFiles, secureBoot });
  }

  /** Shipped loaders lie under /boot, the site's own files under /files; a whole URL is given as it is. */
  #urlOf(file: string): string {
    if (file.includes('://')) return file;
    const { url } = this.#deps.planner.identity;
    return FIRST_LOADERS.has(file) ? `${url}/boot/${file}` : `${url}/files/${file.replace(/^\/+/, '')}`;
  }
}
