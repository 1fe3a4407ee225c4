import koffi from 'koffi';
import { expect, test } from 'vitest';
import { Arena } from '../../server/native/arena.js';
import { c } from '../../server/native/libc.js';
import { MessageBatch } from '../../server/native/message-batch.js';
import { decodeSocketAddress, encodeSocketAddress } from '../../server/native/socket-address.js';

const SOCK_DGRAM = 2;
const SOL_UDP = 17;
const UDP_SEGMENT = 103;
const MSG_DONTWAIT = 0x40;

function bound(arena: Arena, host: string): { fd: number; address: { address: string; port: number } | undefined } {
  const name = encodeSocketAddress(host, 0, () => 0);
  const fd = c().socket(name[0] ?? 0, SOCK_DGRAM, 0);
  expect(c().bind(fd, name, name.length)).toBe(0);
  const at = arena.take(32);
  const length = arena.take(4);
  arena.view.setUint32(length, 32, true);
  expect(c().getsockname(fd, arena.addressOf(at), arena.addressOf(length))).toBe(0);
  return { fd, address: decodeSocketAddress(arena.bytes.slice(at, at + 28)) };
}

test.each(['127.0.0.1', '::1'])('datagrams to %s in one call, one of them cut into segments by the kernel', (host) => {
  const arena = new Arena(1 << 20);
  const from = bound(arena, host);
  const to = bound(arena, host);
  try {
    const out = new MessageBatch(arena, 2, 24);
    const target = encodeSocketAddress(host, to.address?.port ?? 0, () => 0);
    const payload = arena.take(1000);
    for (let at = 0; at < 1000; at++) arena.bytes[payload + at] = at;
    for (const index of [0, 1]) {
      arena.bytes.set(target, out.nameAt(index));
      out.setNameLength(index, target.length);
    }
    out.setPayload(0, payload, 1000);
    out.setControlU16(0, SOL_UDP, UDP_SEGMENT, 400);
    out.setPayload(1, payload, 5);
    expect(c().sendmmsg(from.fd, out.address, 2, 0), `errno ${koffi.errno()}`).toBe(2);

    const incoming = new MessageBatch(arena, 8);
    const room = arena.take(8 * 512);
    for (let index = 0; index < 8; index++) {
      incoming.setPayload(index, room + index * 512, index === 3 ? 3 : 512);
      incoming.setNameLength(index, 28);
    }
    expect(c().recvmmsg(to.fd, incoming.address, 8, MSG_DONTWAIT, 0)).toBe(4);
    expect([0, 1, 2, 3].map((index) => incoming.lengthOf(index))).toEqual([400, 400, 200, 3]);
    expect([0, 1, 2, 3].map((index) => incoming.isTruncated(index))).toEqual([false, false, false, true]);
    expect(arena.bytes[room + 512]).toBe(400 & 255);
    const name = incoming.nameAt(0);
    expect(decodeSocketAddress(arena.bytes.slice(name, name + incoming.nameLength(0)))).toEqual(from.address);
    expect(c().recvmmsg(to.fd, incoming.address, 8, MSG_DONTWAIT, 0)).toBe(-1);
  } finally {
    c().close(from.fd);
    c().close(to.fd);
  }
});

test('an arena does not hand out more than it has', () => {
  const arena = new Arena(1 << 16);
  arena.take(60_000);
  expect(() => arena.take(60_000)).toThrow('the arena is full');
  expect(() => new Arena(4096)).toThrow('would not stay');
});
