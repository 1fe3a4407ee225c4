import { type FSWatcher, watch } from 'node:fs';
import type { Digest } from '../domain/digest.js';
import type { FileState } from './check-file.js';

export interface DamageWatchOptions {
  readonly imagesDir: string;
  readonly files: {
    list(): Promise<readonly { readonly digest: Digest; readonly sealed: boolean }[]>;
    check(digest: Digest): Promise<FileState>;
    quarantined(): Promise<readonly Digest[]>;
  };
  /** What is known to be damaged. */
  readonly damaged: ReadonlySet<Digest>;
  /** Puts it into `damaged`, or takes it out, and tells it. */
  readonly mark: (digest: Digest, damaged: boolean) => void;
  readonly log: { error(data: object, message: string): void };
}

/** One stat for each file: a thousand take a few milliseconds, off the event loop. */
const PATROL_MS = 60_000;

/**
 * Knows which files of the store are damaged. Whichever process finds one moves it to quarantine; this sees the folder change. Once a
 * minute it looks whether anything has written to a file, for those that are served by a program that does not look (nginx).
 */
export class DamageWatch {
  readonly #options: DamageWatchOptions;
  #watcher: FSWatcher | undefined;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;
  #again = false;

  constructor(options: DamageWatchOptions) {
    this.#options = options;
  }

  /** Resolves when the damage that is there already is known; files are patrolled from then on. */
  async start(): Promise<void> {
    await this.refresh();
    this.#watcher = watch(`${this.#options.imagesDir}/quarantine`, () => this.#later(this.refresh()));
    this.#watcher.on('error', (error) => this.#options.log.error({ error }, 'watching the quarantine of images'));
    this.#later(this.patrol());
    this.#timer = setInterval(() => this.#later(this.patrol()), PATROL_MS);
    this.#timer.unref();
  }

  stop(): void {
    this.#watcher?.close();
    clearInterval(this.#timer);
  }

  /** Looks into the quarantine; what is found, and what is whole again, is told once. */
  refresh(): Promise<void> {
    if (this.#running !== undefined) {
      this.#again = true;
      return this.#running;
    }
    this.#running = this.#look().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  /** Reads what something has written to. */
  async patrol(): Promise<void> {
    const { files } = this.#options;
    for (const { digest, sealed } of await files.list()) if (!sealed) await files.check(digest);
    await this.refresh();
  }

  async #look(): Promise<void> {
    const { damaged, files, mark } = this.#options;
    do {
      this.#again = false;
      const found = new Set(await files.quarantined());
      for (const digest of found) if (!damaged.has(digest)) mark(digest, true);
      for (const digest of [...damaged]) if (!found.has(digest)) mark(digest, false);
    } while (this.#again);
  }

  #later(work: Promise<void>): void {
    work.catch((error: unknown) => this.#options.log.error({ error }, 'looking for damaged images'));
  }
}
