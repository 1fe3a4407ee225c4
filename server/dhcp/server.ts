import type { DhcpBoot, DhcpFacts } from '../boot/contract.js';
import { classifyDhcp, netboots } from '../decide/classify.js';
import type { DhcpContext, DhcpReply } from '../decide/dhcp-decision.js';
import { decideDhcp } from '../decide/offer.js';
import { decideSecondLeg } from '../decide/proxy.js';
import { selectSubnet } from '../decide/subnet.js';
import type { Diagnosis } from '../domain/boot-session.js';
import { contains, formatCidr, type Ipv4 } from '../domain/ipv4.js';
import type { DhcpMode, ServerIdentity, Subnet } from '../domain/site.js';
import type { LeaseBook } from '../state/leases.js';
import { getOption } from '../wire/dhcp/options.js';
import { type DhcpPacket, decodePacket, encodePacket, replyLimit } from '../wire/dhcp/packet.js';
import { relayWord } from '../wire/dhcp/relay.js';
import { WireError } from '../wire/wire-error.js';
import type { DhcpMetrics } from './dhcp-metrics.js';
import { DhcpLinks } from './links.js';
import type { DhcpSite } from './links-needed.js';
import { NewAddresses } from './new-addresses.js';
import type { PacketGuard } from './packet-guard.js';
import { describeClient, factsOfBuild, factsOfPacket, wordOf } from './packet-words.js';
import type { OpenSecondLeg, SecondLegLink, SecondLegPeer } from './second-leg.js';
import type { DhcpLink, OpenDhcpLink } from './socket.js';
import type { WireWatch } from './wire-watch.js';

/** The part of a pino logger that is used. */
export interface DhcpLog {
  info(data: object, message: string): void;
  warn(data: object, message: string): void;
  error(data: object, message: string): void;
}

export interface DhcpServerOptions {
  readonly interfaces: readonly string[];
  readonly subnets: readonly Subnet[];
  /** For packets from outside of all subnets; default `full`: each has its reason in the events. */
  readonly mode?: DhcpMode;
  readonly identity: ServerIdentity;
  readonly boot: DhcpBoot;
  readonly leases: LeaseBook;
  /** Epoch milliseconds. */
  readonly clock: () => number;
  readonly log: DhcpLog;
  /** How an interface is opened; tests without root give their own. */
  readonly openLink?: OpenDhcpLink;
  readonly openSecondLeg?: OpenSecondLeg;
  /** Told of every packet, for what it says about the network. */
  readonly watch?: Pick<WireWatch, 'heard' | 'start' | 'stop'>;
  /** Asked before a packet is read; told of those that cannot be read. */
  readonly guard?: Pick<PacketGuard, 'admits' | 'admitsDecline' | 'malformed'>;
  readonly metrics?: Pick<DhcpMetrics, 'count' | 'took'>;
}

/** How often each end of an exchange was reached, since the start. */
export interface DhcpCounts {
  received: number;
  replied: number;
  ignored: number;
  malformed: number;
  failed: number;
}

export interface DhcpServer {
  readonly counts: Readonly<DhcpCounts>;
  /** Rejects with `unavailable` when an interface cannot be opened; then none is left open. */
  start(): Promise<void>;
  /**
   * Other subnets and modes from the next packet on; answers under way are finished as they were decided. Sockets are opened and
   * closed as needed. `atOnce` runs between the same two packets. Rejects with `unavailable` when one cannot be opened; then
   * nothing has changed.
   */
  configure(site: DhcpSite, atOnce?: () => void): Promise<void>;
  /** Stops listening and waits for the answers that are on their way. */
  close(): Promise<void>;
}

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
  const newAddresses = new NewAddresses(boot, leases);
  let ownAddresses: readonly Ipv4[] = [];
  let closing = false;
  const underway = new Set<Promise<void>>();
  let malformedLoggedAt = Number.NEGATIVE_INFINITY;

  /** One packet, whole story: decode, look up, decide, save, encode and send. */
  async function serve(bytes: Uint8Array, link: DhcpLink): Promise<void> {
    if (options.guard?.admits(bytes, link.name) === false) return options.metrics?.count('any', 'limited');
    const began = performance.now();
    const request = decodePacket(bytes);
    const facts = classifyDhcp(request);
    try {
      const now = Math.floor(options.clock() / 1000);
      const context = lookUp(request, facts, link, now);
      if (typeof context === 'string') {
        options.watch?.heard(request, { interface: link.name, mode: site.mode, ownAddresses, subnets: site.subnets });
        return ignore(facts, request, context, { quiet: site.mode !== 'full' });
      }
      const { mode } = context.subnet;
      options.watch?.heard(request, { interface: link.name, mode, ownAddresses, subnets: site.subnets });
      announce(request, context);

      let decision = decideDhcp(request, context);
      if (decision.kind === 'reply' && decision.isNew === true && context.subnet.probeMs !== undefined) {
        decision = await newAddresses.checked(decision, request, context, link, () => decideDhcp(request, context));
      }
      if (decision.kind === 'ignore') return ignore(facts, request, decision.reason, decision);
      if (decision.kind === 'note') return boot.step(decision.step);
      if (decision.kind === 'record') {
        const isDecline = decision.change.lease.state === 'declined';
        if (isDecline && options.guard?.admitsDecline(facts.mac, formatCidr(context.subnet.cidr), link.name) === false)
          return ignore(facts, request, 'too many DECLINEs', { quiet: true });
        await leases.save(decision.change, now);
        return boot.step(decision.step);
      }

      let reply: DhcpReply = decision;
      if (reply.hold !== undefined) leases.hold(reply.hold, facts.mac, now);
      if (reply.change !== undefined && (await leases.save(reply.change, now)) === 'conflict') {
        reply = reply.onConflict?.() ?? reply;
      }

      const answer = encodePacket(reply.message, replyLimit(request));
      // Before it leaves: the machine's next request, by TFTP, can be here before `send` has returned.
      const { step } = reply;
      const data = { ...factsOfPacket(request), ...factsOfBuild(facts), ...step.data };
      boot.step({ ...step, text: `${describeClient(facts)}: ${step.text}`, data });
      await link.send(answer, reply.path, context.serverId);
      counts.replied++;
      options.metrics?.count(wordOf(request), step.message);
      options.metrics?.took(performance.now() - began);
      // One line for an exchange: its end.
      if (step.message === 'offer') return;
      log.info({ machine: context.machine?.name, interface: link.name, ...data }, `${facts.mac}: ${step.text}`);
    } catch (error) {
      ignore(facts, request, error instanceof Error ? error.message : String(error));
      throw error;
    }
  }

  function lookUp(
    request: DhcpPacket,
    facts: DhcpFacts,
    link: Pick<DhcpLink, 'addresses'>,
    now: number,
  ): DhcpContext | string {
    const choice = selectSubnet(request, { subnets: site.subnets, interfaceAddresses: link.addresses, ownAddresses });
    if (choice.kind === 'none') return choice.reason;
    const { subnet } = choice;
    const serverId = relayWord(request)?.serverIdOverride ?? addressTowards(link, subnet, identity.address);
    return {
      facts,
      machine: boot.machineOf(facts),
      role: boot.roleOf(facts),
      subnet,
      identity,
      serverId,
      ownAddresses,
      addresses: leases,
      bootOffer: () =>
        boot.bootOffer(facts, {
          mode: subnet.mode === 'proxy' ? 'proxy' : 'full',
          ...(subnet.loader === undefined ? {} : { loader: subnet.loader }),
          ...(subnet.bootFiles === undefined ? {} : { bootFiles: subnet.bootFiles }),
        }),
      now,
    };
  }

  /** What came in, before what is done about it: a DISCOVER opens the boot session that the decision belongs to. */
  function announce(request: DhcpPacket, { facts, subnet }: DhcpContext): void {
    const message = getOption(request.options, 'messageType');
    if (request.op !== 'request' || subnet.mode === 'off') return;
    if (message !== 'discover' && message !== 'request' && message !== 'inform') return;
    // Where others give the addresses only the start of a boot is ours to tell; what follows is a decision's own step.
    if (subnet.mode !== 'full' && (message !== 'discover' || !netboots(facts))) return;
    const mode = subnet.mode === 'full' ? {} : { mode: subnet.mode };
    boot.step({
      facts,
      message,
      ...mode,
      text: `${message} from ${describeClient(facts)}`,
      data: { ...factsOfPacket(request), ...factsOfBuild(facts) },
    });
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
    boot.step({
      facts,
      message: 'ignored',
      text: `ignored: ${reason}`,
      data: { ...factsOfPacket(request), reason },
      ...(diagnosis === undefined ? {} : { diagnosis }),
    });
  }

  /** Port 4011: the client has an address and asks for its boot file. */
  async function serveSecondLeg(bytes: Uint8Array, from: SecondLegPeer, link: SecondLegLink): Promise<void> {
    const request = decodePacket(bytes);
    const facts = classifyDhcp(request);
    const context = lookUp(request, facts, link, Math.floor(options.clock() / 1000));
    if (typeof context === 'string' || context.subnet.mode !== 'proxy')
      return ignore(facts, request, '', { quiet: true });
    const decision = decideSecondLeg(request, context);
    if (decision.kind === 'ignore') return ignore(facts, request, decision.reason, decision);
    if (decision.kind !== 'reply') return;
    const answer = encodePacket(decision.message, replyLimit(request));
    boot.step(decision.step);
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

  function run(work: () => Promise<void>, link: Pick<DhcpLink, 'name'>): void {
    if (closing) return;
    counts.received++;
    const done = work()
      .catch((error: unknown) => failed(error, link))
      .finally(() => underway.delete(done));
    underway.add(done);
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
      await Promise.all(underway);
      await links.close();
    },
  };
}

/** How clients on this subnet reach us: our address in it, else the configured one. */
function addressTowards(link: Pick<DhcpLink, 'addresses'>, subnet: Subnet, fallback: Ipv4): Ipv4 {
  return link.addresses.find((address) => contains(subnet.cidr, address)) ?? fallback;
}
