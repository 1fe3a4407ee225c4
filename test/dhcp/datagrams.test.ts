import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { expect, onTestFinished, test } from 'vitest';
import { Datagrams } from '../../server/dhcp/datagrams.js';
import { datagramsWork, portOf } from '../../server/dhcp/datagrams-self-test.js';
import { parseIpv4 } from '../../server/domain/ipv4.js';
import { c } from '../../server/native/libc.js';
import { encodeSocketAddress } from '../../server/native/socket-address.js';

const LOOPBACK = parseIpv4('127.0.0.1');

/** A UDP socket of our own on loopback: its descriptor and port. */
function ownSocket(): { readonly fd: number; readonly port: number } {
  const fd = c().socket(2, 2, 0);
  const any = encodeSocketAddress('127.0.0.1', 0, () => 0);
  expect(c().bind(fd, any, any.length)).toBe(0);
  onTestFinished(() => void c().close(fd));
  return { fd, port: portOf(fd) ?? 0 };
}

/** Keeps what came to it. */
async function receiver(): Promise<{ readonly port: number; readonly heard: string[] }> {
  const socket = createSocket('udp4');
  const heard: string[] = [];
  socket.on('message', (bytes) => heard.push(bytes.toString('latin1')));
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  onTestFinished(() => void socket.close());
  return { port: socket.address().port, heard };
}

const refuse = (error: Error): void => expect.unreachable(error.message);
const never = (): void => expect.unreachable('there is room in the socket');
const text = (words: string): Uint8Array => Buffer.from(words, 'latin1');

test('the structures are understood here', () => {
  expect(datagramsWork()).toBe(true);
});

test('more datagrams than one call takes leave in order', async () => {
  const { port, heard } = await receiver();
  const out = new Datagrams(ownSocket().fd, never);
  const words = Array.from({ length: 150 }, (_, index) => `datagram ${index}`);
  for (const word of words) out.queue(text(word), port, LOOPBACK, refuse);
  out.flush();
  await expect.poll(() => heard.length).toBe(150);
  expect(heard).toEqual(words);
});

test('one that the kernel refuses is told with its reason, and the others leave', async () => {
  const { port, heard } = await receiver();
  const out = new Datagrams(ownSocket().fd, never);
  const failures: string[] = [];
  out.queue(text('before'), port, LOOPBACK, refuse);
  // No address of this network can be reached from a socket on loopback.
  out.queue(text('lost'), port, parseIpv4('192.0.2.1'), (error) => failures.push(error.message));
  out.queue(text('after'), port, LOOPBACK, refuse);
  out.flush();
  await expect.poll(() => heard.length).toBe(2);
  expect(heard).toEqual(['before', 'after']);
  expect(failures).toEqual([expect.stringMatching(/^cannot send to 192\.0\.2\.1:\d+: E/)]);
});

test('what waits is taken in one go and stays as it was; one that is too large is left out and told', async () => {
  const { fd, port } = ownSocket();
  const into = new Datagrams(fd, never);
  const out = new Datagrams(ownSocket().fd, never);
  const kept: Uint8Array[] = [];
  const take = (bytes: Uint8Array): void => void kept.push(bytes);
  expect(into.receive(take)).toBe(true);
  expect(kept).toEqual([]);
  for (const word of ['one', 'two']) out.queue(text(word), port, LOOPBACK, refuse);
  out.flush();
  expect(into.receive(take)).toBe(true);
  const large = createSocket('udp4');
  onTestFinished(() => void large.close());
  await new Promise<void>((resolve) => large.send(new Uint8Array(5000), port, '127.0.0.1', () => resolve()));
  out.queue(text('three'), port, LOOPBACK, refuse);
  out.flush();
  expect(into.receive(take)).toBe(false);
  expect(kept.map((bytes) => Buffer.from(bytes).toString('latin1'))).toEqual(['one', 'two', 'three']);
});

test('with a thread for sending all of a storm leave, those that are refused are told of, and the descriptor is free after close', async () => {
  const { port, heard } = await receiver();
  const out = new Datagrams(ownSocket().fd, never, { thread: true });
  const failures: string[] = [];
  const words = Array.from({ length: 500 }, (_, index) => `datagram ${index}`);
  for (const [index, word] of words.entries()) {
    out.queue(text(word), port, LOOPBACK, refuse);
    if (index % 50 === 0)
      out.queue(text('lost'), port, parseIpv4('192.0.2.1'), ({ message }) => failures.push(message));
    // A turn of the event loop, as between two packets that come: what was refused is told in it.
    if (index % 20 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  out.flush();
  await expect.poll(() => heard.length).toBe(words.length);
  expect([...heard].sort()).toEqual([...words].sort());
  await expect.poll(() => failures.length).toBe(10);
  expect(new Set(failures.map((message) => message.replace(/:\d+:/, ':')))).toEqual(
    new Set([expect.stringMatching(/^cannot send to 192\.0\.2\.1: E/)]),
  );
  out.queue(text('the last'), port, LOOPBACK, refuse);
  await out.close();
  await expect.poll(() => heard.at(-1)).toBe('the last');
});
