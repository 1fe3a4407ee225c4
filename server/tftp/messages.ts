import type { TransferOutcome, TransferTiming } from '../decide/tftp-transfer.js';
import type { TftpErrorCode, TftpOption } from '../wire/tftp/packet.js';

export interface Peer {
  readonly address: string;
  readonly port: number;
}

/** What is sent: a file by its real path, or bytes that were rendered for this request. */
export type TransferSource =
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array };

export interface TransferJob {
  readonly id: number;
  readonly peer: Peer;
  readonly mode: 'octet' | 'netascii';
  readonly options: readonly TftpOption[];
  readonly source: TransferSource;
}

/** From the main thread to the thread of the transfers. */
export type ToWorker =
  | { readonly kind: 'start'; readonly job: TransferJob }
  /** The client sent the same request once more. */
  | { readonly kind: 'repeated'; readonly id: number }
  /** Ends a transfer of which the client has given up; nothing is sent to it. */
  | { readonly kind: 'drop'; readonly id: number; readonly reason: string }
  /** Ends all of them, telling the clients. The thread exits. */
  | { readonly kind: 'close'; readonly reason: string };

/** The way back. After `refused` or an outcome the id is done. */
export type FromWorker =
  | { readonly kind: 'ready' }
  /** Nothing was sent yet: the main thread answers the request with this error. */
  | { readonly kind: 'refused'; readonly id: number; readonly code: TftpErrorCode; readonly reason: string }
  | {
      readonly kind: 'report';
      readonly id: number;
      readonly phase: 'started' | 'progress' | TransferOutcome;
      readonly bytes: number;
      readonly total: number;
      readonly milliseconds: number;
      readonly reason?: string;
    };

export interface WorkerSettings {
  /** Transfers are sent from this address, as clients expect them from where they asked. */
  readonly address: string;
  readonly timing: TransferTiming;
}
