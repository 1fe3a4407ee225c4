import type { MessagePort } from 'node:worker_threads';
import type { NegotiationLimits } from '../decide/tftp-negotiate.js';
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
  /** The address of ours that was asked, and answers. */
  readonly local: string;
  readonly mode: 'octet' | 'netascii';
  readonly options: readonly TftpOption[];
  readonly limits: NegotiationLimits;
  readonly source: TransferSource;
}

/** From the main thread to the thread of the transfers. */
export type ToWorker =
  | { readonly kind: 'start'; readonly job: TransferJob }
  /** The client sent the same request once more. */
  | { readonly kind: 'repeated'; readonly id: number }
  /** Ends a transfer of which the client has given up; nothing is sent to it. */
  | { readonly kind: 'drop'; readonly id: number; readonly reason: string }
  /** Ends a transfer, telling the client. */
  | { readonly kind: 'end'; readonly id: number; readonly reason: string }
  /** One port only: the main thread has no socket of its own and answers through this thread. */
  | { readonly kind: 'send'; readonly bytes: Uint8Array; readonly peer: Peer; readonly local: string }
  /** Ends all of them, telling the clients. The thread exits. */
  | { readonly kind: 'close'; readonly reason: string };

export interface ReadyMessage {
  readonly kind: 'ready';
  /** `fast` = many datagrams in one system call; `dgram` = Node's sockets. */
  readonly transport: 'fast' | 'dgram';
  /** Why not `fast`, if it was tried; or what it does without. */
  readonly note?: string;
  /** Of the transfers; with one port only, of everything. */
  readonly port: number;
  /** Descriptor that wakes the thread from its sleep in the kernel (eventfd). */
  readonly wake?: number;
}

/** The way back. After `refused` or an outcome the id is done. */
export type FromWorker =
  | ReadyMessage
  /** A port cannot be had: the thread ends. */
  | { readonly kind: 'unfit'; readonly code: string; readonly address: string; readonly message: string }
  /** One port only: what did not belong to a transfer. */
  | { readonly kind: 'packet'; readonly bytes: Uint8Array; readonly peer: Peer; readonly local: string }
  | AboutTransfer;

export type AboutTransfer =
  /** Nothing was sent yet: the main thread answers the request with this error. */
  | { readonly kind: 'refused'; readonly id: number; readonly code: TftpErrorCode; readonly reason: string }
  /** What is now believed of the path to this client. */
  | { readonly kind: 'path'; readonly id: number; readonly blockSize: number; readonly fits: boolean }
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
  /** Transfers are sent from the address that was asked, as clients expect. */
  readonly addresses: readonly string[];
  /** One port only: transfers run on this port too, and requests are handed to the main thread. Absent: they have their own. */
  readonly singlePort?: number;
  /** `auto` = the fast one where it works. */
  readonly transport: 'auto' | 'dgram';
  readonly timing: TransferTiming;
}

/** What the thread gets at its start. */
export interface WorkerData {
  readonly settings: WorkerSettings;
  /** Shared with the main thread: see wake-signal.ts. */
  readonly signal: Int32Array;
  /** Shared with the thread that reads files: see chunk-cache.ts. */
  readonly chunks: SharedArrayBuffer;
  /** The line to the thread that reads files. */
  readonly reader: MessagePort;
}
