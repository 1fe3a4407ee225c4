import { contains, formatCidr, formatIpv4, type Ipv4, UNSPECIFIED } from '../domain/ipv4.js';
import type { Lease } from '../domain/lease.js';
import { hex } from '../wire/dhcp/option-kinds.js';
import { getOption } from '../wire/dhcp/options.js';
import type { DhcpPacket } from '../wire/dhcp/packet.js';
import { relayWord } from '../wire/dhcp/relay.js';
import { answer, refuse, step } from './answer.js';
import type { DhcpContext, DhcpDecision, DhcpReply } from './dhcp-decision.js';
import {
  chooseAddress,
  grantedLease,
  isLive,
  type LeaseSubject,
  leaseInSubnet,
  leaseSecondsFor,
  quarantineSeconds,
  refusalOf,
} from './lease.js';
import { limitedPort, portRefusal } from './port-limit.js';
import { decideProxy } from './proxy.js';

const LONGEST_CLIENT_ID = 255;

/** What to do with one packet of a client (RFC 2131, section 4.3). Pure: reads `context`, changes nothing. */
export function decideDhcp(request: DhcpPacket, context: DhcpContext): DhcpDecision {
  const { subnet } = context;
  if (request.op !== 'request') return ignore('a reply of another server, not a request');
  if (subnet.mode === 'proxy') return decideProxy(request, context);
  if (subnet.mode !== 'full') {
    const reason = `the subnet ${formatCidr(subnet.cidr)} is in mode ${subnet.mode}: nothing is answered`;
    return { kind: 'ignore', reason, quiet: true };
  }
  const type = getOption(request.options, 'messageType');
  switch (type) {
    case 'discover':
      return decideDiscover(request, context);
    case 'request':
      return decideRequest(request, context);
    case 'decline':
      return decideDecline(request, context);
    case 'release':
      return decideRelease(request, context);
    case 'inform':
      return decideInform(request, context);
    case 'offer':
    case 'ack':
    case 'nak':
      return ignore(`a client cannot send a DHCP ${type}`);
    case undefined:
      return ignore('BOOTP without a DHCP message type (option 53) is not served');
  }
}

function decideDiscover(request: DhcpPacket, context: DhcpContext): DhcpDecision {
  const subject = subjectOf(context);
  const choice = chooseAddress(subject, getOption(request.options, 'requestedAddress'));
  if (choice.kind === 'none') return ignore(choice.reason);
  const full = portRefusal(context, choice.address);
  if (full !== undefined) return ignore(full);
  const { addresses, facts } = context;
  const isNew =
    addresses.reservedFor(choice.address) === undefined && addresses.leaseAt(choice.address)?.mac !== facts.mac;
  const leaseSeconds = leaseSecondsFor(subject, choice.address);
  const reply = answer(request, context, 'offer', choice.address, choice.why, leaseSeconds);
  const { message, path, step: told } = reply;
  const held: { -readonly [K in keyof DhcpReply]: DhcpReply[K] } = {
    kind: 'reply',
    message,
    path,
    step: told,
    hold: choice.address,
  };
  if (isNew) held.isNew = true;
  return held;
}

/** The four states of a client that sends REQUEST are told apart by three fields (RFC 2131, table 4). */
function decideRequest(request: DhcpPacket, context: DhcpContext): DhcpDecision {
  const chosenServer = getOption(request.options, 'serverId');
  const requested = getOption(request.options, 'requestedAddress');
  if (chosenServer !== undefined) {
    if (!isUs(context, chosenServer)) return ignore(`it chose another DHCP server, ${formatIpv4(chosenServer)}`);
    const address = requested ?? request.ciaddr;
    if (address === UNSPECIFIED) return ignore('a REQUEST that names no address');
    if (relayWord(request)?.serverIdOverride !== undefined && !isOnRecord(context, address)) {
      // RFC 5107: every server behind this relay goes by the relay's name, so only the offer tells whose turn it is.
      return ignore(`it chose ${formatIpv4(address)}, which was not offered here, of a server behind the relay`);
    }
    return grantOrRefuse(request, context, address, 'selected');
  }
  if (request.ciaddr !== UNSPECIFIED) return decideRenewal(request, context);
  if (requested !== undefined) return decideReboot(request, context, requested);
  return ignore('a REQUEST that names no address');
}

/** Offered to this NIC, leased to it, or reserved for its machine. */
function isOnRecord({ addresses, facts, machine, now }: DhcpContext, address: Ipv4): boolean {
  return (
    addresses.holderOf(address, now) === facts.mac ||
    addresses.leaseAt(address)?.mac === facts.mac ||
    (machine !== undefined && addresses.reservedFor(address)?.name === machine.name)
  );
}

/**
 * INIT-REBOOT: it remembers an address. NAK when that is on another wire or not the one on record; silence when nothing is on
 * record, even if somebody else has the address (RFC 2131, section 4.3.2: another server of this wire may know better).
 */
function decideReboot(request: DhcpPacket, context: DhcpContext, address: Ipv4): DhcpDecision {
  const subject = subjectOf(context);
  const refusal = refusalOf(subject, address);
  if (refusal?.kind === 'elsewhere') return refuse(request, context, refusal.reason);
  const onRecord = reservedAddress(subject) ?? leaseInSubnet(subject)?.address;
  if (onRecord === undefined && !isOnRecord(context, address)) {
    return ignore(`it remembers ${formatIpv4(address)}, and nothing is on record here`);
  }
  if (onRecord !== undefined && onRecord !== address) {
    return refuse(request, context, `its address is ${formatIpv4(onRecord)}`);
  }
  return grantOrRefuse(request, context, address, 'remembered');
}

/** The reservation, unless somebody else still sits on it. */
function reservedAddress(subject: LeaseSubject): Ipv4 | undefined {
  const address = subject.machine?.address;
  return address === undefined || refusalOf(subject, address) !== undefined ? undefined : address;
}

/**
 * RENEWING and REBINDING. An address of ours that is its own or free is extended, so that a machine in service keeps it even
 * when a reservation waits for its next boot; an address that is somebody else's is refused; one that we do not give may
 * belong to another server of this wire.
 */
function decideRenewal(request: DhcpPacket, context: DhcpContext): DhcpDecision {
  const refusal = refusalOf(subjectOf(context), request.ciaddr);
  if (refusal === undefined || refusal.kind === 'taken') {
    return grantOrRefuse(request, context, request.ciaddr, 'renewed');
  }
  return ignore(`it renews an address that this server did not give: ${refusal.reason}`);
}

function grantOrRefuse(request: DhcpPacket, context: DhcpContext, address: Ipv4, why: string): DhcpDecision {
  const subject = subjectOf(context);
  const refusal = refusalOf(subject, address);
  if (refusal !== undefined) return refuse(request, context, refusal.reason);
  const full = portRefusal(context, address);
  if (full !== undefined) return refuse(request, context, full);
  const leaseSeconds = leaseSecondsFor(subject, address);
  const clientId = request.options.get(61);
  const lease = grantedLease(subject, address, leaseSeconds, {
    // One option's worth: a longer one (RFC 3396) is kept in memory and on disk for every lease, and tells no more.
    clientId: clientId === undefined || clientId.length > LONGEST_CLIENT_ID ? undefined : hex(clientId),
    hostname: context.facts.hostname,
  });
  const port = limitedPort(context);
  const expected = context.addresses.leaseAt(address);
  const { message, path, step: told } = answer(request, context, 'ack', address, why, leaseSeconds);
  return {
    kind: 'reply',
    message,
    path,
    step: told,
    change: port === undefined ? { lease, expected } : { lease, expected, port },
    onConflict: () => refuse(request, context, `${formatIpv4(address)} was taken by another server`),
  };
}

/** The client found its address in use (ARP): it rests until the quarantine is over. Only what this NIC has or was offered counts. */
function decideDecline(request: DhcpPacket, context: DhcpContext): DhcpDecision {
  const { addresses, facts, now } = context;
  const server = getOption(request.options, 'serverId');
  const address = getOption(request.options, 'requestedAddress');
  if (address === undefined) return ignore('a DECLINE that names no address');
  if (server !== undefined && !isUs(context, server)) return ignore('a DECLINE meant for another DHCP server');
  const lease = addresses.leaseAt(address);
  const has = lease?.mac === facts.mac && lease.state === 'active' && isLive(lease, now);
  if (!has && addresses.holderOf(address, now) !== facts.mac)
    return ignore(`a DECLINE of ${formatIpv4(address)}, which it does not have`);
  const seconds = quarantineSeconds(subjectOf(context));
  const declined: Lease = {
    address,
    mac: facts.mac,
    state: 'declined',
    startedAt: now,
    expiresAt: now + seconds,
  };
  return {
    kind: 'record',
    change: { lease: declined, expected: lease },
    step: step(
      context,
      'decline',
      `found ${formatIpv4(address)} in use by somebody else: quarantined for ${seconds} s`,
      address,
    ),
  };
}

/** The address is free again, and kept in mind for the same NIC. Never answered. */
function decideRelease(request: DhcpPacket, context: DhcpContext): DhcpDecision {
  const { addresses, facts, now } = context;
  const server = getOption(request.options, 'serverId');
  if (server !== undefined && !isUs(context, server)) return ignore('a RELEASE meant for another DHCP server');
  const lease = addresses.leaseAt(request.ciaddr);
  if (lease === undefined || lease.mac !== facts.mac || lease.state !== 'active' || !isLive(lease, now)) {
    return ignore(`a RELEASE of ${formatIpv4(request.ciaddr)}, which it does not have`);
  }
  return {
    kind: 'record',
    change: { lease: { ...lease, state: 'released', expiresAt: now }, expected: lease },
    step: step(context, 'release', `gives back ${formatIpv4(lease.address)}`, lease.address),
  };
}

/** It has an address from elsewhere and asks for the rest: no yiaddr and no lease time (RFC 2131, section 4.3.5). */
function decideInform(request: DhcpPacket, context: DhcpContext): DhcpDecision {
  const { ciaddr } = request;
  if (ciaddr === UNSPECIFIED) return ignore('an INFORM without the address to answer to');
  // The same section: an answer to any address it names would make this server send packets to strangers.
  if (!contains(context.subnet.cidr, ciaddr)) {
    return ignore(`an INFORM from ${formatIpv4(ciaddr)}, which is not in ${formatCidr(context.subnet.cidr)}`);
  }
  return answer(request, context, 'ack', undefined, 'asked for options only');
}

function subjectOf({ facts, machine, subnet, now, addresses }: DhcpContext): LeaseSubject {
  return { mac: facts.mac, machine, subnet, now, addresses };
}

function isUs({ serverId, ownAddresses }: DhcpContext, address: Ipv4): boolean {
  return address === serverId || ownAddresses.includes(address);
}

function ignore(reason: string): DhcpDecision {
  return { kind: 'ignore', reason };
}
