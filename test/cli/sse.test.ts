import { expect, test } from 'vitest';
import { readSse, type SseMessage } from '../../server/cli/sse.js';

async function read(text: string, cut = text.length): Promise<SseMessage[]> {
  const bytes = new TextEncoder().encode(text);
  async function* chunks(): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < bytes.length; at += cut) yield bytes.subarray(at, at + cut);
  }
  const messages: SseMessage[] = [];
  for await (const message of readSse(chunks())) messages.push(message);
  return messages;
}

const STREAM =
  'retry: 2000\n\n: still here\n\nid: 7\ndata: {"a":"ü"}\n\nevent: end\r\nid: 8\r\ndata: one\r\ndata:two\r\n\r\ndata: cut';
const MESSAGES = [
  { event: 'message', data: '{"a":"ü"}', id: '7' },
  { event: 'end', data: 'one\ntwo', id: '8' },
];

test('messages, comments and an unfinished end', async () => {
  expect(await read(STREAM)).toEqual(MESSAGES);
});

test.each([1, 2, 3, 5, 7])('cut every %d bytes, it reads the same', async (cut) => {
  expect(await read(STREAM, cut)).toEqual(MESSAGES);
});
