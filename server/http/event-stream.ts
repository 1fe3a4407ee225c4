import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { BootEvent, EventSource } from '../domain/event.js';
import type { Store } from '../domain/ports.js';
import type { EventFeed } from './api-deps.js';
import { eventResource } from './event-resource.js';

export interface StreamFilter {
  readonly session?: string | undefined;
  readonly machine?: string | undefined;
  readonly mac?: string | undefined;
  readonly source?: EventSource | undefined;
  readonly level?: string | undefined;
}

export interface StreamOptions {
  readonly events: EventFeed;
  readonly store: Pick<Store, 'events'>;
  readonly filter: StreamFilter;
  /** Last-Event-ID: everything newer is sent first. `undefined` = from now on. */
  readonly after: number | undefined;
  /** Ends the stream (shutdown). */
  readonly closing: AbortSignal;
  /** Default 15 s: a comment line keeps proxies from closing a silent stream. */
  readonly heartbeatMilliseconds?: number;
  /** Default 60 s: a client that takes nothing for so long is cut off; it may resume with its Last-Event-ID. */
  readonly stuckMilliseconds?: number;
}

/** Live events that may wait for one client; they are the same objects for all of them. */
const WAITING = 500;
/** What one reading of the store brings: objects of this client alone, which it keeps as long as it takes nothing. */
const READ = 20;

/**
 * Server-sent events (HTML standard, 9.2). A client is a cursor into the durable list of events. While it keeps up, events go
 * straight to it; when too many wait for it, its queue is dropped and it reads on from the store. So a slow client
 * costs one small reading of memory, loses nothing and holds up nobody. Settles when the stream has ended.
 */
export async function streamEvents(response: ServerResponse, options: StreamOptions): Promise<void> {
  const { closing, store } = options;
  const filter = Object.fromEntries(Object.entries(options.filter).filter(([, value]) => value !== undefined));
  const queue: BootEvent[] = [];
  let cursor = options.after;
  let newest = options.after ?? 0;
  /** true = the store must be read: live events are not queued meanwhile. */
  let behind = options.after !== undefined;
  let wake = (): void => {};
  const ended = new AbortController();
  const end = (): void => {
    ended.abort();
    wake();
  };
  if (closing.aborted) end();
  const unsubscribe = options.events.subscribe((event) => {
    cursor ??= event.sequence - 1;
    newest = event.sequence;
    if (!behind && queue.push(event) > WAITING) {
      queue.length = 0;
      behind = true;
    }
    wake();
  });
  const heartbeat = setInterval(() => {
    if (!response.writableNeedDrain) response.write(': still here\n\n');
  }, options.heartbeatMilliseconds ?? 15_000);
  response.once('close', end);
  closing.addEventListener('abort', end, { once: true });

  const send = async (event: BootEvent): Promise<void> => {
    if (ended.signal.aborted || event.sequence <= (cursor ?? 0)) return;
    cursor = event.sequence;
    if (!matches(event, filter)) return;
    const text = `id: ${event.sequence}\ndata: ${JSON.stringify(eventResource(event))}\n\n`;
    if (response.write(text)) return;
    const limit = AbortSignal.any([ended.signal, AbortSignal.timeout(options.stuckMilliseconds ?? 60_000)]);
    try {
      await once(response, 'drain', { signal: limit });
    } catch (error) {
      if (!limit.aborted) throw error;
      response.destroy();
      end();
    }
  };
  const readOn = async (): Promise<void> => {
    const known = newest;
    const batch = await store.events({ ...filter, after: cursor ?? 0, limit: READ });
    const full = batch.length === READ;
    for (const event of batch) await send(event);
    if (full) return;
    // All up to `known` was durable before the reading began, so what did not come back does not match the filter.
    cursor = Math.max(cursor ?? 0, known);
    if (newest === known) behind = false;
  };

  try {
    response.writeHead(200, {
      'Content-Type': 'text/event-stream; charset=utf-8',
      'Cache-Control': 'no-store',
      // nginx in front would hold the stream back otherwise.
      'X-Accel-Buffering': 'no',
    });
    response.write('retry: 2000\n\n');
    while (!ended.signal.aborted) {
      const event = queue.shift();
      if (event !== undefined) await send(event);
      else if (behind) await readOn();
      else {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    }
  } finally {
    clearInterval(heartbeat);
    unsubscribe();
    closing.removeEventListener('abort', end);
    response.end();
  }
}

function matches(event: BootEvent, filter: StreamFilter): boolean {
  return (
    (filter.session === undefined || event.session === filter.session) &&
    (filter.machine === undefined || event.machine === filter.machine) &&
    (filter.mac === undefined || event.mac === filter.mac) &&
    (filter.source === undefined || event.source === filter.source) &&
    (filter.level === undefined || event.level === filter.level)
  );
}
