import type { Mac } from './mac.js';

export type EventSource = 'dhcp' | 'tftp' | 'http' | 'stage1' | 'live' | 'api' | 'server';
export type EventLevel = 'info' | 'warning' | 'error';
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
