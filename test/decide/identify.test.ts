import { describe, expect, test } from 'vitest';
import { classifyDhcp } from '../../server/decide/classify.js';
import { identify } from '../../server/decide/identify.js';
import { parseMac } from '../../server/domain/mac.js';
import type { Machine } from '../../server/domain/machine.js';
import { State } from '../../server/state/state.js';
import type { DhcpPacket } from '../../server/wire/dhcp/packet.js';
import { ip, type NamedOptions, request, utf8 } from '../support/dhcp-packets.js';

const A = '52:54:00:00:00:0a';
const STRANGER = '52:54:00:00:00:99';
const UUID = '00112233-4455-6677-8899-aabbccddeeff';
const uuidOption = { clientUuid: Buffer.from('0033221100554477668899aabbccddeeff', 'hex') };
const machine = (name: string, told: Partial<Machine>): Machine => ({ name, macs: [], labels: {}, ...told });

const empty = {
  machines: [],
  roles: [],
  systems: [],
  images: [],
  leases: [],
  observed: [],
  sessions: [],
  claims: [],
  holdings: [],
  roleLeases: [],
  tokens: [],
  sequence: 0,
};

const state = new State(
  {
    ...empty,
    machines: [
      machine('by-mac', { macs: [parseMac(A)] }),
      machine('by-uuid', { uuid: UUID }),
      machine('by-id', { clientId: 'node-7' }),
      machine('by-port', { relay: { circuitId: 'port7', remoteId: 'hex:0102' } }),
      machine('by-switch', { relay: { remoteId: 'switch9' } }),
      machine('pinned', { macs: [parseMac('52:54:00:00:00:0b')], relay: { circuitId: 'port8' } }),
    ],
  },
  [],
);
const port = (circuit: string, remote?: string): NamedOptions => ({
  relayAgent: new Map([
    [1, utf8(circuit)],
    ...(remote === undefined ? [] : [[2, utf8(remote)] as [number, Uint8Array]]),
  ]),
});
const packet = (mac: string, options: NamedOptions = {}, fields: Partial<DhcpPacket> = {}): DhcpPacket =>
  request(mac, { messageType: 'discover', ...options }, fields);

describe('which machine a packet comes from', () => {
  const rows: Record<string, [DhcpPacket, string | undefined]> = {
    'its MAC': [packet(A), 'by-mac'],
    'nobody knows it': [packet(STRANGER), undefined],
    'its UUID': [packet(STRANGER, uuidOption), 'by-uuid'],
    'the MAC before the UUID': [packet(A, uuidOption), 'by-mac'],
    'its client id': [packet(STRANGER, { clientId: utf8('node-7') }), 'by-id'],
    'its client id behind a type byte 0': [packet(STRANGER, { clientId: utf8('\0node-7') }), 'by-id'],
    'the port it is plugged into': [packet(STRANGER, port('port7', '\x01\x02')), 'by-port'],
    'half of the port is not enough': [packet(STRANGER, port('port7')), undefined],
    'any port of its switch': [packet(STRANGER, port('port1', 'switch9')), 'by-switch'],
    'the port before the MAC: the card of another machine': [packet(A, port('port8')), 'pinned'],
    'a pinned machine at its port': [packet('52:54:00:00:00:0b', port('port8', 'any')), 'pinned'],
    'the MAC of a pinned machine at another port is a stranger': [
      packet('52:54:00:00:00:0b', port('port9')),
      undefined,
    ],
    'the MAC of a pinned machine without a relay is a stranger': [packet('52:54:00:00:00:0b'), undefined],
    'a renewal that comes from another port is a stranger': [
      packet('52:54:00:00:00:0b', port('port9'), { ciaddr: ip('10.77.0.9') }),
      undefined,
    ],
    'a renewal of a pinned machine goes past the relay': [
      packet('52:54:00:00:00:0b', {}, { ciaddr: ip('10.77.0.9') }),
      'pinned',
    ],
  };
  test.each(Object.entries(rows))('%s', (_sentence, [sent, name]) => {
    expect(identify(classifyDhcp(sent), state)?.name).toBe(name);
  });

  test('a name in a URL says only the MAC', () => {
    expect(identify({ mac: parseMac('52:54:00:00:00:0b') }, state)?.name).toBe('pinned');
  });

  test('a machine that is changed is not found by what it had before', () => {
    const other = new State({ ...empty, machines: [machine('m', { clientId: 'a', relay: { circuitId: 'p' } })] }, []);
    other.applyChanges([
      { kind: 'machine', action: 'change', name: 'm', fields: [], value: machine('m', { clientId: 'b' }) },
    ]);
    expect([other.machineByClientId('61'), other.machineByPort('70', undefined)]).toEqual([undefined, undefined]);
    expect(other.machineByClientId('62')?.name).toBe('m');
  });
});
