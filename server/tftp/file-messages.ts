import type { TftpErrorCode } from '../wire/tftp/packet.js';

/** From the thread of the transfers to the one that reads files. */
export type ToReader =
  | { readonly kind: 'open'; readonly request: number; readonly path: string; readonly mode: 'octet' | 'netascii' }
  /** Reads `length` bytes at `offset` into the shared memory, at `at`. */
  | {
      readonly kind: 'read';
      readonly ticket: number;
      readonly handle: number;
      readonly offset: number;
      readonly length: number;
      readonly at: number;
    }
  | { readonly kind: 'close'; readonly handle: number };

/** About a file that was to be opened. */
export type OpenAnswer =
  /** `identity` is the same for the same content: what was read for one transfer serves all. */
  | {
      readonly kind: 'opened';
      readonly request: number;
      readonly handle: number;
      readonly size: number;
      readonly identity: string;
    }
  /** A text in netascii, converted. */
  | { readonly kind: 'text'; readonly request: number; readonly bytes: Uint8Array }
  | { readonly kind: 'refused'; readonly request: number; readonly code: TftpErrorCode; readonly reason: string };

export type FromReader =
  | OpenAnswer
  /** `problem`: the bytes are not there. */
  | { readonly kind: 'read'; readonly ticket: number; readonly problem?: string };

export interface ReaderData {
  readonly chunks: SharedArrayBuffer;
  /** Wakes the thread of the transfers: see wake-signal.ts. */
  readonly signal: Int32Array;
}
