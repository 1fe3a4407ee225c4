import { contains, formatIpv4, type Ipv4, UNSPECIFIED } from '../domain/ipv4.js';
import { getOption } from '../wire/dhcp/options.js';
import type { DhcpPacket } from '../wire/dhcp/packet.js';
import { bootItemEcho, proxyDiscoveryControl } from '../wire/dhcp/pxe-proxy.js';
import { FILE_FIELD } from './boot-options.js';
import { netboots } from './classify.js';
import type { DhcpContext, DhcpDecision, DhcpReply } from './dhcp-decision.js';
import { proxyStep } from './proxy-step.js';
import { type ReplyOptions, replyTo } from './reply.js';
import { describePath, replyPath } from './reply-path.js';

/**
 * Beside the site's own DHCP server (PXE 2.1, section 2.2): boot information for clients that netboot, never an address, never a
 * NAK, silence for everybody else. The REQUEST by which a client takes the other server's address is a broadcast: it tells us the
 * address of this boot.
 */
export function decideProxy(request: DhcpPacket, context: DhcpContext): DhcpDecision {
  if (!netboots(context.facts)) return quiet('not a netboot client: a proxy leaves it to the DHCP server');
  const type = getOption(request.options, 'messageType');
  switch (type) {
    case 'discover':
      return proxyAnswer(request, context, 'offer');
    case 'request':
      return overhear(request, context);
    default:
      return quiet(`a proxy does not answer a DHCP ${type ?? 'packet without a type'} on port 67`);
  }
}

/** The second leg, UDP 4011: the client has its address and asks the boot server for the file. */
export function decideSecondLeg(request: DhcpPacket, context: DhcpContext): DhcpDecision {
  if (!netboots(context.facts)) return quiet('not a netboot client');
  const type = getOption(request.options, 'messageType');
  if (type !== 'request' && type !== 'inform') return quiet(`a DHCP ${type ?? 'packet without a type'} on port 4011`);
  if (!isOfSubnet(request.ciaddr, context)) {
    return {
      kind: 'ignore',
      reason: `it asks on port 4011 from ${formatIpv4(request.ciaddr)}, not an address of its subnet`,
    };
  }
  return proxyAnswer(request, context, 'ack');
}

function overhear(request: DhcpPacket, context: DhcpContext): DhcpDecision {
  const server = getOption(request.options, 'serverId');
  const address = getOption(request.options, 'requestedAddress') ?? request.ciaddr;
  if (!isOfSubnet(address, context)) return quiet('its REQUEST names no address of this subnet');
  const whose = server === undefined ? 'the address it remembers' : `given by ${formatIpv4(server)}`;
  return {
    kind: 'note',
    step: proxyStep(context, 'request', `takes ${formatIpv4(address)}, ${whose}`, {
      address,
      data: server === undefined ? {} : { server: formatIpv4(server) },
    }),
  };
}

/** An address that a machine of this subnet can have: not ours, whatever a packet says. */
function isOfSubnet(address: Ipv4, { subnet, ownAddresses }: DhcpContext): boolean {
  return address !== UNSPECIFIED && contains(subnet.cidr, address) && !ownAddresses.includes(address);
}

function proxyAnswer(request: DhcpPacket, context: DhcpContext, type: 'offer' | 'ack'): DhcpDecision {
  const { identity, serverId, facts } = context;
  const offer = context.bootOffer();
  if (offer.kind === 'none') {
    const { diagnosis } = offer;
    return {
      kind: 'ignore',
      reason: `no boot file: ${offer.reason}`,
      ...(diagnosis === undefined ? {} : { diagnosis }),
    };
  }
  const file = offer.kind === 'script' ? offer.url : offer.file;
  const style = offer.kind === 'loader' && facts.client === 'pxe' ? offer.proxyStyle : undefined;
  const message = replyTo(request, {
    type,
    serverId,
    siaddr: identity.address,
    ...(file.length <= FILE_FIELD ? { file } : {}),
    options: {
      ...classOptions(request, context, type, style),
      ...(facts.client === 'pxe' ? { tftpServerName: formatIpv4(identity.address) } : {}),
      bootFile: file,
    },
  });
  const path = replyPath(request, { type, yiaddr: UNSPECIFIED });
  const how = type === 'ack' ? ' on port 4011' : style === undefined ? '' : ` (${style})`;
  const reply: DhcpReply = {
    kind: 'reply',
    message,
    path,
    step: proxyStep(context, type, `${type === 'offer' ? 'offered' : 'given'} ${file}${how}, no address`, {
      ...(type === 'ack' ? { address: request.ciaddr } : {}),
      ...(style === undefined || type === 'ack' ? {} : { proxyStyle: style }),
      data: {
        boot: offer.reason,
        file,
        ...(offer.kind === 'loader' ? { loader: offer.loader } : {}),
        ...(style === undefined ? {} : { style }),
        path: describePath(path, formatIpv4),
      },
    }),
  };
  return reply;
}

/**
 * Without class PXEClient (HTTPClient) no firmware takes an offer for a proxy's. iPXE reads the offer as a PXE one and skips its
 * search for boot servers on discovery control, which costs it seconds otherwise.
 */
function classOptions(
  request: DhcpPacket,
  { facts }: DhcpContext,
  type: 'offer' | 'ack',
  style: string | undefined,
): ReplyOptions {
  if (facts.client === 'http') return { vendorClass: 'HTTPClient' };
  if (type === 'ack') {
    return { vendorClass: 'PXEClient', vendorOptions: bootItemEcho(getOption(request.options, 'vendorOptions')) };
  }
  const control = facts.client === 'ipxe' || style === 'first-offer';
  return { vendorClass: 'PXEClient', ...(control ? { vendorOptions: proxyDiscoveryControl() } : {}) };
}

const quiet = (reason: string): DhcpDecision => ({ kind: 'ignore', reason, quiet: true });
