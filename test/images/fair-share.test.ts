import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { expect, test } from 'vitest';
import { type FrontRig, frontRig, sha256 } from '../support/front-rig.js';
import { seededBytes } from '../support/tftp-random.js';

/** One download from an address of its own on the loopback net. */
function download(
  rig: FrontRig,
  path: string,
  from: string,
): { readonly socket: Socket; readonly body: Promise<Buffer> } {
  const socket = connect({ port: rig.front.port, host: '127.0.0.1', localAddress: from });
  socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
  const chunks: Buffer[] = [];
  socket.on('data', (chunk) => chunks.push(chunk));
  const body = once(socket, 'close').then(() => {
    const all = Buffer.concat(chunks);
    return all.subarray(all.indexOf('\r\n\r\n') + 4);
  });
  return { socket, body };
}

test('downloads of one machine take turns; one that stands still holds up neither them nor other machines', async () => {
  const rig = await frontRig();
  const image = seededBytes(3, 40_000_001);
  const path = await rig.put(image);
  const still = download(rig, path, '127.0.0.2');
  await once(still.socket, 'data');
  still.socket.pause();
  const brothers = Array.from({ length: 5 }, () => download(rig, path, '127.0.0.2'));
  const other = download(rig, path, '127.0.0.3');
  for (const { body } of [other, ...brothers]) expect(sha256(await body)).toBe(sha256(image));
  still.socket.resume();
  expect(sha256(await still.body)).toBe(sha256(image));
  expect((await rig.ended(7)).map(({ phase }) => phase)).toEqual(Array.from({ length: 7 }, () => 'sent'));
  await rig.close();
}, 60_000);

test('a machine that goes away with all its downloads leaves nothing behind', async () => {
  const rig = await frontRig();
  const path = await rig.put(seededBytes(4, 40_000_001));
  const gone = Array.from({ length: 6 }, () => download(rig, path, '127.0.0.2'));
  await Promise.any(gone.map(({ socket }) => once(socket, 'data')));
  for (const { socket } of gone) socket.destroy();
  const after = download(rig, path, '127.0.0.2');
  expect((await after.body).length).toBe(40_000_001);
  await rig.close();
}, 60_000);
