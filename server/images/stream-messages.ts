import type { BootAnswer } from '../boot/contract.js';

/** What the child that streams images needs to know before its first connection. */
export interface StreamSettings {
  /** The folder `sha256` below it holds the files. */
  readonly imagesDir: string;
  /** Reads and writes the files itself, without sendfile: the off switch. */
  readonly plain?: boolean;
  /** Connections come from nginx: it names the client, and sends the images that it is told to. Requests for images come to this unix socket. */
  readonly accel?: string;
  /** A client that takes less than 64 KiB in this time is cut off. Default 60 s. */
  readonly slowMilliseconds?: number;
}

/** To the child. A `connection` comes with its socket. */
export type ToStream =
  | ({ readonly kind: 'settings' } & StreamSettings)
  | {
      readonly kind: 'connection';
      /** Base64 of what was read from it to see where it belongs; the child reads these bytes first. */
      readonly first: string;
    }
  | { readonly kind: 'boot-file'; readonly ask: number; readonly file: BootAnswer };

/** Asks for one; `ask` comes back with the answer. */
export interface BootQuestion {
  readonly kind: 'boot-file?';
  readonly ask: number;
  readonly target: string;
  readonly method: 'GET' | 'HEAD';
  readonly address: string;
}

/** One download, told by the child. `id` is its own count; the first message of an id is `started` or an end. */
export interface StreamReport {
  readonly id: number;
  /** As Node writes it: `10.77.0.11`. */
  readonly address: string;
  readonly name: string;
  readonly phase: 'started' | 'progress' | 'sent' | 'probed' | 'failed';
  readonly status: number;
  /** Of this answer. */
  readonly bytes: number;
  readonly total: number;
  readonly milliseconds: number;
  readonly reason?: string;
  /** With `started`: nginx sends it, and names its end so. */
  readonly token?: string;
}

/** Those of one turn of the child's event loop, in their order: a message costs more than a report, and a room begins at once. */
export interface StreamReports {
  readonly kind: 'reports';
  readonly reports: readonly StreamReport[];
}

/** `slow`: why files are not sent with sendfile. */
export type FromStream = { readonly kind: 'ready'; readonly slow?: string } | StreamReports | BootQuestion;
