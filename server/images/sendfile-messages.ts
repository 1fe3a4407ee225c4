/** To the thread. `slot` is the caller's number of this job, from 1, free again after its `Sent`. */
export type ToSender =
  | {
      readonly kind: 'send';
      readonly slot: number;
      /** A descriptor for the thread alone: it closes it. */
      readonly socket: number;
      /** Stays the caller's. */
      readonly file: number;
      readonly first: number;
      readonly length: number;
      /** Whose connection it is, so that machines share evenly; empty = by itself. */
      readonly machine: string;
    }
  /** The job ends as failed. */
  | { readonly kind: 'stop'; readonly slot: number }
  | { readonly kind: 'end' };

export interface Sent {
  readonly slot: number;
  /** Why not all of it was sent. */
  readonly problem?: string;
}

export type FromSender =
  | { readonly kind: 'ready' }
  | { readonly kind: 'unusable'; readonly reason: string }
  | { readonly kind: 'sent'; readonly jobs: readonly Sent[] };

export interface SenderData {
  /** An eventfd: written to when there is a message. */
  readonly wake: number;
  /** Bytes sent of each slot. */
  readonly progress: SharedArrayBuffer;
  /** A file to try the calls with. */
  readonly sample: string;
  readonly slowMilliseconds: number;
}

/** Jobs at once: more than a process has descriptors for. */
export const SLOTS = 65_536;
export const CLIENT_LEFT = 'the client closed the connection';
export const FILE_SHRANK = 'the file became shorter while it was sent';
/** Less than this in `slowMilliseconds` and the download ends: the slowest honest link is a hundred times faster. */
export const SLOWEST_BYTES = 64 << 10;
export const SLOW_MILLISECONDS = 60_000;

export function tooSlow(milliseconds: number): string {
  return `the client took less than ${SLOWEST_BYTES >> 10} KiB in ${Math.round(milliseconds / 1000)} s`;
}
