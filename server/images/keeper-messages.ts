import type { Digest } from '../domain/digest.js';
import type { ErrorCode } from '../domain/errors.js';
import type { FileState } from './check-file.js';
import type { FetchedFile, FetchRequest } from './fetch-file.js';
import type { StoredFile } from './store.js';

/** What the main process asks of the one that keeps the files, by name: arguments and result. */
export interface KeeperCalls {
  readonly importFile: { readonly args: { path: string; expectedDigest: Digest }; readonly result: StoredFile };
  readonly fetch: { readonly args: FetchRequest; readonly result: FetchedFile };
  /** `whole`: reads every byte. */
  readonly check: { readonly args: { digest: Digest; whole: boolean }; readonly result: FileState };
  /** Answers those that were removed; one that came in within `quietMs` stays. */
  readonly remove: {
    readonly args: { digests: readonly Digest[]; quietMs: number };
    readonly result: readonly Digest[];
  };
  /** Parts of downloads that nobody went on with for `quietMs`: how many bytes were, or would be, removed. */
  readonly clearPartial: { readonly args: { quietMs: number; dryRun: boolean }; readonly result: number };
}
export type CallName = keyof KeeperCalls;

export interface CallProgress {
  readonly bytes: number;
  readonly total?: number;
  /** Where the bytes come from now: the last redirect and its address. */
  readonly from?: string;
}

/** An error that crosses the processes. */
export interface FailureMessage {
  readonly code: ErrorCode;
  readonly message: string;
  readonly field?: string | undefined;
  readonly remedy?: string | undefined;
}

/** Who asks, or why not. */
export type Authorized = { readonly by: string } | { readonly refused: FailureMessage };

export type ToKeeper =
  | { readonly kind: 'settings'; readonly imagesDir: string }
  /** Comes with its socket; `first` is base64 of what was read from it. */
  | { readonly kind: 'connection'; readonly first: string }
  | {
      readonly kind: 'call';
      readonly id: number;
      readonly name: CallName;
      readonly args: KeeperCalls[CallName]['args'];
    }
  | { readonly kind: 'cancel'; readonly id: number }
  | { readonly kind: 'authorized'; readonly id: number; readonly answer: Authorized };

export type FromKeeper =
  | { readonly kind: 'ready' }
  | ({ readonly kind: 'progress'; readonly id: number } & CallProgress)
  | { readonly kind: 'done'; readonly id: number; readonly result: KeeperCalls[CallName]['result'] }
  | { readonly kind: 'failed'; readonly id: number; readonly failure: FailureMessage }
  /** An upload begins: may whoever sends this Authorization header do that? */
  | { readonly kind: 'authorize'; readonly id: number; readonly authorization: string | undefined }
  | { readonly kind: 'uploaded'; readonly file: StoredFile; readonly by: string }
  | { readonly kind: 'fault'; readonly message: string };
