import type { DhcpStep } from '../boot/contract.js';
import { formatCidr, formatIpv4 } from '../domain/ipv4.js';
import type { DhcpContext } from './dhcp-decision.js';

/** A step of a boot whose addresses come from another server. */
export function proxyStep(
  { facts, subnet }: DhcpContext,
  message: DhcpStep['message'],
  text: string,
  more: Pick<DhcpStep, 'address' | 'proxyStyle' | 'data'>,
): DhcpStep {
  return {
    facts,
    message,
    mode: 'proxy',
    text,
    ...(more.address === undefined ? {} : { address: more.address }),
    ...(more.proxyStyle === undefined ? {} : { proxyStyle: more.proxyStyle }),
    data: {
      subnet: formatCidr(subnet.cidr),
      mode: 'proxy',
      ...(more.address === undefined ? {} : { address: formatIpv4(more.address) }),
      ...more.data,
    },
  };
}
