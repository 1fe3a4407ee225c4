import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { BootEvent, NewEvent } from '../../server/domain/event.js';
import { adminToken, startApi, type TestApi } from '../support/api.js';

let api: TestApi;
beforeEach(async () => {
  api = await startApi();
});
afterEach(() => api.close());

const record = (number: number, over: Partial<NewEvent> = {}): void =>
  api.core.events.record({
    source: 'server',
    kind: 'test.step',
    level: 'info',
    message: `step ${number}`,
    data: { number },
    ...over,
  });

interface Reader {
  readonly events: BootEvent[];
  readonly ids: number[];
  ended: boolean;
  text: string;
  stop(): void;
}

async function follow(path: string, headers: Record<string, string> = {}): Promise<Reader> {
  const stop = new AbortController();
  const response = await fetch(`${api.url}/api/v1/events/stream${path}`, {
    headers: { authorization: `Bearer ${adminToken}`, ...headers },
    signal: stop.signal,
  });
  expect(response.status).toBe(200);
  expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
  const reader: Reader = { events: [], ids: [], ended: false, text: '', stop: () => stop.abort() };
  void read(response, reader);
  await vi.waitFor(() => expect(reader.text).toContain('retry:'));
  return reader;
}

async function read(response: Response, reader: Reader): Promise<void> {
  const decoder = new TextDecoder();
  let rest = '';
  try {
    for await (const chunk of response.body ?? []) {
      const blocks = (rest + decoder.decode(chunk, { stream: true })).split('\n\n');
      rest = blocks.pop() ?? '';
      reader.text += blocks.filter((block) => !block.startsWith('id: ')).join('\n\n');
      for (const block of blocks.filter((one) => one.startsWith('id: '))) {
        const [id = '', data = ''] = block.split('\n');
        reader.ids.push(Number(id.slice(4)));
        reader.events.push(JSON.parse(data.slice(6)) as BootEvent);
      }
    }
  } catch (error) {
    reader.text += `\n(broken: ${String(error)})`;
  }
  reader.ended = true;
}

const numbers = (reader: Reader): unknown[] => reader.events.map((event) => event.data.number);
const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, i) => from + i);

describe('events', () => {
  test('lists by pages, filters, and gives the newest first when asked', async () => {
    for (let i = 1; i <= 5; i += 1) record(i, i % 2 === 0 ? { machine: 'node1', level: 'warning' } : {});
    await api.core.events.flush();
    const first = await api.json('GET', '/api/v1/events?limit=3');
    expect(first.body).toMatchObject({
      items: [{ message: 'step 1' }, { message: 'step 2' }, { message: 'step 3' }],
      next: '3',
    });
    expect((await api.json('GET', '/api/v1/events?limit=3&next=3')).body).toEqual({
      items: [
        expect.objectContaining({ sequence: 4, at: '1970-01-01T00:16:40.000Z', machine: 'node1', data: { number: 4 } }),
        expect.objectContaining({ sequence: 5 }),
      ],
    });
    expect((await api.json('GET', '/api/v1/events?order=newest&limit=1')).body).toMatchObject({
      items: [{ sequence: 5 }],
    });
    expect((await api.json('GET', '/api/v1/events?machine=node1&level=warning')).body).toMatchObject({
      items: [{ sequence: 2 }, { sequence: 4 }],
    });
    expect((await api.json('GET', '/api/v1/events?mac=nonsense')).body).toMatchObject({
      error: { code: 'invalid', field: 'mac' },
    });
  });
});

describe('stream', () => {
  test('sends what happens from now on', async () => {
    record(1);
    await api.core.events.flush();
    const reader = await follow('');
    record(2);
    record(3);
    await vi.waitFor(() => expect(numbers(reader)).toEqual([2, 3]));
    expect(reader.ids).toEqual([2, 3]);
  });

  test('resumes behind Last-Event-ID over several batches, without a gap or a double, into what is live', async () => {
    for (let i = 1; i <= 1203; i += 1) record(i);
    await api.core.events.flush();
    const reader = await follow('', { 'last-event-id': '2' });
    for (let i = 1204; i <= 1300; i += 1) record(i);
    await vi.waitFor(() => expect(reader.ids.length).toBeGreaterThanOrEqual(1298), 5000);
    record(1301);
    await vi.waitFor(() => expect(reader.ids.at(-1)).toBe(1301));
    expect(numbers(reader)).toEqual(range(3, 1301));
  });

  test('resumes at the newest event too', async () => {
    record(1);
    await api.core.events.flush();
    const reader = await follow('', { 'last-event-id': '1' });
    record(2);
    await vi.waitFor(() => expect(numbers(reader)).toEqual([2]));
  });

  test('filters what is old and what is new alike', async () => {
    for (let i = 1; i <= 6; i += 1) record(i, { machine: i % 2 === 0 ? 'node1' : 'node2' });
    await api.core.events.flush();
    const reader = await follow('?machine=node1&after=0');
    for (let i = 7; i <= 10; i += 1) record(i, { machine: i % 2 === 0 ? 'node1' : 'node2' });
    await vi.waitFor(() => expect(numbers(reader)).toEqual([2, 4, 6, 8, 10]));
  });

  test('a client that stops reading holds up nobody and gets everything when it reads on', async () => {
    // Large events fill the socket's buffers soon.
    const big = 'x'.repeat(20_000);
    const { hostname, port } = new URL(api.url);
    const socket = connect(Number(port), hostname);
    socket.write(
      `GET /api/v1/events/stream?after=0 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${adminToken}\r\n\r\n`,
    );
    await new Promise<void>((resolve) => socket.once('readable', resolve));
    const other = await follow('');
    for (let i = 1; i <= 1000; i += 1) {
      record(i, { data: { number: i, big } });
      if (i % 100 === 0) await api.core.events.flush();
    }
    await vi.waitFor(() => expect(other.ids.length).toBe(1000), 10_000);
    let tail = '';
    const ids: number[] = [];
    socket.setEncoding('latin1');
    socket.on('data', (chunk: string) => {
      const lines = (tail + chunk).split('\n');
      tail = lines.pop() ?? '';
      for (const line of lines) if (line.startsWith('id: ')) ids.push(Number(line.slice(4)));
    });
    await vi.waitFor(() => expect(ids.length).toBe(1000), 10_000);
    expect(ids).toEqual(range(1, 1000));
    socket.destroy();
  }, 30_000);

  test('a nonsense Last-Event-ID is refused before the stream begins', async () => {
    const response = await api.call('GET', '/api/v1/events/stream', undefined, { 'last-event-id': 'soon' });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ error: { field: 'Last-Event-ID' } });
  });

  test('ends when the server shuts down', async () => {
    const reader = await follow('');
    api.shutDown();
    await vi.waitFor(() => expect(reader.ended).toBe(true));
    expect(reader.text).not.toContain('broken');
  });

  test('a client that leaves ends its subscription', async () => {
    const { listeners } = api;
    const before = listeners.count;
    const reader = await follow('');
    expect(listeners.count).toBe(before + 1);
    reader.stop();
    await vi.waitFor(() => expect(listeners.count).toBe(before));
  });
});
