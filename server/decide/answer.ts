import type { BootOffer, DhcpFacts, DhcpMessageWord, DhcpStep } from '../boot/contract.js';
import type { Diagnosis } from '../domain/boot-session.js';
import type { Json } from '../domain/event.js';
import { formatIpv4, type Ipv4, UNSPECIFIED } from '../domain/ipv4.js';
import type { Subnet } from '../domain/site.js';
import type { DhcpPacket } from '../wire/dhcp/packet.js';
import { bootFields } from './boot-options.js';
import type { DhcpContext, DhcpReply } from './dhcp-decision.js';
import { chosenOptions } from './options.js';
import { replyTo } from './reply.js';
import { describePath, type ReplyPath, replyPath } from './reply-path.js';
import { cidrText, shortLease, subnetOptions } from './subnet-options.js';

/** OFFER or ACK: the address, the subnet's options, and what this firmware boots. Without `address`: options only. */
export function answer(
  request: DhcpPacket,
  context: DhcpContext,
  type: 'offer' | 'ack',
  address: Ipv4 | undefined,
  why: string,
  leaseSeconds = context.subnet.leaseSeconds,
): DhcpReply {
  const { identity, serverId, facts } = context;
  const offer = context.bootOffer();
  const boot = bootFields(facts, offer, identity.address);
  const options = subnetOptions(context.subnet);
  const isShort = leaseSeconds !== context.subnet.leaseSeconds;
  const lease = isShort ? shortLease(leaseSeconds) : options.lease;
  const name = context.machine?.name;
  const message = replyTo(request, {
    type,
    serverId,
    yiaddr: address,
    siaddr: boot.siaddr,
    file: boot.file,
    encoded: address === undefined ? [options.network] : [lease, options.network],
    options: name === undefined ? undefined : { hostName: name },
    encodedAfter: options.rest,
    chosen: chosenOptions(context),
    boot: boot.options,
  });
  const path = replyPath(request, { type, yiaddr: message.yiaddr });
  const words = {
    facts,
    subnet: context.subnet,
    type,
    why,
    offer,
    path,
    shortSeconds: isShort ? leaseSeconds : undefined,
  };
  return { kind: 'reply', message, path, step: new AnswerStep(words, address) };
}

interface Answer {
  readonly facts: DhcpFacts;
  readonly subnet: Subnet;
  readonly type: 'offer' | 'ack';
  readonly why: string;
  readonly offer: BootOffer;
  readonly path: ReplyPath;
  /** Less than the subnet's own time. */
  readonly shortSeconds: number | undefined;
}

/** What was answered. In a storm most offers are told to nobody: the words are made when somebody reads them. */
class AnswerStep implements DhcpStep {
  readonly #answer: Answer;
  readonly facts: DhcpFacts;
  readonly message: 'offer' | 'ack';
  declare readonly address?: Ipv4;
  declare readonly diagnosis?: Diagnosis;

  constructor(answer: Answer, address: Ipv4 | undefined) {
    const { facts, type, offer } = answer;
    this.#answer = answer;
    this.facts = facts;
    this.message = type;
    if (address !== undefined) this.address = address;
    if (offer.kind === 'none' && offer.diagnosis !== undefined) this.diagnosis = offer.diagnosis;
  }

  get text(): string {
    const { facts, type, why, offer, shortSeconds } = this.#answer;
    const time = shortSeconds === undefined ? '' : `, for ${shortSeconds} s first: the pool fills up`;
    const what = this.address === undefined ? 'options' : `${formatIpv4(this.address)} (${why}${time})`;
    return `${type === 'offer' ? 'offered' : 'given'} ${what}${bootWords(facts, offer.reason, fileOf(offer))}`;
  }

  get data(): Readonly<Record<string, Json>> {
    const { subnet, why, offer, path } = this.#answer;
    const file = fileOf(offer);
    const data: Record<string, Json> = { subnet: cidrText(subnet) };
    if (this.address !== undefined) data.address = formatIpv4(this.address);
    data.why = why;
    data.boot = offer.reason;
    if (file !== undefined) data.file = file;
    if (offer.kind === 'loader') data.loader = offer.loader;
    data.path = describePath(path, formatIpv4);
    return data;
  }
}

function fileOf(offer: BootOffer): string | undefined {
  if (offer.kind === 'none') return undefined;
  return offer.kind === 'script' ? offer.url : offer.file;
}

/** A machine that wants to boot and gets no file must read why; an OS that only wants an address has nothing to read. */
function bootWords(facts: DhcpFacts, reason: string, file: string | undefined): string {
  if (file !== undefined) return ` and ${file}`;
  return facts.client === 'os' ? '' : `, no boot file: ${reason}`;
}

/** NAK with its reason in option 56, which clients print. */
export function refuse(request: DhcpPacket, context: DhcpContext, reason: string): DhcpReply {
  const message = replyTo(request, { type: 'nak', serverId: context.serverId, options: { message: reason } });
  return {
    kind: 'reply',
    message,
    path: replyPath(request, { type: 'nak', yiaddr: UNSPECIFIED }),
    step: step(context, 'nak', `refused: ${reason}`, undefined, { reason }),
  };
}

export function step(
  { facts, subnet }: DhcpContext,
  message: DhcpMessageWord,
  text: string,
  address?: Ipv4,
  data: Readonly<Record<string, Json>> = {},
): DhcpStep {
  const all: Record<string, Json> = { subnet: cidrText(subnet) };
  if (address !== undefined) all.address = formatIpv4(address);
  Object.assign(all, data);
  return address === undefined ? { facts, message, text, data: all } : { facts, message, address, text, data: all };
}
