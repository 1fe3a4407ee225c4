import type { Mac } from './mac.js';

export const EVENT_SOURCES = ['dhcp', 'tftp', 'http', 'stage1', 'live', 'api', 'server'] as const;
export const EVENT_LEVELS = ['info', 'warning', 'error'] as const;
export type EventSource = (typeof EVENT_SOURCES)[number];
export type EventLevel = (typeof EVENT_LEVELS)[number];
export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };

/** One step of a boot session or one change made by someone: data, not a log line. */
export interface NewEvent {
  /** Epoch milliseconds, stamped by the server. */
  readonly at: number;
  readonly source: EventSource;
  /** Dotted name, e.g. `dhcp.offer`, `tftp.sent`, `stage1.verified`, `machine.approved`. */
  readonly kind: string;
  readonly level: EventLevel;
  readonly session?: string;
  readonly machine?: string;
  readonly mac?: Mac;
  /** One sentence for a person. */
  readonly message: string;
  readonly data: Readonly<Record<string, Json>>;
}

export interface BootEvent extends NewEvent {
  /** Grows by one per event, over restarts too. */
  readonly sequence: number;
}
