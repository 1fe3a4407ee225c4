import type { DhcpBoot, DhcpFacts } from '../boot/contract.js';
import { classifyDhcp } from '../decide/classify.js';
import type { DhcpContext, DhcpReply } from '../decide/dhcp-decision.js';
import { decideDhcp } from '../decide/offer.js';
import { selectSubnet } from '../decide/subnet.js';
import { describeArch } from '../domain/arch.js';
import { contains, formatIpv4, type Ipv4 } from '../domain/ipv4.js';
import type { ServerIdentity, Subnet } from '../domain/site.js';
import type { LeaseBook } from '../state/leases.js';
import { getOption } from '../wire/dhcp/options.js';
import { type DhcpPacket, decodePacket, encodePacket, replyLimit } from '../wire/dhcp/packet.js';
import { relayInfo } from '../wire/dhcp/relay.js';
import { WireError } from '../wire/wire-error.js';
import { type DhcpLink, type OpenDhcpLink, openDhcpLink } from './socket.js';

/** The part of a pino logger that is used. */
export interface DhcpLog {
  info(data: object, message: string): void;
  warn(data: object, message: string): void;
  error(data: object, message: string): void;
}

export interface DhcpServerOptions {
  readonly interfaces: readonly string[];
  readonly subnets: readonly Subnet[];
  readonly identity: ServerIdentity;
  readonly boot: DhcpBoot;
  readonly leases: LeaseBook;
  /** Epoch milliseconds. */
  readonly clock: () => number;
  readonly log: DhcpLog;
  /** How an interface is opened; tests without root give their own. */
  readonly openLink?: OpenDhcpLink;
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
  /** Stops listening and waits for the answers that are on their way. */
  close(): Promise<void>;
}

export function createDhcpServer(options: DhcpServerOptions): DhcpServer {
  const { boot, leases, log, subnets, identity } = options;
  const counts: DhcpCounts = { received: 0, replied: 0, ignored: 0, malformed: 0, failed: 0 };
  const links: DhcpLink[] = [];
  let ownAddresses: readonly Ipv4[] = [];
  let closing = false;
  const underway = new Set<Promise<void>>();
  let malformedLoggedAt = Number.NEGATIVE_INFINITY;

  /** One packet, whole story: decode, look up, decide, save, encode and send. */
  async function serve(bytes: Uint8Array, link: DhcpLink): Promise<void> {
    const request = decodePacket(bytes);
    const facts = classifyDhcp(request);
    try {
      const now = Math.floor(options.clock() / 1000);
      const context = lookUp(request, facts, link, now);
      if (typeof context === 'string') return ignore(facts, request, context);
      announce(request, context);

      const decision = decideDhcp(request, context);
      if (decision.kind === 'ignore') return ignore(facts, request, decision.reason);
      if (decision.kind === 'record') {
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
      boot.step(reply.step);
      await link.send(answer, reply.path, context.serverId);
      counts.replied++;
      const { text, data } = reply.step;
      log.info(
        { mac: facts.mac, machine: context.machine?.name, interface: link.name, ...data },
        `${facts.mac}: ${text}`,
      );
    } catch (error) {
      ignore(facts, request, error instanceof Error ? error.message : String(error));
      throw error;
    }
  }

  function lookUp(request: DhcpPacket, facts: DhcpFacts, link: DhcpLink, now: number): DhcpContext | string {
    const choice = selectSubnet(request, { subnets, interfaceAddresses: link.addresses, ownAddresses });
    if (choice.kind === 'none') return choice.reason;
    const { subnet } = choice;
    const serverId = relayInfo(request.options)?.serverIdOverride ?? addressTowards(link, subnet, identity.address);
    return {
      facts,
      machine: boot.machineOf(facts),
      subnet,
      identity,
      serverId,
      ownAddresses,
      addresses: leases,
      bootOffer: () =>
        boot.bootOffer(facts, { mode: 'full', ...(subnet.loader === undefined ? {} : { loader: subnet.loader }) }),
      now,
    };
  }

  /** What came in, before what is done about it: a DISCOVER opens the boot session that the decision belongs to. */
  function announce(request: DhcpPacket, { facts, subnet }: DhcpContext): void {
    const message = getOption(request.options, 'messageType');
    if (subnet.mode !== 'full' || request.op !== 'request') return;
    if (message !== 'discover' && message !== 'request' && message !== 'inform') return;
    boot.step({ facts, message, text: `${message} from ${describeClient(facts)}`, data: factsOfPacket(request) });
  }

  function ignore(facts: DhcpFacts, request: DhcpPacket, reason: string): void {
    counts.ignored++;
    boot.step({ facts, message: 'ignored', text: `ignored: ${reason}`, data: { ...factsOfPacket(request), reason } });
  }

  function failed(error: unknown, link: DhcpLink): void {
    if (error instanceof WireError) {
      counts.malformed++;
      // At most one line a second: whoever sends broken packets must not fill the disk.
      if (options.clock() - malformedLoggedAt < 1000) return;
      malformedLoggedAt = options.clock();
      log.warn({ interface: link.name, malformed: counts.malformed, reason: error.message }, 'malformed DHCP packet');
      return;
    }
    counts.failed++;
    log.error({ interface: link.name, error }, 'a DHCP packet could not be answered');
  }

  function onPacket(bytes: Uint8Array, link: DhcpLink): void {
    if (closing) return;
    counts.received++;
    const done = serve(bytes, link)
      .catch((error: unknown) => failed(error, link))
      .finally(() => underway.delete(done));
    underway.add(done);
  }

  async function closeAll(): Promise<void> {
    await Promise.all(links.splice(0).map((link) => link.close()));
  }

  return {
    counts,
    async start() {
      const open = options.openLink ?? openDhcpLink;
      try {
        for (const name of options.interfaces) {
          links.push(await open(name, { packet: onPacket, error: failed }));
        }
        ownAddresses = links.flatMap(({ addresses }) => addresses);
      } catch (error) {
        await closeAll();
        throw error;
      }
    },
    async close() {
      closing = true;
      await Promise.all(underway);
      await closeAll();
    },
  };
}

/** How clients on this subnet reach us: our address in it, else the configured one. */
function addressTowards(link: DhcpLink, subnet: Subnet, fallback: Ipv4): Ipv4 {
  return link.addresses.find((address) => contains(subnet.cidr, address)) ?? fallback;
}

const CLIENT_WORDS: Readonly<Record<DhcpFacts['client'], string>> = {
  pxe: 'PXE firmware',
  http: 'HTTP Boot firmware',
  ipxe: 'iPXE',
  os: 'an operating system',
  bootp: 'a BOOTP client',
};

function describeClient(facts: DhcpFacts): string {
  return facts.arch === undefined
    ? CLIENT_WORDS[facts.client]
    : `${CLIENT_WORDS[facts.client]}, ${describeArch(facts.arch)}`;
}

function factsOfPacket(request: DhcpPacket): Readonly<Record<string, string | number>> {
  return {
    xid: request.xid.toString(16).padStart(8, '0'),
    secs: request.secs,
    ...(request.giaddr === 0 ? {} : { relay: formatIpv4(request.giaddr) }),
  };
}
