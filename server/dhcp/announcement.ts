import type { DhcpFacts, DhcpStep } from '../boot/contract.js';
import type { Json } from '../domain/event.js';
import type { DhcpPacket } from '../wire/dhcp/packet.js';
import { describeClient, factsOfBuild, factsOfPacket } from './packet-words.js';

/** What came in, as a step of its boot. Most are told with their answer only: the words are made when somebody reads them. */
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
