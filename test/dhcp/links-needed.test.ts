import { describe, expect, test } from 'vitest';
import { needsLink, needsSecondLeg } from '../../server/dhcp/links-needed.js';
import { parseCidr } from '../../server/domain/ipv4.js';
import type { DhcpMode, Subnet } from '../../server/domain/site.js';
import { ip } from '../support/dhcp-packets.js';
import { subnet } from '../support/dhcp-site.js';

const A = [ip('10.77.0.1')];
const B = [ip('10.78.0.1')];
const all = [...A, ...B];
const at = (cidr: string, mode: DhcpMode): Subnet => subnet({ cidr: parseCidr(cidr), mode, pools: [] });
const a = (mode: DhcpMode): Subnet => at('10.77.0.0/24', mode);
const b = (mode: DhcpMode): Subnet => at('10.78.0.0/24', mode);
const remote = (mode: DhcpMode): Subnet => at('10.99.0.0/24', mode);

const rows: Readonly<Record<string, readonly [readonly Subnet[], DhcpMode, string]>> = {
  'everything off: nothing is opened': [[a('off'), b('off')], 'off', ''],
  'one of two off': [[a('full'), b('off')], 'full', 'a67'],
  'proxy beside off': [[a('proxy'), b('off')], 'full', 'a67 a4011'],
  'an interface without a subnet follows dhcp.mode': [[a('off')], 'observe', 'b67'],
  'the same with dhcp.mode off': [[a('full')], 'off', 'a67'],
  'a relayed subnet may come in anywhere': [[a('off'), b('off'), remote('proxy')], 'off', 'a67 a4011 b67 b4011'],
  'observe: no second leg': [[a('observe'), b('full')], 'observe', 'a67 b67'],
};

describe('which ports are opened where', () => {
  test.each(Object.entries(rows))('%s', (_name, [subnets, mode, expected]) => {
    const site = { subnets, mode };
    const ports = [
      needsLink(A, all, site) && 'a67',
      needsSecondLeg(A, all, site) && 'a4011',
      needsLink(B, all, site) && 'b67',
      needsSecondLeg(B, all, site) && 'b4011',
    ];
    expect(ports.filter((port) => port !== false).join(' ')).toBe(expected);
  });
});
