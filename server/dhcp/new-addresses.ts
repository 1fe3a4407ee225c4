import type { DhcpBoot } from '../boot/contract.js';
import { step } from '../decide/answer.js';
import type { DhcpContext, DhcpDecision } from '../decide/dhcp-decision.js';
import { contains, formatIpv4, type Ipv4, UNSPECIFIED } from '../domain/ipv4.js';
import type { Mac } from '../domain/mac.js';
import { HOLD_SECONDS } from '../state/holds.js';
import type { LeaseBook } from '../state/leases.js';
import type { DhcpPacket } from '../wire/dhcp/packet.js';
import type { DhcpLink } from './socket.js';

/** An answer to ICMP does not tell the MAC. */
type Owner = Mac | 'unknown';

/** Stands for it in the quarantined lease. */
const NO_MAC = '00:00:00:00:00:00' as Mac;
/** A wire on which so many addresses in a row are taken is no wire to give addresses on. */
const MOST_PROBES = 3;
/** A flood of DISCOVERs must not become one of ARP, which every machine of the wire has to read. */
const MOST_AT_ONCE = 128;

/**
 * Looks for the owner of a new address before it is offered (`probe` of the subnet): by ARP on the server's own wires, by ICMP
 * behind a relay. The address is held meanwhile, other packets go on. One that somebody has is quarantined and another is chosen.
 */
export class NewAddresses {
  readonly #boot: Pick<DhcpBoot, 'step' | 'senderOf'>;
  readonly #leases: LeaseBook;
  #looking = 0;
  /** By address and NIC: a DISCOVER that is repeated waits for the same answer. */
  readonly #asked = new Map<string, { readonly at: number; readonly owner: Promise<Owner | undefined> }>();

  constructor(boot: Pick<DhcpBoot, 'step' | 'senderOf'>, leases: LeaseBook) {
    this.#boot = boot;
    this.#leases = leases;
  }

  /** The decision to carry out; `decide` makes another one after a quarantine. */
  async checked(
    first: DhcpDecision,
    request: DhcpPacket,
    context: DhcpContext,
    link: Pick<DhcpLink, 'addresses' | 'answersPing' | 'ownerOf'>,
    decide: () => DhcpDecision,
  ): Promise<DhcpDecision> {
    const { subnet, facts, now } = context;
    const { probeMs } = subnet;
    const isHere = request.giaddr === UNSPECIFIED && link.addresses.some((own) => contains(subnet.cidr, own));
    if (probeMs === undefined) return first;
    const ask = async (address: Ipv4): Promise<Owner | undefined> => {
      if (isHere) return await link.ownerOf?.(address, facts.mac, probeMs);
      return (await link.answersPing?.(address, probeMs)) === true ? 'unknown' : undefined;
    };
    if (this.#looking >= MOST_AT_ONCE) {
      return { kind: 'ignore', reason: `${MOST_AT_ONCE} addresses are being looked for already: it will ask again` };
    }
    let decision = first;
    for (let probes = 0; probes < MOST_PROBES; probes++) {
      if (decision.kind !== 'reply' || decision.hold === undefined || decision.isNew !== true) return decision;
      const address = decision.hold;
      this.#leases.hold(address, facts.mac, now);
      const owner = await this.#ownerOf(address, facts.mac, now, () => ask(address));
      if (owner === undefined) return decision;
      await this.#quarantine(address, owner, context);
      decision = decide();
    }
    return {
      kind: 'ignore',
      reason: `${MOST_PROBES} addresses in a row are in use by machines that did not ask for them`,
    };
  }

  #ownerOf(address: Ipv4, mac: Mac, now: number, ask: () => Promise<Owner | undefined>): Promise<Owner | undefined> {
    for (const [key, { at }] of this.#asked) {
      if (now - at < HOLD_SECONDS) break;
      this.#asked.delete(key);
    }
    const key = `${address} ${mac}`;
    const known = this.#asked.get(key);
    if (known !== undefined) return known.owner;
    this.#looking++;
    const owner = ask().finally(() => this.#looking--);
    this.#asked.set(key, { at: now, owner });
    return owner;
  }

  async #quarantine(address: Ipv4, owner: Owner, context: DhcpContext): Promise<void> {
    const { facts, now, subnet } = context;
    const expected = this.#leases.leaseAt(address);
    // A repeated DISCOVER has done it already: the hold ended with it.
    if (this.#leases.holderOf(address, now) !== facts.mac) return;
    const end = now + subnet.leaseSeconds;
    const mac = owner === 'unknown' ? NO_MAC : owner;
    const lease = { address, mac, state: 'declined', startedAt: now, expiresAt: end } as const;
    await this.#leases.save({ lease, expected }, now);
    const who = owner === 'unknown' ? 'a machine that answers ICMP and' : `${owner}, which`;
    const text = `${formatIpv4(address)} is in use by ${who} did not ask for it: quarantined for ${subnet.leaseSeconds} s`;
    this.#boot.step(step(context, 'decline', text, address, { owner }), this.#boot.senderOf(facts));
  }
}
