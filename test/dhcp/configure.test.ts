import { expect, onTestFinished, test } from 'vitest';
import type { SecondLegEvents, SecondLegPeer } from '../../server/dhcp/second-leg.js';
import { createDhcpServer } from '../../server/dhcp/server.js';
import type { LinkEvents } from '../../server/dhcp/socket.js';
import { unavailable } from '../../server/domain/errors.js';
import { LeaseBook, type LeaseStore } from '../../server/state/leases.js';
import { getOption } from '../../server/wire/dhcp/options.js';
import { decodePacket, encodePacket } from '../../server/wire/dhcp/packet.js';
import { client, ip, request } from '../support/dhcp-packets.js';
import { identity, SiteBoot, subnet } from '../support/dhcp-site.js';

const MAC = '52:54:00:00:00:01';
const select = request(MAC, {
  messageType: 'request',
  serverId: identity.address,
  requestedAddress: ip('10.77.0.100'),
});

/** The server on paper: what is opened, sent and closed is written down. */
async function start(store: LeaseStore, secondLegFails = false) {
  const done: string[] = [];
  let port67: ((bytes: Uint8Array) => void) | undefined;
  let port4011: ((bytes: Uint8Array, from: SecondLegPeer) => void) | undefined;
  const net = subnet();
  const leases = new LeaseBook({ leases: [], subnets: [net], excluded: [], reservedFor: () => undefined, store });
  const boot = new SiteBoot();
  const sent = (bytes: Uint8Array): string => getOption(decodePacket(bytes).options, 'messageType') ?? '';
  const server = createDhcpServer({
    interfaces: ['paper0'],
    subnets: [net],
    mode: 'off',
    identity,
    boot,
    leases,
    clock: () => 1_000_000_000,
    log: { info: () => undefined, warn: () => undefined, error: () => undefined },
    openLink: async (name, events: LinkEvents) => {
      done.push('open 67');
      const link = {
        name,
        addresses: [identity.address],
        send: async (bytes: Uint8Array) => void done.push(`67 ${sent(bytes)}`),
        close: async () => void done.push('close 67'),
      };
      port67 = (bytes) => events.packet(bytes, link);
      return link;
    },
    openSecondLeg: async (name, events: SecondLegEvents) => {
      if (secondLegFails) throw unavailable('cannot listen on UDP 4011');
      done.push('open 4011');
      const link = {
        name,
        addresses: [identity.address],
        send: async (bytes: Uint8Array, to: SecondLegPeer) => void done.push(`4011 ${sent(bytes)} to ${to.port}`),
        close: async () => void done.push('close 4011'),
      };
      port4011 = (bytes, from) => events.packet(bytes, from, link);
      return link;
    },
  });
  await server.start();
  onTestFinished(() => server.close());
  return { server, done, net, boot, hear: (p: typeof select) => port67?.(encodePacket(p)), on4011: port4011Of };

  function port4011Of(packet: typeof select, from: SecondLegPeer): void {
    port4011?.(encodePacket(packet), from);
  }
}

const durable: LeaseStore = { claimLease: async () => 'ok', lease: async () => undefined };

test('an ACK that waits for the disk is sent although the subnet is observed from now on', async () => {
  let release: () => void = () => undefined;
  const store: LeaseStore = {
    claimLease: async () => {
      await new Promise<void>((resolve) => {
        release = resolve;
      });
      return 'ok';
    },
    lease: async () => undefined,
  };
  const { server, done, net, boot, hear } = await start(store);
  hear(select);
  await expect.poll(() => boot.words()).toContain('request');
  await server.configure({ subnets: [{ ...net, mode: 'observe' }], mode: 'off' });
  release();
  await expect.poll(() => done).toEqual(['open 67', '67 ack']);
  hear(request(MAC, { messageType: 'discover' }));
  expect(done).toEqual(['open 67', '67 ack']);
});

test('ports are opened and closed as the modes need them; 4011 answers to where the question came from', async () => {
  const { server, done, net, on4011 } = await start(durable);
  await server.configure({ subnets: [{ ...net, mode: 'proxy' }], mode: 'off' });
  const asks = request(MAC, { messageType: 'request', ...client.uefi }, { ciaddr: ip('10.77.0.150') });
  on4011(asks, { address: ip('10.77.0.150'), port: 4011 });
  on4011(asks, { address: ip('10.77.0.150'), port: 68 });
  await expect.poll(() => done).toHaveLength(4);
  await server.configure({ subnets: [{ ...net, mode: 'full' }], mode: 'off' });
  await server.configure({ subnets: [{ ...net, mode: 'off' }], mode: 'off' });
  expect(done).toEqual(['open 67', 'open 4011', '4011 ack to 4011', '4011 ack to 68', 'close 4011', 'close 67']);
});

test('a port that cannot be opened: nothing changes', async () => {
  const { server, done, net, hear } = await start(durable, true);
  let taken = false;
  const change = server.configure({ subnets: [{ ...net, mode: 'proxy' }], mode: 'off' }, () => {
    taken = true;
  });
  await expect(change).rejects.toThrow('cannot listen on UDP 4011');
  expect(taken).toBe(false);
  hear(request(MAC, { messageType: 'discover' }));
  await expect.poll(() => done).toEqual(['open 67', '67 offer']);
});
