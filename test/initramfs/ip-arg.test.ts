import { describe, expect, test } from 'vitest';
import { ash } from './ash.js';

const PARSED: Readonly<Record<string, readonly [argument: string, lines: readonly string[]]>> = {
  'one word': ['dhcp', ['method=dhcp']],
  'the kernel’s other words for it': ['on', ['method=dhcp']],
  'what the server writes': [
    '10.77.0.11:10.77.0.1:10.77.0.1:255.255.255.0:node1::off:10.77.0.1:10.77.0.2',
    [
      'hostname=node1',
      'method=static',
      'address=10.77.0.11',
      'prefix=24',
      'server=10.77.0.1',
      'gateway=10.77.0.1',
      'dns=10.77.0.1',
      'dns=10.77.0.2',
    ],
  ],
  'no gateway, no DNS': [
    '10.77.0.11:10.77.0.1::255.255.0.0:node1::off',
    ['hostname=node1', 'method=static', 'address=10.77.0.11', 'prefix=16', 'server=10.77.0.1'],
  ],
  'an address alone takes the prefix of its class': ['10.1.2.3', ['method=static', 'address=10.1.2.3', 'prefix=8']],
  'class B': ['172.16.0.9', ['method=static', 'address=172.16.0.9', 'prefix=16']],
  'class C': ['192.168.1.9', ['method=static', 'address=192.168.1.9', 'prefix=24']],
  'DHCP on a named device': [':::::eth1:dhcp', ['device=eth1', 'method=dhcp']],
  'a host mask': ['10.0.0.1:::255.255.255.255', ['method=static', 'address=10.0.0.1', 'prefix=32']],
  'the mask 0.0.0.0': ['10.0.0.1:::0.0.0.0', ['method=static', 'address=10.0.0.1', 'prefix=0']],
  'DNS 0.0.0.0 is none': ['10.0.0.1:::255.0.0.0:::off:0.0.0.0', ['method=static', 'address=10.0.0.1', 'prefix=8']],
  'an NTP server behind': ['10.0.0.1:::255.0.0.0:::off:::9.9.9.9', ['method=static', 'address=10.0.0.1', 'prefix=8']],
};

const REFUSED: Readonly<Record<string, readonly [argument: string, reason: string]>> = {
  absent: ['', 'there is no ip= on the kernel command line'],
  off: ['off', 'ip=off leaves this machine without a network'],
  'no address': [':10.0.0.1::255.0.0.0', 'ip=:10.0.0.1::255.0.0.0: "" is not an IPv4 address'],
  'a name': ['node1:::255.0.0.0', 'ip=node1:::255.0.0.0: "node1" is not an IPv4 address'],
  'dracut’s order': ['eth0:dhcp', 'ip=eth0:dhcp: "eth0" is not an IPv4 address'],
  'a number over 255': ['10.0.0.256', 'ip=10.0.0.256: "10.0.0.256" is not an IPv4 address'],
  'three numbers': ['10.0.0', 'ip=10.0.0: "10.0.0" is not an IPv4 address'],
  'five numbers': ['1.2.3.4.5', 'ip=1.2.3.4.5: "1.2.3.4.5" is not an IPv4 address'],
  'a leading zero': ['010.0.0.1', 'ip=010.0.0.1: "010.0.0.1" is not an IPv4 address'],
  'a mask with a hole': ['10.0.0.1:::255.0.255.0', 'ip=10.0.0.1:::255.0.255.0: "255.0.255.0" is not a netmask'],
  'a mask that is none': ['10.0.0.1:::255.255.255.1', 'ip=10.0.0.1:::255.255.255.1: "255.255.255.1" is not a netmask'],
  'a bad gateway': ['10.0.0.1::x:255.0.0.0', 'ip=10.0.0.1::x:255.0.0.0: "x" is not an IPv4 address'],
  'a bad DNS server': [
    '10.0.0.1:::255.0.0.0:::off:dns',
    'ip=10.0.0.1:::255.0.0.0:::off:dns: "dns" is not an IPv4 address',
  ],
  'an unknown method': [
    '10.0.0.1:::255.0.0.0:::bootp',
    'ip=10.0.0.1:::255.0.0.0:::bootp: method "bootp" is neither off nor dhcp',
  ],
  'a shell in disguise': ['$(reboot)', 'ip=$(reboot): "$(reboot)" is not an IPv4 address'],
};

const BOOTIF: Readonly<Record<string, readonly [value: string, mac: string | undefined]>> = {
  'as pxelinux writes it': ['01-52-54-00-ab-cd-ef', '52:54:00:ab:cd:ef'],
  'upper case': ['01-52-54-00-AB-CD-EF', '52:54:00:ab:cd:ef'],
  'without the hardware type': ['52:54:00:ab:cd:ef', '52:54:00:ab:cd:ef'],
  'too short': ['01-52-54-00', undefined],
  'no hex': ['01-52-54-00-ab-cd-zz', undefined],
  'a pattern': ['??-??-??-??-??-??', undefined],
  empty: ['', undefined],
};

describe('parse_ip', () => {
  test.each(Object.entries(PARSED))('%s', async (_name, [argument, lines]) => {
    const { stdout, status } = await ash(['ip-arg'], 'parse_ip "$1"', [argument]);
    expect({ lines: stdout.trimEnd().split('\n'), status }).toEqual({ lines, status: 0 });
  });

  test.each(Object.entries(REFUSED))('refused: %s', async (_name, [argument, reason]) => {
    const { stdout } = await ash(['ip-arg'], 'parse_ip "$1" >/dev/null && echo taken; printf "%s\\n" "$reason"', [
      argument,
    ]);
    expect(stdout).toBe(`${reason}\n`);
  });
});

describe('bootif_mac', () => {
  test.each(Object.entries(BOOTIF))('%s', async (_name, [value, mac]) => {
    const { stdout, status } = await ash(['ip-arg'], 'bootif_mac "$1"', [value]);
    expect({ stdout, status }).toEqual({
      stdout: mac === undefined ? '' : `${mac}\n`,
      status: mac === undefined ? 1 : 0,
    });
  });
});
