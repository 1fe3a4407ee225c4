import type { DhcpFacts, DhcpStep } from '../boot/contract.js';
import type { Diagnosis } from '../domain/boot-session.js';
import type { Json } from '../domain/event.js';
import type { Ipv4 } from '../domain/ipv4.js';
import type { ProxyStyle } from '../domain/machine.js';
import type { DhcpPacket } from '../wire/dhcp/packet.js';
import { describeClient, factsOfBuild, factsOfPacket } from './packet-words.js';

// In a storm most steps are told to nobody (a DISCOVER together with its answer, strangers a few a second): the words of a step
// are made when somebody reads them.

/** What came in, as a step of its boot. */
export class Announcement implements DhcpStep {
  readonly #request: DhcpPacket;
  readonly facts: DhcpFacts;
  readonly message: 'discover' | 'request' | 'inform';
  declare readonly mode?: 'proxy' | 'observe';

  constructor(
    request: DhcpPacket,
    facts: DhcpFacts,
    message: 'discover' | 'request' | 'inform',
    mode: 'proxy' | 'observe' | undefined,
  ) {
    this.#request = request;
    this.facts = facts;
    this.message = message;
    if (mode !== undefined) this.mode = mode;
  }

  get text(): string {
    return `${this.message} from ${describeClient(this.facts)}`;
  }

  get data(): Readonly<Record<string, Json>> {
    return Object.assign(factsOfPacket(this.#request), factsOfBuild(this.facts));
  }
}

/** What was decided, with the client it was decided for. */
export class Answered implements DhcpStep {
  readonly #request: DhcpPacket;
  readonly #step: DhcpStep;
  readonly facts: DhcpFacts;
  readonly message: DhcpStep['message'];
  declare readonly mode?: 'proxy' | 'observe';
  declare readonly proxyStyle?: ProxyStyle;
  declare readonly diagnosis?: Diagnosis;
  declare readonly address?: Ipv4;

  constructor(request: DhcpPacket, facts: DhcpFacts, step: DhcpStep) {
    this.#request = request;
    this.#step = step;
    this.facts = facts;
    this.message = step.message;
    if (step.address !== undefined) this.address = step.address;
    if (step.mode !== undefined) this.mode = step.mode;
    if (step.proxyStyle !== undefined) this.proxyStyle = step.proxyStyle;
    if (step.diagnosis !== undefined) this.diagnosis = step.diagnosis;
  }

  get text(): string {
    return `${describeClient(this.facts)}: ${this.#step.text}`;
  }

  get data(): Readonly<Record<string, Json>> {
    return Object.assign(factsOfPacket(this.#request), factsOfBuild(this.facts), this.#step.data);
  }
}
