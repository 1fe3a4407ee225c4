import type { DhcpBoot } from '../../server/boot/contract.js';
import { classifyDhcp } from '../../server/decide/classify.js';
import type { DhcpDecision } from '../../server/decide/dhcp-decision.js';
import { decideDhcp } from '../../server/decide/offer.js';
import { formatIpv4, type Ipv4 } from '../../server/domain/ipv4.js';
import type { Lease } from '../../server/domain/lease.js';
import type { Machine } from '../../server/domain/machine.js';
import type { Subnet } from '../../server/domain/site.js';
import { LeaseBook, type LeaseStore } from '../../server/state/leases.js';
import { getOption } from '../../server/wire/dhcp/options.js';
import type { DhcpPacket } from '../../server/wire/dhcp/packet.js';
import { relayWord } from '../../server/wire/dhcp/relay.js';
import { type NamedOptions, request } from './dhcp-packets.js';
import { identity, SiteBoot, subnet } from './dhcp-site.js';

const octets = (address: Ipv4): Uint8Array => Uint8Array.from(formatIpv4(address).split('.').map(Number));

/** Keeps leases as the store's contract says, in memory: rules are tried without a disk. */
export class MemoryLeases implements LeaseStore {
  readonly rows = new Map<Ipv4, Lease>();

  async claimLease(lease: Lease, expected: Lease | undefined): Promise<'ok' | 'conflict'> {
    if (JSON.stringify(this.rows.get(lease.address)) !== JSON.stringify(expected)) return 'conflict';
    this.rows.set(lease.address, lease);
    return 'ok';
  }

  async lease(address: Ipv4): Promise<Lease | undefined> {
    return this.rows.get(address);
  }
}

/** Plays packets of clients against the rules and carries out what they decide, with the clock in the test's hand. */
export class RuleSite {
  now = 1_000_000;
  readonly boot: SiteBoot;
  readonly leases: LeaseBook;
  readonly store = new MemoryLeases();
  readonly subnet: Subnet;

  constructor(options: { readonly machines?: readonly Machine[]; readonly subnet?: Partial<Subnet> } = {}) {
    this.boot = new SiteBoot(options.machines);
    this.subnet = subnet(options.subnet);
    this.leases = new LeaseBook({
      leases: [],
      subnets: [this.subnet],
      excluded: [identity.address],
      reservedFor: (address) => this.boot.machines.find((machine) => machine.address === address),
      unaddressed: () => this.boot.machines.filter(({ address }) => address === undefined).length,
      store: this.store,
    });
  }

  decide(packet: DhcpPacket, boot: DhcpBoot = this.boot): DhcpDecision {
    const facts = classifyDhcp(packet);
    const { machine, role } = boot.senderOf(facts);
    return decideDhcp(packet, {
      facts,
      machine,
      role,
      subnet: this.subnet,
      identity,
      serverId: relayWord(packet)?.serverIdOverride ?? identity.address,
      ownAddresses: [identity.address],
      addresses: this.leases,
      bootOffer: () => boot.bootOffer(facts, { mode: 'full' }),
      now: this.now,
    });
  }

  /** Decides and carries out; the answer in one line: `offer 10.77.0.100`, `nak: reason`, `silence: reason`, `saved`. */
  async play(packet: DhcpPacket): Promise<string> {
    const decision = this.decide(packet);
    switch (decision.kind) {
      case 'ignore':
        return `silence: ${decision.reason}`;
      case 'note':
        return `note: ${decision.step.text}`;
      case 'record':
        await this.leases.save(decision.change, this.now);
        return `saved ${decision.change.lease.state}`;
      case 'reply': {
        if (decision.hold !== undefined) this.leases.hold(decision.hold, classifyDhcp(packet).mac, this.now);
        const saved = decision.change === undefined ? 'ok' : await this.leases.save(decision.change, this.now);
        const { message } = saved === 'conflict' ? (decision.onConflict?.() ?? decision) : decision;
        const type = getOption(message.options, 'messageType') ?? 'bootp';
        if (type === 'nak') return `nak: ${getOption(message.options, 'message')}`;
        return message.yiaddr === 0 ? type : `${type} ${formatIpv4(message.yiaddr)}`;
      }
    }
  }

  discover(mac: string, options: NamedOptions = {}): Promise<string> {
    return this.play(request(mac, { messageType: 'discover', ...options }));
  }

  /** The REQUEST that follows our offer. */
  select(mac: string, address: Ipv4, server: Ipv4 = identity.address): Promise<string> {
    return this.play(request(mac, { messageType: 'request', serverId: server, requestedAddress: address }));
  }

  /** The same through a relay that has itself named as the server (RFC 5107). */
  selectThroughRelay(mac: string, address: Ipv4, relay: Ipv4): Promise<string> {
    const relayAgent = new Map([[11, octets(relay)]]);
    const options: NamedOptions = { messageType: 'request', serverId: relay, requestedAddress: address, relayAgent };
    return this.play(request(mac, options, { giaddr: relay }));
  }

  remember(mac: string, address: Ipv4): Promise<string> {
    return this.play(request(mac, { messageType: 'request', requestedAddress: address }));
  }

  renew(mac: string, address: Ipv4): Promise<string> {
    return this.play(request(mac, { messageType: 'request' }, { ciaddr: address }));
  }

  decline(mac: string, address: Ipv4): Promise<string> {
    return this.play(request(mac, { messageType: 'decline', serverId: identity.address, requestedAddress: address }));
  }

  release(mac: string, address: Ipv4): Promise<string> {
    return this.play(request(mac, { messageType: 'release', serverId: identity.address }, { ciaddr: address }));
  }
}
