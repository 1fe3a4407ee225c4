import type { DhcpFacts, DhcpMessageWord, DhcpStep } from '../boot/contract.js';
import type { Json } from '../domain/event.js';
import { broadcastOf, formatCidr, formatIpv4, type Ipv4, netmask, UNSPECIFIED } from '../domain/ipv4.js';
import type { DhcpPacket } from '../wire/dhcp/packet.js';
import { bootFields } from './boot-options.js';
import type { DhcpContext, DhcpReply } from './dhcp-decision.js';
import { chosenOptions } from './options.js';
import { type ReplyOptions, replyTo } from './reply.js';
import { describePath, replyPath } from './reply-path.js';

/** OFFER or ACK: the address, the subnet's options, and what this firmware boots. Without `address`: options only. */
export function answer(
  request: DhcpPacket,
  context: DhcpContext,
  type: 'offer' | 'ack',
  address: Ipv4 | undefined,
  why: string,
): DhcpReply {
  const { identity, serverId, facts } = context;
  const offer = context.bootOffer();
  const boot = bootFields(facts, offer, identity.address);
  const message = replyTo(request, {
    type,
    serverId,
    ...(address === undefined ? {} : { yiaddr: address }),
    ...(boot.siaddr === undefined ? {} : { siaddr: boot.siaddr }),
    ...(boot.file === undefined ? {} : { file: boot.file }),
    options: { ...(address === undefined ? {} : leaseOptions(context)), ...networkOptions(context) },
    chosen: chosenOptions(context),
    boot: boot.options,
  });
  const path = replyPath(request, { type, yiaddr: message.yiaddr });
  const file = offer.kind === 'none' ? undefined : offer.kind === 'script' ? offer.url : offer.file;
  const what = address === undefined ? 'options' : `${formatIpv4(address)} (${why})`;
  const text = `${type === 'offer' ? 'offered' : 'given'} ${what}${bootWords(facts, offer.reason, file)}`;
  return {
    kind: 'reply',
    message,
    path,
    step: {
      ...step(context, type, text, address, {
        why,
        boot: offer.reason,
        ...(file === undefined ? {} : { file }),
        ...(offer.kind === 'loader' ? { loader: offer.loader } : {}),
        path: describePath(path, formatIpv4),
      }),
      ...(offer.kind === 'none' && offer.diagnosis !== undefined ? { diagnosis: offer.diagnosis } : {}),
    },
  };
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

/** T1 and T2 by RFC 2131, section 4.4.5. */
function leaseOptions({ subnet }: DhcpContext): ReplyOptions {
  return {
    leaseTime: subnet.leaseSeconds,
    renewalTime: Math.floor(subnet.leaseSeconds / 2),
    rebindingTime: Math.floor((subnet.leaseSeconds * 7) / 8),
  };
}

/** All of it, asked for or not: old ROMs leave things out of their list (option 55) and then fail without them. */
function networkOptions({ subnet, machine }: DhcpContext): ReplyOptions {
  return {
    subnetMask: netmask(subnet.cidr.prefix),
    routers: subnet.router === undefined ? undefined : [subnet.router],
    dnsServers: subnet.dns.length === 0 ? undefined : subnet.dns,
    hostName: machine?.name,
    domainName: subnet.domain,
    broadcastAddress: broadcastOf(subnet.cidr),
  };
}

export function step(
  { facts, subnet }: DhcpContext,
  message: DhcpMessageWord,
  text: string,
  address?: Ipv4,
  data: Readonly<Record<string, Json>> = {},
): DhcpStep {
  return {
    facts,
    message,
    ...(address === undefined ? {} : { address }),
    text,
    data: {
      subnet: formatCidr(subnet.cidr),
      ...(address === undefined ? {} : { address: formatIpv4(address) }),
      ...data,
    },
  };
}
