import { type DownloadAsker, type DownloadTurn, decideDownloadTurn } from '../decide/download-turn.js';
import { DOWNLOAD_LIMITS, type DownloadLimits } from '../domain/download-limits.js';
import { formatCidr } from '../domain/ipv4.js';
import type { Subnet } from '../domain/site.js';

/** A download that shows no sign of life for this long has ended: stage 1 cuts off and resumes one after 15 s without a byte. */
const RUNNING_PATIENCE = 40_000;
/** What a machine that waits may be late with its next question. */
const WAITING_PATIENCE = 20_000;

interface Entry extends DownloadAsker {
  /** Its subnet sets a number of its own. */
  readonly own: boolean;
  limit: number;
  readonly session: string;
  readonly since: number;
  /** Out when nothing was heard of it until then. Epoch ms. */
  until: number;
}

export interface QueueAnswer {
  readonly turn: DownloadTurn;
  /** It did not have to wait before, or has its turn now for the first time. */
  readonly news: boolean;
  readonly waitedMs: number;
  readonly running: number;
  readonly waiting: number;
}

/**
 * Who may load something large now, and who waits in which order; in memory, because after a restart everybody asks again. A machine
 * gives its turn back when its root file system is mounted, when its boot ends or is replaced, or by falling silent.
 */
export class DownloadQueue {
  readonly #running = new Map<string, Entry>();
  readonly #waiting = new Map<string, Entry>();
  readonly #clock: () => number;
  /** Whether this boot still goes on. */
  readonly #goesOn: (key: string, session: string) => boolean;
  #limits: DownloadLimits;

  constructor(options: {
    readonly clock: () => number;
    readonly goesOn: (key: string, session: string) => boolean;
    readonly limits?: DownloadLimits | undefined;
  }) {
    this.#clock = options.clock;
    this.#goesOn = options.goesOn;
    this.#limits = options.limits ?? DOWNLOAD_LIMITS;
  }

  /** Holds from the next question on; nobody who loads is stopped. */
  configure(limits: DownloadLimits): void {
    this.#limits = limits;
    for (const entries of [this.#running, this.#waiting])
      for (const entry of entries.values()) if (!entry.own) entry.limit = limits.perSubnet;
  }

  get running(): number {
    return this.#running.size;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /** A machine wants to load, or to go on loading. */
  ask(key: string, session: string, subnet: Subnet | undefined): QueueAnswer {
    const now = this.#clock();
    this.#forgetTheSilent(now);
    const before = this.#waiting.get(key);
    const running = this.#running.get(key);
    const me = {
      key,
      session,
      subnet: subnet === undefined ? '' : formatCidr(subnet.cidr),
      limit: subnet?.downloads ?? this.#limits.perSubnet,
      own: subnet?.downloads !== undefined,
      since: before?.since ?? now,
    };
    const turn = decideDownloadTurn(me, this.#running.values(), this.#ahead(key), this.#limits.atOnce);
    if (turn.kind === 'go') {
      this.#waiting.delete(key);
      this.#running.set(key, { ...me, since: running?.since ?? now, until: now + RUNNING_PATIENCE });
    } else {
      // Changed in its place: whoever came later stays behind it.
      this.#waiting.set(key, { ...me, until: now + 1000 * turn.seconds + WAITING_PATIENCE });
    }
    const news = turn.kind === 'go' ? before !== undefined : before === undefined;
    return { turn, news, waitedMs: now - me.since, running: this.#running.size, waiting: this.#waiting.size };
  }

  /** Bytes went to it, or it told of its progress. */
  alive(key: string): void {
    const entry = this.#running.get(key);
    if (entry !== undefined) entry.until = this.#clock() + RUNNING_PATIENCE;
  }

  /** It has all that it wanted. */
  done(key: string): void {
    this.#running.delete(key);
    this.#waiting.delete(key);
  }

  /** Lines in the text format of Prometheus. */
  metrics(): readonly string[] {
    return [
      '# HELP anybios_downloads Machines that load something large, or wait for their turn.',
      '# TYPE anybios_downloads gauge',
      `anybios_downloads{state="running"} ${this.#running.size}`,
      `anybios_downloads{state="waiting"} ${this.#waiting.size}`,
    ];
  }

  *#ahead(key: string): Generator<Entry> {
    for (const entry of this.#waiting.values()) {
      if (entry.key === key) return;
      yield entry;
    }
  }

  #forgetTheSilent(now: number): void {
    for (const entries of [this.#running, this.#waiting]) {
      for (const [key, { until, session }] of entries) {
        if (until < now || !this.#goesOn(key, session)) entries.delete(key);
      }
    }
  }
}
