import type { DhcpFacts, DhcpStep, Sender } from '../boot/contract.js';
import { classifyDhcp, netboots } from '../decide/classify.js';
import type { DhcpContext, DhcpDecision, DhcpRecord, DhcpReply } from '../decide/dhcp-decision.js';
import { decideDhcp } from '../decide/offer.js';
import { decideSecondLeg } from '../decide/proxy.js';
import { selectSubnet } from '../decide/subnet.js';
import type { Diagnosis } from '../domain/boot-session.js';
import { formatCidr, type Ipv4 } from '../domain/ipv4.js';
import type { LeaseChange } from '../domain/lease.js';
import { getOption } from '../wire/dhcp/options.js';
import { type DhcpPacket, encodePacket, replyLimit } from '../wire/dhcp/packet.js';
import { relayWord } from '../wire/dhcp/relay.js';
import { WireError } from '../wire/wire-error.js';
import { Scratch } from '../wire/writer.js';
import type { DhcpCounts, DhcpServer, DhcpServerOptions } from './contract.js';
import { addressTowards, decode, type Exchange, endsIpv6Wait } from './exchange.js';
import { DhcpLinks } from './links.js';
import type { DhcpSite } from './links-needed.js';
import { NewAddresses } from './new-addresses.js';
import { factsOfPacket, wordOf, xidOf } from './packet-words.js';
import type { SecondLegLink, SecondLegPeer } from './second-leg.js';
import type { DhcpLink } from './socket.js';
import { Announcement, Answered } from './told-steps.js';

export function createDhcpServer(options: DhcpServerOptions): DhcpServer {
  const { boot, leases, log, identity } = options;
  let site: DhcpSite = { subnets: options.subnets, mode: options.mode ?? 'full' };
  const counts: DhcpCounts = { received: 0, replied: 0, ignored: 0, malformed: 0, failed: 0 };
  const links = new DhcpLinks({
    ...options,
    packet: (bytes, link) => run(() => serve(bytes, link), link),
    secondLegPacket: (bytes, from, link) => run(() => serveSecondLeg(bytes, from, link), link),
    error: failed,
  });
  /** `send` copies what it is given. */
  const scratch = new Scratch(2048);
  const newAddresses = new NewAddresses(boot, leases);
  let ownAddresses: readonly Ipv4[] = [];
  let closing = false;
  /** Packets that wait for the wire or the disk. A Set of them would be changed for each (domain/churning-map.ts). */
  let underway = 0;
  let whenDone: (() => void) | undefined;
  let malformedLoggedAt = Number.NEGATIVE_INFINITY;

  /** One packet, whole story: decode, look up, decide, save, encode and send. What waits for the wire or the disk is a promise. */
  function serve(bytes: Uint8Array, link: DhcpLink): Promise<void> | undefined {
    if (options.guard?.admits(bytes, link.name) === false) {
      options.metrics?.count('any', 'limited');
      return undefined;
    }
    const began = performance.now();
    const request = decode(bytes);
    const facts = classifyDhcp(request);
    try {
      const now = Math.floor(options.clock() / 1000);
      const sender = boot.senderOf(facts);
      const context = lookUp(request, facts, sender, link, now);
      const mode = typeof context === 'string' ? site.mode : context.subnet.mode;
      options.watch?.heard(request, { interface: link.name, mode, ownAddresses, subnets: site.subnets });
      if (typeof context === 'string') {
        ignore(facts, request, context, { quiet: site.mode !== 'full' });
        return undefined;
      }
      const exchange: Exchange = { request, facts, context, link, began };
      announce(exchange, sender);
      const decision = decideDhcp(request, context);
      const mustLook = decision.kind === 'reply' && decision.isNew === true && context.subnet.probeMs !== undefined;
      const waiting = mustLook ? lookOnWire(decision, exchange) : carryOut(decision, exchange, sender);
      return waiting?.catch((error: unknown) => unanswered(facts, request, error));
    } catch (error) {
      return unanswered(facts, request, error);
    }
  }

  async function lookOnWire(first: DhcpDecision, exchange: Exchange): Promise<void> {
    const { request, facts, context, link } = exchange;
    const decision = await newAddresses.checked(first, request, context, link, () => decideDhcp(request, context));
    await carryOut(decision, exchange, boot.senderOf(facts));
  }

  function carryOut(decision: DhcpDecision, exchange: Exchange, sender: Sender): Promise<void> | undefined {
    const { request, facts, context } = exchange;
    switch (decision.kind) {
      case 'ignore':
        ignore(facts, request, decision.reason, decision);
        return undefined;
      case 'note':
        boot.step(decision.step, sender);
        return undefined;
      case 'record':
        return record(decision, exchange);
      case 'reply':
        if (decision.hold !== undefined) leases.hold(decision.hold, facts.mac, context.now);
        if (decision.change !== undefined) return saveAndAnswer(decision, decision.change, exchange);
        answer(decision, exchange, sender);
        return undefined;
    }
  }

  /** DECLINE and RELEASE. */
  async function record(decision: DhcpRecord, { request, facts, context, link }: Exchange): Promise<void> {
    const { change, step } = decision;
    const isDecline = change.lease.state === 'declined';
    if (isDecline && options.guard?.admitsDecline(facts.mac, formatCidr(context.subnet.cidr), link.name) === false)
      return ignore(facts, request, 'too many DECLINEs', { quiet: true });
    await leases.save(change, context.now);
    boot.step(step, boot.senderOf(facts));
  }

  /** The lease is on the disk before its ACK leaves. */
  async function saveAndAnswer(reply: DhcpReply, change: LeaseChange, exchange: Exchange): Promise<void> {
    const outcome = await leases.save(change, exchange.context.now);
    const final = outcome === 'conflict' ? (reply.onConflict?.() ?? reply) : reply;
    answer(final, exchange, boot.senderOf(exchange.facts));
  }

  function answer({ message, path, step }: DhcpReply, exchange: Exchange, sender: Sender): void {
    const { request, facts, context, link, began } = exchange;
    const bytes = encodePacket(message, replyLimit(request), scratch);
    // Before it leaves: the machine's next request, by TFTP, can be here before this function has returned.
    boot.step(new Answered(request, facts, step), sender);
    link.send(bytes, path, context.serverId, (error) => {
      counts.replied--;
      ignore(facts, request, error.message);
      failed(error, link);
    });
    if (endsIpv6Wait(exchange, step)) tellNoRouter(facts, link);
    counts.replied++;
    options.metrics?.count(wordOf(request), step.message);
    options.metrics?.took(performance.now() - began);
    // One line for an exchange: its end.
    if (step.message === 'offer') return;
    log.info(
      { machine: context.machine?.name, interface: link.name, xid: xidOf(request) },
      `${facts.mac}: ${step.text}`,
    );
  }

  /** The boot goes on without it, only later. */
  function tellNoRouter({ mac }: DhcpFacts, link: DhcpLink): void {
    try {
      link.tellNoRouter?.(mac);
    } catch (error) {
      failed(error, link);
    }
  }

  function unanswered(facts: DhcpFacts, request: DhcpPacket, error: unknown): never {
    ignore(facts, request, error instanceof Error ? error.message : String(error));
    throw error;
  }

  function lookUp(
    request: DhcpPacket,
    facts: DhcpFacts,
    sender: Sender,
    link: Pick<DhcpLink, 'addresses'>,
    now: number,
  ): DhcpContext | string {
    const choice = selectSubnet(request, { subnets: site.subnets, interfaceAddresses: link.addresses, ownAddresses });
    if (choice.kind === 'none') return choice.reason;
    if (sender.impostorOf !== undefined) {
      // An ACK would open that machine's address at this port, in switches that filter by what they see of DHCP.
      return `its MAC is the one of ${sender.impostorOf}, which is pinned to another port: nothing is given to it`;
    }
    const { subnet } = choice;
    const serverId = relayWord(request)?.serverIdOverride ?? addressTowards(link, subnet, identity.address);
    return {
      facts,
      machine: sender.machine,
      role: sender.role,
      subnet,
      identity,
      serverId,
      ownAddresses,
      addresses: leases,
      bootOffer: () => boot.bootOffer(facts, subnet, sender),
      now,
    };
  }

  /** What came in, before what is done about it: a DISCOVER opens the boot session that the decision belongs to. */
  function announce({ request, facts, context }: Exchange, sender: Sender): void {
    const { subnet } = context;
    const message = getOption(request.options, 'messageType');
    if (request.op !== 'request' || subnet.mode === 'off') return;
    if (message !== 'discover' && message !== 'request' && message !== 'inform') return;
    // Where others give the addresses only the start of a boot is ours to tell; what follows is a decision's own step.
    if (subnet.mode !== 'full' && (message !== 'discover' || !netboots(facts))) return;
    boot.step(new Announcement(request, facts, message, subnet.mode === 'full' ? undefined : subnet.mode), sender);
  }

  function ignore(
    facts: DhcpFacts,
    request: DhcpPacket,
    reason: string,
    { quiet, diagnosis }: { readonly quiet?: boolean; readonly diagnosis?: Diagnosis } = {},
  ): void {
    counts.ignored++;
    options.metrics?.count(wordOf(request), 'ignored');
    if (quiet === true) return;
    const step: DhcpStep = {
      facts,
      message: 'ignored',
      text: `ignored: ${reason}`,
      data: { ...factsOfPacket(request), reason },
      ...(diagnosis === undefined ? {} : { diagnosis }),
    };
    boot.step(step, boot.senderOf(facts));
  }

  /** Port 4011: the client has an address and asks for its boot file. */
  async function serveSecondLeg(bytes: Uint8Array, from: SecondLegPeer, link: SecondLegLink): Promise<void> {
    const request = decode(bytes);
    const facts = classifyDhcp(request);
    const sender = boot.senderOf(facts);
    const context = lookUp(request, facts, sender, link, Math.floor(options.clock() / 1000));
    if (typeof context === 'string' || context.subnet.mode !== 'proxy')
      return ignore(facts, request, '', { quiet: true });
    const decision = decideSecondLeg(request, context);
    if (decision.kind === 'ignore') return ignore(facts, request, decision.reason, decision);
    if (decision.kind !== 'reply') return;
    const answer = encodePacket(decision.message, replyLimit(request));
    boot.step(decision.step, sender);
    await link.send(answer, from);
    counts.replied++;
    const { text, data } = decision.step;
    log.info(
      { mac: facts.mac, machine: context.machine?.name, interface: link.name, ...data },
      `${facts.mac}: ${text}`,
    );
  }

  function failed(error: unknown, link: Pick<DhcpLink, 'name'>): void {
    if (error instanceof WireError) {
      counts.malformed++;
      options.metrics?.count('any', 'malformed');
      options.guard?.malformed(error.field, error.message, link.name);
      // At most one line a second: whoever sends broken packets must not fill the disk.
      if (options.clock() - malformedLoggedAt < 1000) return;
      malformedLoggedAt = options.clock();
      log.warn({ interface: link.name, malformed: counts.malformed, reason: error.message }, 'malformed DHCP packet');
      return;
    }
    counts.failed++;
    log.error({ interface: link.name, error }, 'a DHCP packet could not be answered');
  }

  function run(work: () => Promise<void> | undefined, link: Pick<DhcpLink, 'name'>): void {
    if (closing) return;
    counts.received++;
    try {
      const waiting = work();
      if (waiting === undefined) return;
      underway++;
      waiting
        .catch((error: unknown) => failed(error, link))
        .finally(() => {
          underway--;
          if (underway === 0) whenDone?.();
        });
    } catch (error) {
      failed(error, link);
    }
  }

  function configure(next: DhcpSite, atOnce?: () => void): Promise<void> {
    return links.configure(next, (addresses) => {
      site = next;
      ownAddresses = addresses;
      atOnce?.();
    });
  }

  return {
    counts,
    start: () => configure(site),
    configure,
    async close() {
      closing = true;
      const done = new Promise<void>((resolve) => {
        whenDone = resolve;
      });
      if (underway > 0) await done;
      await links.close();
    },
  };
}
