import { mkdir, rename, rm, symlink, truncate, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { SEAL_SECONDS } from '../../server/images/seal.js';
import { createTftpServer } from '../../server/tftp/server.js';
import { fetchTftp, TftpPeer } from '../support/tftp-client.js';
import { seededBytes } from '../support/tftp-random.js';
import { type TftpRig, TRANSPORTS, tftpRig } from '../support/tftp-rig.js';

// More than 300 lines: one suite that both transports must pass.

describe.each(TRANSPORTS)('%s', (transport) => {
  let rig: TftpRig;
  let peer: TftpPeer;

  beforeEach(async () => {
    rig = await tftpRig({
      transport,
      timing: { first: 150, margin: 50, longest: 300, resends: 3, resendsUnanswered: 2 },
    });
    peer = await TftpPeer.open();
  });
  afterEach(async () => {
    await peer.close();
    await rig.close();
  });

  describe('files come through whole', () => {
    const sizes = [0, 1, 511, 512, 513, 1024, 65_536, 65_537, 300_000];
    test.each(sizes)('%i bytes without options', async (size) => {
      const bytes = seededBytes(size, size);
      await rig.put('f', bytes);
      const fetched = await fetchTftp(rig.server.port, 'f');
      expect(fetched.bytes.equals(bytes)).toBe(true);
      expect(fetched.packets).toBe(Math.floor(size / 512) + 1);
      expect(fetched.options).toEqual({});
      expect(await rig.ended(1)).toMatchObject([{ phase: 'sent', name: 'f', bytes: size, total: size }]);
    });

    test.each([8, 512, 1024, 1428, 1432, 1468, 8192, 65_464])('blocks of %i bytes, with the size', async (blksize) => {
      const size = Math.min(200_000, blksize * 3000);
      const bytes = seededBytes(blksize, size);
      await rig.put('f', bytes);
      const fetched = await fetchTftp(rig.server.port, 'f', { tsize: 0, blksize });
      expect(fetched.bytes.equals(bytes)).toBe(true);
      expect(fetched.options).toEqual({ tsize: String(size), blksize: String(blksize) });
    });

    test.each([2, 16, 64])('windows of %i blocks', async (windowsize) => {
      const bytes = seededBytes(windowsize, 500_000);
      await rig.put('f', bytes);
      const fetched = await fetchTftp(rig.server.port, 'f', { windowsize, blksize: 1468 });
      expect(fetched.bytes.equals(bytes)).toBe(true);
    });

    test('a rendered text', async () => {
      expect((await fetchTftp(rig.server.port, '//text/#!ipxe')).bytes.toString()).toBe('#!ipxe');
    });

    test('a text in netascii, its length included', async () => {
      await rig.put('lines', 'one\ntwo\n');
      const fetched = await fetchTftp(rig.server.port, 'lines', { tsize: 0 }, { mode: 'NetASCII' });
      expect(fetched.bytes.toString()).toBe('one\r\ntwo\r\n');
      expect(fetched.options).toEqual({ tsize: '10' });
    });

    test('fifty clients at once', async () => {
      const bytes = seededBytes(5, 100_000);
      await rig.put('f', bytes);
      const all = await Promise.all(
        Array.from({ length: 50 }, () => fetchTftp(rig.server.port, 'f', { blksize: 1468 })),
      );
      for (const fetched of all) expect(fetched.bytes.equals(bytes)).toBe(true);
      expect((await rig.ended(50)).every(({ phase }) => phase === 'sent')).toBe(true);
    });
  });

  describe('every "no" has its code and its reason', () => {
    const refusals: Record<string, [ask: (port: number) => Promise<unknown>, error: string]> = {
      'a file that is not there': [(port) => fetchTftp(port, 'gone'), 'error 1: no such file'],
      'a way out of the folder': [
        (port) => fetchTftp(port, '../../etc/passwd'),
        'error 1: the name leaves its folder ("..")',
      ],
      'with back-slashes': [
        (port) => fetchTftp(port, '..\\..\\etc\\passwd'),
        'error 1: the name leaves its folder ("..")',
      ],
      'mode mail': [
        (port) => fetchTftp(port, 'f', {}, { mode: 'mail' }),
        'error 4: mode "mail" is not known: use octet',
      ],
      'a fault of the name space': [(port) => fetchTftp(port, 'throws'), 'error 0: internal error of the server'],
      'a large file in netascii': [
        async (port) => {
          await rig.put('large', Buffer.alloc(2 << 20));
          return fetchTftp(port, 'large', {}, { mode: 'netascii' });
        },
        'error 0: netascii is for texts up to 1 MiB: ask in octet mode',
      ],
    };
    test.each(Object.entries(refusals))('%s', async (_, [ask, error]) => {
      await expect(ask(rig.server.port)).rejects.toThrow(error);
    });

    test('a link out of the folder', async () => {
      await symlink('/etc/passwd', join(rig.folder, 'link'));
      await expect(fetchTftp(rig.server.port, 'link')).rejects.toThrow('symbolic link');
    });

    test('other bytes with the size and the time of those before are not what is remembered of them', async () => {
      const time = new Date(SEAL_SECONDS * 1000);
      const put = async (bytes: Buffer): Promise<void> => {
        await rig.put('image', bytes);
        await utimes(join(rig.folder, 'image'), time, time);
      };
      // As after an image was removed and one of the same size came: the same inode, and the one time that all images have.
      for (const seed of [1, 2]) {
        const bytes = seededBytes(seed, 200_000);
        await put(bytes);
        expect((await fetchTftp(rig.server.port, 'image', { blksize: 1428 })).bytes.equals(bytes)).toBe(true);
      }
    });

    describe('a file that something else took the place of between the look and the opening', () => {
      const swaps: Record<string, [swap: (folder: string) => Promise<void>, error: string]> = {
        nothing: [(folder) => rm(join(folder, 'd/f')), 'error 1: the file has just been removed'],
        'a link': [
          async (folder) => {
            await rm(join(folder, 'd/f'));
            await symlink('/etc/passwd', join(folder, 'd/f'));
          },
          'error 2: the server may not read this file',
        ],
        'a link in the place of its folder': [
          async (folder) => {
            await rename(join(folder, 'd'), join(folder, 'e'));
            await symlink('e', join(folder, 'd'));
          },
          'error 0: the file was replaced meanwhile',
        ],
        'a folder': [
          async (folder) => {
            await rm(join(folder, 'd/f'));
            await mkdir(join(folder, 'd/f'));
          },
          'error 0: not a regular file',
        ],
      };
      test.each(Object.entries(swaps))('%s', async (_, [swap, error]) => {
        await mkdir(join(rig.folder, 'd'));
        await rig.put('d/f', 'content');
        rig.beforeOpen = () => swap(rig.folder);
        await expect(fetchTftp(rig.server.port, 'd/f')).rejects.toThrow(error);
        expect(await rig.ended(1)).toMatchObject([{ phase: 'failed', name: 'd/f' }]);
      });
    });

    test('uploads', async () => {
      peer.send({ kind: 'wrq', name: 'x', mode: 'octet', options: [] }, rig.server.port);
      expect((await peer.next())?.packet).toEqual({ kind: 'error', code: 2, message: 'this server is read-only' });
      expect(rig.asked).toEqual([]);
    });

    test('a malformed request', async () => {
      peer.sendRaw(Buffer.from('\0\x01name without end'), rig.server.port);
      expect((await peer.next())?.packet).toEqual({
        kind: 'error',
        code: 4,
        message: 'file name: is not ended by a NUL byte',
      });
    });

    test('packets of a transfer on the port for requests', async () => {
      peer.send({ kind: 'ack', block: 1 }, rig.server.port);
      expect((await peer.next())?.packet).toMatchObject({ kind: 'error', code: 5 });
    });

    test('errors and rubbish are not answered', async () => {
      peer.send({ kind: 'error', code: 0, message: 'x' }, rig.server.port);
      for (const rubbish of ['', '\0', '\0\x09', 'hello', '\0\x03']) {
        peer.sendRaw(Buffer.from(rubbish, 'latin1'), rig.server.port);
      }
      peer.ask('text/after', rig.server.port);
      expect((await peer.next())?.packet).toMatchObject({ kind: 'data', block: 1 });
      // Nor do they fill the log.
      expect(rig.log).toEqual([expect.stringContaining('malformed TFTP packet ignored')]);
    });
  });

  describe('transfers and their clients', () => {
    test('firmware reads the size, stops with error 8 and asks again from the same port', async () => {
      await rig.put('loader.efi', seededBytes(1, 1000));
      peer.ask('loader.efi', rig.server.port, { tsize: 0, blksize: 1468 });
      const oack = await peer.next();
      expect(oack?.packet).toMatchObject({
        kind: 'oack',
        options: [{ name: 'tsize', value: '1000' }, { name: 'blksize' }],
      });
      peer.send({ kind: 'error', code: 8, message: 'User aborted the transfer' }, oack?.from.port ?? 0);
      expect(await rig.ended(1)).toMatchObject([{ phase: 'probed', name: 'loader.efi', bytes: 0, total: 1000 }]);
      peer.ask('loader.efi', rig.server.port, { tsize: 0, blksize: 1468 });
      const again = await peer.next();
      expect(again?.packet.kind).toBe('oack');
      expect(again?.from.port).not.toBe(rig.server.port);
    });

    test('a repeated request does not start a second transfer', async () => {
      let release = (): void => undefined;
      rig.onResolve = () =>
        new Promise((resolve) => {
          release = resolve;
        });
      for (let i = 0; i < 5; i++) peer.ask('text/once', rig.server.port);
      await expect.poll(() => rig.asked.length).toBe(1);
      release();
      const first = await peer.next();
      expect(first?.packet).toMatchObject({ kind: 'data', block: 1 });
      peer.ask('text/once', rig.server.port);
      peer.ask('text/once', rig.server.port);
      peer.send({ kind: 'ack', block: 1 }, first?.from.port ?? 0);
      await rig.ended(1);
      expect(rig.asked).toEqual(['text/once']);
      expect(rig.reports.map(({ phase }) => phase)).toEqual(['started', 'sent']);
    });

    test('another request from the same port takes the place of the first, without an error to the client', async () => {
      peer.ask('text/one', rig.server.port);
      await peer.next();
      peer.ask('text/two', rig.server.port);
      const second = await peer.next();
      expect(second?.packet).toMatchObject({ kind: 'data', block: 1, data: Buffer.from('two') });
      peer.send({ kind: 'ack', block: 1 }, second?.from.port ?? 0);
      expect(await rig.ended(2)).toMatchObject([
        { name: 'text/one', phase: 'failed', reason: 'the client asked for something else from the same port' },
        { name: 'text/two', phase: 'sent' },
      ]);
    });

    test('a machine that was reset in the middle and begins again from the same port is served at its second try', async () => {
      await rig.put('f', seededBytes(1, 5000));
      peer.ask('f', rig.server.port);
      const first = await peer.next();
      peer.send({ kind: 'ack', block: 1 }, first?.from.port ?? 0);
      const seen: number[] = [];
      // Block 2, and block 2 again: the server waits for a client that is gone.
      while (seen.length < 2) {
        const arrived = await peer.next();
        if (arrived?.packet.kind === 'data' && arrived.packet.block === 2) seen.push(2);
      }
      peer.ask('f', rig.server.port);
      await rig.ended(1);
      peer.ask('f', rig.server.port);
      for (;;) {
        const arrived = await peer.next();
        if (arrived === undefined) throw new Error('no answer');
        if (arrived.packet.kind === 'data' && arrived.packet.block === 1) {
          break;
        }
      }
    });

    test('a stranger on the port of a transfer is told so, and the transfer goes on', async () => {
      await rig.put('f', seededBytes(1, 1000));
      peer.ask('f', rig.server.port);
      const first = await peer.next();
      const transferPort = first?.from.port ?? 0;
      const stranger = await TftpPeer.open();
      for (let i = 0; i < 1000; i++) stranger.send({ kind: 'ack', block: 1 }, transferPort);
      stranger.send({ kind: 'error', code: 0, message: 'stop' }, transferPort);
      let answers = 0;
      for (let arrived = await stranger.next(); arrived !== undefined; arrived = await stranger.next(300)) {
        expect(arrived.packet).toMatchObject({ kind: 'error', code: 5 });
        answers += 1;
      }
      // More would make us send on somebody's behalf.
      expect(answers).toBeGreaterThan(0);
      expect(answers).toBeLessThanOrEqual(200);
      await stranger.close();
      peer.send({ kind: 'ack', block: 1 }, transferPort);
      for (;;) {
        const arrived = await peer.next();
        if (arrived?.packet.kind === 'data' && arrived.packet.block === 2) break;
        expect(arrived?.packet).toMatchObject({ kind: 'data', block: 1 });
      }
      peer.send({ kind: 'ack', block: 2 }, transferPort);
      expect(await rig.ended(1)).toMatchObject([{ phase: 'sent' }]);
    });

    test('rubbish on the port of a transfer changes nothing', async () => {
      await rig.put('f', seededBytes(1, 700));
      peer.ask('f', rig.server.port);
      const port = (await peer.next())?.from.port ?? 0;
      for (const rubbish of ['', '\0', '\0\x09', '\0\x04\0', '\0\x01f\0octet\0', '\0\x03\0\x01x']) {
        peer.sendRaw(Buffer.from(rubbish, 'latin1'), port);
      }
      peer.send({ kind: 'ack', block: 1 }, port);
      peer.send({ kind: 'ack', block: 2 }, port);
      expect(await rig.ended(1)).toMatchObject([{ phase: 'sent' }]);
    });

    test('who never answers gets three packets in all', async () => {
      await rig.put('f', seededBytes(1, 700));
      peer.ask('f', rig.server.port, { tsize: 0 });
      const [report] = await rig.ended(1);
      expect(report).toMatchObject({ phase: 'failed', reason: 'no answer to the option answer after 3 attempts' });
      for (let i = 0; i < 3; i++) expect((await peer.next(50))?.packet.kind).toBe('oack');
      expect(await peer.next(50)).toBeUndefined();
    });

    test('a file that shrinks while it is sent ends with an error', async () => {
      await rig.put('f', seededBytes(1, 300_000));
      peer.ask('f', rig.server.port, { blksize: 60_000 });
      let arrived = await peer.next();
      const port = arrived?.from.port ?? 0;
      await truncate(join(rig.folder, 'f'), 10);
      for (let block = 0; arrived?.packet.kind !== 'error'; block++) {
        peer.send({ kind: 'ack', block }, port);
        arrived = await peer.next();
      }
      expect(arrived.packet.message).toContain('the file became shorter while it was sent');
      expect(await rig.ended(1)).toMatchObject([{ phase: 'failed' }]);
    });
  });

  test('a stopping server tells its clients', async () => {
    const other = await tftpRig({ transport });
    await other.put('f', seededBytes(1, 5000));
    peer.ask('f', other.server.port);
    await peer.next();
    await other.close();
    let last = await peer.next();
    while (last?.packet.kind === 'data') last = await peer.next();
    expect(last?.packet).toEqual({ kind: 'error', code: 0, message: 'the server stops' });
    expect(other.reports.at(-1)).toMatchObject({ phase: 'failed', reason: 'the server stops' });
  });

  test('a port in use is told with its remedy, and no thread stays behind', async () => {
    const boot = {
      resolve: () => Promise.reject(new Error('not asked')),
      transfer: () => undefined,
      refused: () => undefined,
    };
    const note = (): void => undefined;
    const log = { info: note, warn: note, error: note };
    const second = createTftpServer({ addresses: ['127.0.0.1'], port: rig.server.port, boot, log });
    await expect(second.start()).rejects.toMatchObject({
      code: 'conflict',
      field: 'listen.tftp',
      remedy: expect.stringContaining('stop the other TFTP server'),
    });
  });
});
