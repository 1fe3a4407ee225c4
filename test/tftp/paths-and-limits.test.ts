import { afterEach, describe, expect, test } from 'vitest';
import { fetchTftp, TftpPeer } from '../support/tftp-client.js';
import { seededBytes } from '../support/tftp-random.js';
import { type RigOptions, type TftpRig, TRANSPORTS, tftpRig } from '../support/tftp-rig.js';

const rigs: TftpRig[] = [];
const peers: TftpPeer[] = [];

afterEach(async () => {
  for (const peer of peers.splice(0)) await peer.close();
  for (const rig of rigs.splice(0)) await rig.close();
});

async function start(options: RigOptions): Promise<TftpRig> {
  const rig = await tftpRig(options);
  rigs.push(rig);
  return rig;
}
async function client(): Promise<TftpPeer> {
  const peer = await TftpPeer.open();
  peers.push(peer);
  return peer;
}

describe.each(TRANSPORTS)('%s', (transport) => {
  test('with one port everything comes from that port', async () => {
    const rig = await start({ transport, singlePort: true });
    const bytes = seededBytes(1, 100_000);
    await rig.put('f', bytes);
    const peer = await client();
    peer.ask('f', rig.server.port);
    const first = await peer.next();
    expect(first?.from.port).toBe(rig.server.port);
    peer.ask('gone', rig.server.port);
    for (let arrived = await peer.next(); ; arrived = await peer.next()) {
      expect(arrived?.from.port).toBe(rig.server.port);
      if (arrived?.packet.kind !== 'data') {
        expect(arrived?.packet).toEqual({ kind: 'error', code: 1, message: 'no such file' });
        break;
      }
    }
    for (const windowsize of [1, 16]) {
      const fetched = await fetchTftp(rig.server.port, 'f', { blksize: 1428, windowsize });
      expect(fetched.bytes.equals(bytes)).toBe(true);
    }
    peer.send({ kind: 'ack', block: 7 }, rig.server.port);
    await expect(fetchTftp(rig.server.port, 'x', {}, { mode: 'mail' })).rejects.toThrow('error 4');
    expect(rig.refusals.at(-1)).toBe('x: mode "mail" is not known: use octet');
    for (const rubbish of ['', '\0', '\0\x09', 'hello', '\0\x03']) {
      peer.sendRaw(Buffer.from(rubbish, 'latin1'), rig.server.port);
    }
    expect((await fetchTftp(rig.server.port, 'text/after')).bytes.toString()).toBe('after');
  });

  test('IPv6, beside IPv4', async () => {
    const rig = await start({ transport, addresses: ['127.0.0.1', '::1'] });
    const bytes = seededBytes(6, 200_001);
    await rig.put('f', bytes);
    for (const host of ['127.0.0.1', '::1']) {
      for (const windowsize of [1, 16]) {
        const fetched = await fetchTftp(rig.server.port, 'f', { blksize: 1428, windowsize }, { host });
        expect(fetched.bytes.equals(bytes)).toBe(true);
      }
      await expect(fetchTftp(rig.server.port, 'gone', {}, { host })).rejects.toThrow('no such file');
    }
    const reports = await rig.ended(4);
    expect(reports.map(({ requester }) => requester.ipv6)).toEqual([undefined, undefined, '::1', '::1']);
  });

  test('blocks as large as the subnet takes, and no larger', async () => {
    const rig = await start({
      transport,
      blockSizeFor: (address) => (address === '127.0.0.1' ? 1368 : undefined),
    });
    await rig.put('f', seededBytes(1, 5000));
    const asked = { blksize: 8192, tsize: 0 };
    expect((await fetchTftp(rig.server.port, 'f', asked)).options).toEqual({ blksize: '1368', tsize: '5000' });
    expect((await fetchTftp(rig.server.port, 'f', { blksize: 1024 })).options).toEqual({ blksize: '1024' });
    expect((await fetchTftp(rig.server.port, 'f')).options).toEqual({});
  });

  test('blocks that do not come through are smaller at the next request, until they do', async () => {
    const timing = { first: 100, margin: 5, longest: 20, resends: 8 };
    const rig = await start({ transport, timing });
    await rig.put('f', seededBytes(1, 100_000));
    const sizes: string[] = [];
    for (let round = 0; round < 3; round++) {
      const peer = await client();
      peer.ask('f', rig.server.port, { blksize: 1468 });
      const oack = await peer.next();
      if (oack?.packet.kind !== 'oack') throw new Error('no option answer');
      sizes.push(oack.packet.options[0]?.value ?? '');
      // This client takes the options, but none of the blocks reaches it.
      peer.send({ kind: 'ack', block: 0 }, oack.from.port);
      await rig.ended(round + 1);
    }
    expect(sizes).toEqual(['1468', '1428', '1380']);
    expect(rig.log.filter((line) => line.includes('do not come through'))).toHaveLength(3);
    // Smaller ones are taken as they are asked.
    expect((await fetchTftp(rig.server.port, 'f', { blksize: 512 })).options).toEqual({ blksize: '512' });
    expect((await fetchTftp(rig.server.port, 'f', { blksize: 1468 })).options).toEqual({ blksize: '1024' });
  });

  test('one address gets so many transfers at once, and an ERROR for one more', async () => {
    const rig = await start({ transport, limits: { perAddress: 3 } });
    await rig.put('f', seededBytes(1, 5000));
    const running = await Promise.all([client(), client(), client()]);
    for (const peer of running) {
      peer.ask('f', rig.server.port);
      expect((await peer.next())?.packet).toMatchObject({ kind: 'data', block: 1 });
    }
    await expect(fetchTftp(rig.server.port, 'f')).rejects.toThrow(
      'error 0: 3 transfers to your address are running: try again',
    );
    expect(rig.refusals).toEqual(['f: 3 transfers to your address are running: try again']);
    // One ends, and there is room.
    running[0]?.ask('gone', rig.server.port);
    while ((await running[0]?.next())?.packet.kind !== 'error');
    expect((await fetchTftp(rig.server.port, 'f')).bytes).toHaveLength(5000);
  });

  test('requests from forged addresses do not keep a machine out', async () => {
    const rig = await start({ transport, limits: { perAddress: 4096, total: 4096 } });
    const bytes = seededBytes(1, 50_000);
    await rig.put('f', bytes);
    // Many ports of one address stand for many addresses: none of them ever answers.
    const crowd = await Promise.all(Array.from({ length: 1100 }, () => TftpPeer.open()));
    peers.push(...crowd);
    for (const peer of crowd) peer.ask('f', rig.server.port, { tsize: 0 });
    await expect
      .poll(() => rig.reports.filter(({ phase }) => phase === 'started').length, { timeout: 10_000 })
      .toBe(1100);
    expect((await fetchTftp(rig.server.port, 'f', { blksize: 1428 })).bytes.equals(bytes)).toBe(true);
    // The oldest have made room for the last ones, and were told so.
    const told = rig.reports.filter(({ reason }) => reason === 'too many requests at once: try again');
    expect(told.length).toBeGreaterThanOrEqual(76);
  }, 20_000);

  test('ACKs that another port sends, or of blocks never sent, move nothing', async () => {
    const rig = await start({ transport });
    const bytes = seededBytes(1, 3000);
    await rig.put('f', bytes);
    const peer = await client();
    const forger = await client();
    peer.ask('f', rig.server.port);
    const port = (await peer.next())?.from.port ?? 0;
    for (let block = 0; block <= 65_535; block += 257) {
      forger.send({ kind: 'ack', block }, port);
      if (block > 1) peer.send({ kind: 'ack', block }, port);
    }
    forger.send({ kind: 'error', code: 0, message: 'stop' }, port);
    let next = 1;
    peer.send({ kind: 'ack', block: next }, port);
    while (next < 6) {
      const arrived = await peer.next();
      if (arrived?.packet.kind !== 'data') throw new Error('the transfer ended');
      if (arrived.packet.block !== next + 1) continue;
      next += 1;
      expect(Buffer.compare(arrived.packet.data, bytes.subarray((next - 1) * 512, next * 512))).toBe(0);
      peer.send({ kind: 'ack', block: next }, port);
    }
    expect(await rig.ended(1)).toMatchObject([{ phase: 'sent' }]);
  });
});
