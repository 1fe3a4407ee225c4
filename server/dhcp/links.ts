import { contains, type Ipv4 } from '../domain/ipv4.js';
import type { DhcpMode } from '../domain/site.js';
import { type DhcpSite, needsLink, needsSecondLeg } from './links-needed.js';
import { type OpenSecondLeg, openSecondLeg, type SecondLegEvents, type SecondLegLink } from './second-leg.js';
import { type DhcpLink, type LinkEvents, type OpenDhcpLink, openDhcpLink, presentAddresses } from './socket.js';
import type { WireWatch } from './wire-watch.js';

export interface DhcpLinksOptions {
  readonly interfaces: readonly string[];
  readonly packet: LinkEvents['packet'];
  readonly secondLegPacket: SecondLegEvents['packet'];
  readonly error: (error: Error, link: { readonly name: string }) => void;
  /** Tests without root give their own. */
  readonly openLink?: OpenDhcpLink | undefined;
  readonly openSecondLeg?: OpenSecondLeg | undefined;
  readonly watch?: Pick<WireWatch, 'start' | 'stop'> | undefined;
}

/** The sockets of all interfaces: opened and closed as the configuration needs them. */
export class DhcpLinks {
  readonly #options: DhcpLinksOptions;
  readonly #links = new Map<string, DhcpLink>();
  readonly #secondLegs = new Map<string, SecondLegLink>();

  constructor(options: DhcpLinksOptions) {
    this.#options = options;
  }

  /**
   * Opens what `next` needs, then it holds (`taken` is told the addresses of all links), then what it does not need is closed.
   * Rejects with `unavailable` when one cannot be opened; then nothing has changed.
   */
  async configure(next: DhcpSite, taken: (ownAddresses: readonly Ipv4[]) => void): Promise<void> {
    const { interfaces, watch, packet, secondLegPacket, error } = this.#options;
    const links = this.#links;
    const secondLegs = this.#secondLegs;
    const all = interfaces.flatMap(presentAddresses);
    const wanted = interfaces.filter((name) => needsLink(presentAddresses(name), all, next));
    const opened: (DhcpLink | SecondLegLink)[] = [];
    try {
      for (const name of wanted) {
        if (links.has(name)) continue;
        const link = await (this.#options.openLink ?? openDhcpLink)(name, { packet, error });
        opened.push(link);
        links.set(name, link);
      }
      const addresses = wanted.flatMap((name) => links.get(name)?.addresses ?? []);
      const legs = wanted.filter((name) => needsSecondLeg(links.get(name)?.addresses ?? [], addresses, next));
      for (const name of legs) {
        if (secondLegs.has(name)) continue;
        const leg = await (this.#options.openSecondLeg ?? openSecondLeg)(name, {
          packet: secondLegPacket,
          error: (cause) => error(cause, { name }),
        });
        opened.push(leg);
        secondLegs.set(name, leg);
      }
      taken(addresses);
      const unwanted = [
        ...remove(links, (name) => !wanted.includes(name)),
        ...remove(secondLegs, (name) => !legs.includes(name)),
      ];
      watch?.start(
        wanted.map((name) => ({ name, mode: modeOf(links.get(name), next) })),
        { ownAddresses: addresses, subnets: next.subnets },
      );
      await Promise.all(unwanted.map((link) => link.close()));
    } catch (cause) {
      remove(links, (_name, link) => opened.includes(link));
      remove(secondLegs, (_name, leg) => opened.includes(leg));
      await Promise.all(opened.map((link) => link.close()));
      throw cause;
    }
  }

  async close(): Promise<void> {
    this.#options.watch?.stop();
    const open = [...this.#links.values(), ...this.#secondLegs.values()];
    this.#links.clear();
    this.#secondLegs.clear();
    await Promise.all(open.map((link) => link.close()));
  }
}

function modeOf(link: DhcpLink | undefined, { subnets, mode }: DhcpSite): DhcpMode {
  return subnets.find(({ cidr }) => link?.addresses.some((own) => contains(cidr, own)))?.mode ?? mode;
}

/** Takes out of `map` what `isMatch` says, and returns it. */
function remove<V>(map: Map<string, V>, isMatch: (name: string, value: V) => boolean): V[] {
  const found = [...map].filter(([name, value]) => isMatch(name, value));
  for (const [name] of found) map.delete(name);
  return found.map(([, value]) => value);
}
