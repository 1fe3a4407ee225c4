import { existsSync, readFileSync } from 'node:fs';
import { type WireFact, type WirePlace, wireFacts } from '../decide/wire-facts.js';
import type { EventLevel, NewEvent } from '../domain/event.js';
import type { HeardFact } from '../domain/heard-fact.js';
import { contains, formatIpv4, type Ipv4, UNSPECIFIED } from '../domain/ipv4.js';
import type { DhcpMode } from '../domain/site.js';
import { getOption, hasOption } from '../wire/dhcp/options.js';
import { type DhcpPacket, decodePacket } from '../wire/dhcp/packet.js';
import { WireError } from '../wire/wire-error.js';
import { type HeardReply, type OpenReplyListener, openReplyListener, type ReplyListener } from './reply-listener.js';
import { type BucketRate, TokenBuckets } from './token-buckets.js';

/** Facts of a kind that are kept: whoever invents relays must not fill the memory, nor hide another server among them. */
const FACTS_LIMIT = 512;
/** Events of a kind: a real network has a few, and each once. */
const NEWS: BucketRate = { perSecond: 0.1, burst: 64 };
const HOUR_MS = 3600_000;
/** Other servers are no emergency of milliseconds, and one system call a second costs nothing. */
const POLL_MS = 1000;

export interface WireWatchOptions {
  readonly record: (event: Omit<NewEvent, 'at'>) => void;
  readonly clock: () => number;
  readonly log: { warn(data: object, message: string): void };
  /** Tests without root give their own. */
  readonly openListener?: OpenReplyListener;
}

/** Where the watch listens, and what is done there. */
export interface WatchedLink {
  readonly name: string;
  readonly mode: DhcpMode;
}

type Seen = Omit<HeardFact, 'count' | 'lastSeenAt'> & { count: number; lastSeenAt: number; reportedAt: number };

interface RelayLook {
  readonly name: string;
  readonly subnets: WirePlace['subnets'];
  readonly seen: Seen;
  /** Epoch milliseconds. */
  readonly until: number;
}

const LOOK_HOLDS_MS = 1000;

const keyOf = (kind: string, address: Ipv4, name: string): string => `${kind} ${address} ${name}`;

/**
 * What the network shows of itself: one event for each new fact, then only a count; beside our own full mode another DHCP
 * server is a warning, once an hour.
 */
export class WireWatch {
  readonly #options: WireWatchOptions;
  readonly #seen = new Map<string, Seen>();
  /** What was found of a relay holds for its next packets: a storm sends thousands in a second. */
  readonly #lastLooks = new Map<Ipv4, RelayLook>();
  readonly #listeners = new Map<string, ReplyListener>();
  #place: Pick<WirePlace, 'ownAddresses' | 'subnets'> = { ownAddresses: [], subnets: [] };
  #modes: ReadonlyMap<string, DhcpMode> = new Map();
  readonly #news = new TokenBuckets<WireFact['kind']>(NEWS, 8);
  #timer: NodeJS.Timeout | undefined;

  constructor(options: WireWatchOptions) {
    this.#options = options;
  }

  /** Every fact so far. */
  seen(): Iterable<HeardFact> {
    return this.#seen.values();
  }

  /** Called again when the configuration changes; links that are off are not listened to. */
  start(links: readonly WatchedLink[], place: Pick<WirePlace, 'ownAddresses' | 'subnets'>): void {
    this.#place = place;
    this.#modes = new Map(links.filter(({ mode }) => mode !== 'off').map(({ name, mode }) => [name, mode]));
    for (const [name, listener] of this.#listeners) {
      if (this.#modes.has(name)) continue;
      listener.close();
      this.#listeners.delete(name);
    }
    for (const name of this.#modes.keys()) {
      if (this.#listeners.has(name)) continue;
      try {
        this.#listeners.set(name, (this.#options.openListener ?? openReplyListener)(name));
      } catch (error) {
        // Requests still name other servers, so this is no reason not to serve.
        this.#options.log.warn({ interface: name, error }, 'other DHCP servers on this interface are not listened for');
      }
      this.#tellVlan(name);
    }
    this.#timer ??= setInterval(() => this.poll(), POLL_MS).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    for (const listener of this.#listeners.values()) listener.close();
    this.#listeners.clear();
  }

  /** One packet that came to port 67. Throws WireError when an option that it looks at is broken. */
  heard(packet: DhcpPacket, place: WirePlace): void {
    if (place.mode === 'off' || this.#isAsBefore(packet, place)) return;
    for (const fact of wireFacts(packet, place)) this.#note(fact, place);
  }

  /** A request that shows nothing but a relay of a configured network that was heard before, as nearly all do: it is only counted. */
  #isAsBefore({ op, giaddr, options }: DhcpPacket, { interface: name, ownAddresses, subnets }: WirePlace): boolean {
    if (op !== 'request') return false;
    const server = getOption(options, 'serverId');
    if (server !== undefined && !ownAddresses.includes(server)) return false;
    if (giaddr === UNSPECIFIED) return !hasOption(options, 'relayAgent');
    const now = this.#options.clock();
    const last = this.#lastLooks.get(giaddr);
    if (last !== undefined && last.name === name && last.subnets === subnets && last.until > now) {
      last.seen.count++;
      last.seen.lastSeenAt = now;
      return true;
    }
    const key = keyOf('relay', giaddr, name);
    const seen = this.#seen.get(key);
    if (seen === undefined || !subnets.some(({ cidr }) => contains(cidr, giaddr))) return false;
    seen.count++;
    seen.lastSeenAt = now;
    this.#seen.delete(key);
    this.#seen.set(key, seen);
    if (this.#lastLooks.size >= FACTS_LIMIT) this.#lastLooks.clear();
    this.#lastLooks.set(giaddr, { name, subnets, seen, until: now + LOOK_HOLDS_MS });
    return true;
  }

  /** Replies of other servers that went to port 68 since the last time. */
  poll(): void {
    for (const [name, listener] of this.#listeners) {
      const mode = this.#modes.get(name) ?? 'full';
      for (const { bytes, from } of this.#read(name, listener)) {
        try {
          const packet = decodePacket(bytes);
          if (packet.op === 'reply') this.heard(packet, { ...this.#place, interface: name, mode, from });
        } catch (error) {
          // Somebody else's broken packet: it is neither ours to answer nor to count.
          if (!(error instanceof WireError)) throw error;
        }
      }
    }
  }

  #read(name: string, listener: ReplyListener): readonly HeardReply[] {
    try {
      return listener.read();
    } catch (error) {
      this.#options.log.warn(
        { interface: name, error },
        'other DHCP servers on this interface are no longer listened for',
      );
      listener.close();
      this.#listeners.delete(name);
      return [];
    }
  }

  #note(fact: WireFact, { mode, interface: name }: WirePlace): void {
    const key = keyOf(fact.kind, fact.address, name);
    const now = this.#options.clock();
    const before = this.#seen.get(key);
    const isRival = fact.kind === 'server' && mode === 'full';
    const isNews = before === undefined || (isRival && now - before.reportedAt >= HOUR_MS);
    if (before === undefined) this.#makeRoom(fact.kind);
    // The one heard last stands last.
    this.#seen.delete(key);
    this.#seen.set(key, {
      kind: fact.kind,
      address: fact.address,
      interface: name,
      text: before?.text ?? fact.text,
      count: (before?.count ?? 0) + 1,
      firstSeenAt: before?.firstSeenAt ?? now,
      lastSeenAt: now,
      reportedAt: isNews ? now : before.reportedAt,
    });
    if (!isNews || !this.#news.take(fact.kind, now)) return;
    const count = (before?.count ?? 0) + 1;
    const words = isRival
      ? `${fact.text}: two servers that give addresses disturb each other (turn one off, or use mode proxy here)`
      : fact.text;
    this.#record(`dhcp.${fact.kind}-seen`, isRival ? 'warning' : 'info', words, {
      ...fact.data,
      address: formatIpv4(fact.address),
      interface: name,
      count: String(count),
    });
  }

  /** Forgets the one of this kind that was silent longest when there are too many. */
  #makeRoom(kind: WireFact['kind']): void {
    let oldest: string | undefined;
    let count = 0;
    for (const [key, fact] of this.#seen) {
      if (fact.kind !== kind) continue;
      oldest ??= key;
      count++;
    }
    if (count >= FACTS_LIMIT && oldest !== undefined) this.#seen.delete(oldest);
  }

  /** The only word on VLANs that a host has: its own interface is one. */
  #tellVlan(name: string): void {
    const file = `/proc/net/vlan/${name}`;
    if (!existsSync(file)) return;
    const id = /VID: (\d+)/.exec(readFileSync(file, 'utf8'))?.[1] ?? 'unknown';
    const now = this.#options.clock();
    const text = `${name} is a VLAN interface: what is heard there is of VLAN ${id}`;
    const times = { count: 1, firstSeenAt: now, lastSeenAt: now, reportedAt: now };
    this.#seen.set(`vlan ${name}`, { kind: 'vlan', interface: name, text, ...times });
    this.#record('dhcp.vlan-seen', 'info', text, { interface: name, vlan: id });
  }

  #record(kind: string, level: EventLevel, message: string, data: Readonly<Record<string, string>>): void {
    this.#options.record({ source: 'dhcp', kind, level, message, data });
  }
}
