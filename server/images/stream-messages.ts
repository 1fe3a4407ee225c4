/** What the child that streams images needs to know before its first connection. */
export interface StreamSettings {
  /** The folder `sha256` below it holds the files. */
  readonly imagesDir: string;
}

/** To the child. A `connection` comes with its socket. */
export type ToStream =
  | ({ readonly kind: 'settings' } & StreamSettings)
  | {
      readonly kind: 'connection';
      /** Base64 of what was read from it to see where it belongs; the child reads these bytes first. */
      readonly first: string;
    };

/** One download, told by the child. `id` is its own count; the first message of an id is `started` or an end. */
export interface StreamReport {
  readonly kind: 'report';
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
}

export type FromStream = { readonly kind: 'ready' } | StreamReport;
