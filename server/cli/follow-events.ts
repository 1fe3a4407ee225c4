import { setTimeout as delay } from 'node:timers/promises';
import { type EventAnswer, eventSchema, readAnswer } from './api-schema.js';
import type { ApiClient, Query } from './client.js';
import { Unreachable } from './failure.js';
import { errnoOf } from './files.js';
import { listAll } from './paging.js';
import { readSse } from './sse.js';

export interface FollowOptions {
  readonly query?: Query;
  readonly signal: AbortSignal;
  /** The stream is open: from here on no event is missed. Called once. */
  readonly onOpen?: () => void;
  /** The connection broke; it is tried again. */
  readonly onLost?: (reason: string) => void;
}

const RETRY_MS = 1000;

/** One event of the stream: as the server wrote it, and as its schema reads it. */
export interface FollowedEvent {
  readonly raw: unknown;
  readonly event: EventAnswer;
}

/**
 * Events as they happen, for ever: a connection that breaks (the server restarts) is made again and resumes behind the last
 * event, so that none is lost. Throws only when the first connection fails. Ends when `signal` is aborted.
 */
export async function* followEvents(api: ApiClient, options: FollowOptions): AsyncGenerator<FollowedEvent> {
  const { signal } = options;
  let last = await newestEvent(api);
  let isFirst = true;
  let isLost = false;
  while (!signal.aborted) {
    try {
      const stream = await api.open('/events/stream', {
        signal,
        headers: { accept: 'text/event-stream', 'last-event-id': last },
        ...(options.query === undefined ? {} : { query: options.query }),
      });
      if (isFirst) options.onOpen?.();
      isFirst = false;
      isLost = false;
      for await (const message of readSse(stream)) {
        last = message.id ?? last;
        const raw: unknown = JSON.parse(message.data);
        yield { raw, event: readAnswer(eventSchema, raw, 'event') };
      }
    } catch (error) {
      if (signal.aborted) return;
      if (isFirst || !isConnectionError(error)) throw error;
    }
    if (signal.aborted) return;
    if (!isLost) options.onLost?.('the connection to the server is lost; trying again');
    isLost = true;
    await pause(signal);
  }
}

/** Where the watch begins: named from the start, so that a connection that breaks before any event misses none either. */
async function newestEvent(api: ApiClient): Promise<string> {
  const { rows } = await listAll(api, '/events', eventSchema, { query: { order: 'newest', limit: 1 }, limit: 1 });
  return String(rows[0]?.sequence ?? 0);
}

function isConnectionError(error: unknown): boolean {
  // A stream that breaks rejects with an error of the operating system (ECONNRESET: "aborted").
  return error instanceof Unreachable || errnoOf(error)?.startsWith('E') === true;
}

/** Resolves early when the watch ends. */
async function pause(signal: AbortSignal): Promise<void> {
  try {
    await delay(RETRY_MS, undefined, { signal });
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}
