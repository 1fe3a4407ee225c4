import { afterOffer, type StyleMemory, usualStyle } from '../decide/proxy-style.js';
import type { BootSession } from '../domain/boot-session.js';
import type { ProxyStyle } from '../domain/machine.js';
import type { DhcpFacts } from './contract.js';
import type { Observations } from './observations.js';
import type { Sessions } from './sessions.js';

/** Which style of proxy offer a machine understands: tried until one leads to a loader, then kept with what was observed of it. */
export class ProxyMemory {
  readonly #observations: Observations;
  readonly #sessions: Sessions;
  /** The style of the last offer in proxy mode, and how many of it were made since a loader was fetched. */
  readonly #offers = new Map<string, { readonly style: ProxyStyle; readonly count: number }>();

  constructor(observations: Observations, sessions: Sessions) {
    this.#observations = observations;
    this.#sessions = sessions;
  }

  styleOf(key: string, facts: DhcpFacts): StyleMemory {
    const seen = this.#observations.get(key);
    return {
      style: seen?.proxyStyle ?? usualStyle(facts.arch),
      proven: seen?.proxyStyleProven === true,
      offers: this.#offers.get(key)?.count ?? 0,
    };
  }

  /** Counts the offer; after too many that led nowhere the next one is of the other style. */
  offered(key: string, facts: DhcpFacts, style: ProxyStyle, session: BootSession | undefined): void {
    const { memory, switched } = afterOffer({ ...this.styleOf(key, facts), style });
    this.#offers.set(key, { style, count: memory.offers });
    if (!switched) return;
    this.#observations.update(key, facts.mac, { proxyStyle: memory.style, proxyStyleProven: undefined });
    if (session !== undefined)
      this.#sessions.event(
        session,
        'dhcp',
        'dhcp.proxy-style',
        `no boot loader was fetched after the offers of style ${style}: the next one is of style ${memory.style}`,
        { style: memory.style },
      );
  }

  /** It fetches a loader, so it has understood the offer. */
  fetched(session: BootSession): void {
    const offer = this.#offers.get(session.key);
    if (session.dhcpMode !== 'proxy' || offer === undefined) return;
    this.#offers.delete(session.key);
    const seen = this.#observations.get(session.key);
    if (seen?.proxyStyle === offer.style && seen.proxyStyleProven === true) return;
    this.#observations.update(session.key, session.mac, { proxyStyle: offer.style, proxyStyleProven: true });
  }
}
