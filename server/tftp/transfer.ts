import { negotiate } from '../decide/tftp-negotiate.js';
import {
  confirmedBytes,
  newTransfer,
  nextInLockStep,
  stepTransfer,
  type TransferAction,
  type TransferEvent,
  type TransferState,
  type TransferTiming,
} from '../decide/tftp-transfer.js';
import { encodeTftp } from '../wire/tftp/packet.js';
import type { BlockSource } from './block-source.js';
import type { FromWorker, TransferJob } from './messages.js';
import type { Route } from './wire.js';

type Told = Extract<FromWorker, { kind: 'report' | 'path' }>;
type Report = Extract<FromWorker, { kind: 'report' }>;

export interface TransferDeps {
  readonly source: BlockSource;
  readonly timing: TransferTiming;
  /** Milliseconds, never going back. */
  readonly now: () => number;
  readonly tell: (message: Told) => void;
  /** A client was silent for too long at this time, unless news comes before. */
  readonly due: (deadline: number) => void;
  /** Called once, after the last packet; the source is the caller's to close. */
  readonly ended: (transfer: Transfer) => void;
}

const PROGRESS_EVERY = 1000;

/** Carries out one transfer: the packets, the clock and the file around the rules of decide/tftp-transfer.ts. */
export class Transfer {
  readonly job: TransferJob;
  readonly route: Route;
  readonly #deps: TransferDeps;
  readonly #startedAt: number;
  /** Blocks that wait for the disk. */
  #held: Extract<TransferAction, { kind: 'send-data' }>[] = [];
  readonly #state: TransferState;
  #ended = false;
  #reportedAt: number;

  constructor(job: TransferJob, route: (onFailure: (reason: string) => void) => Route, deps: TransferDeps) {
    this.job = job;
    this.#deps = deps;
    this.#startedAt = deps.now();
    this.#reportedAt = this.#startedAt;
    this.#state = newTransfer(negotiate(job.options, deps.source.size, job.limits), deps.source.size, deps.timing);
    this.route = route((reason) => this.#dispatch({ kind: 'send-failed', reason }));
  }

  get source(): BlockSource {
    return this.#deps.source;
  }

  /** When the client will have been silent for too long. While the disk is waited for, nobody blames the client. */
  get deadline(): number {
    return this.#held.length > 0 ? Number.POSITIVE_INFINITY : this.#state.deadline;
  }

  /** The client has answered, so its address is not forged. */
  get answered(): boolean {
    return this.#state.answered;
  }

  /** The client had answered, but does not any more. */
  get stalled(): boolean {
    return this.#state.answered && this.#state.resends > 0;
  }

  start(): void {
    this.#report('started', this.#startedAt);
    this.#dispatch({ kind: 'start', at: this.#deps.now() });
  }

  acknowledged(block: number, at: number): void {
    const next = this.#ended || this.#held.length > 0 ? 0 : nextInLockStep(this.#state, block, at);
    if (next === 0) this.#dispatch({ kind: 'ack', block, at });
    else {
      if (!this.#sendBlocks(next, 1)) this.#held = [{ kind: 'send-data', first: next, count: 1 }];
      if (!this.#ended) this.#deps.due(this.#state.deadline);
    }
    if (at - this.#reportedAt >= PROGRESS_EVERY && !this.#ended) this.#report('progress', at);
  }

  clientError(code: number, message: string): void {
    this.#dispatch({ kind: 'error', code, message });
  }

  silence(at: number): void {
    this.#dispatch({ kind: 'timeout', at });
  }

  /** `silent`: the client is not told. */
  abandon(reason: string, silent: boolean): void {
    this.#dispatch({ kind: 'abandon', reason, silent });
  }

  #dispatch(event: TransferEvent): void {
    if (this.#ended) return;
    const before = this.#state.deadline;
    for (const action of stepTransfer(this.#state, event)) this.#carryOut(action);
    const { deadline } = this.#state;
    if (deadline !== before && !this.#ended) this.#deps.due(deadline);
  }

  #carryOut(action: TransferAction): void {
    switch (action.kind) {
      case 'send-oack':
        this.route.send(encodeTftp({ kind: 'oack', options: action.options }));
        break;
      case 'send-data':
        if (this.#held.length > 0) this.#held.push(action);
        else if (!this.#sendBlocks(action.first, action.count)) this.#held = [action];
        break;
      case 'send-error':
        this.route.send(encodeTftp({ kind: 'error', code: action.code, message: action.message }));
        break;
      case 'path':
        this.#deps.tell({ kind: 'path', id: this.job.id, blockSize: action.blockSize, fits: action.fits });
        break;
      case 'end':
        this.#ended = true;
        this.#held = [];
        this.#report(action.outcome, this.#deps.now(), action.reason);
        this.#deps.ended(this);
        break;
    }
  }

  /** False = the disk must be waited for. */
  #sendBlocks(first: number, count: number): boolean {
    const { blockSize } = this.#state.terms;
    const { source } = this.#deps;
    const offset = (first - 1) * blockSize;
    try {
      if (!source.ready(offset, Math.min(count * blockSize, source.size - offset), this.#sendHeld)) return false;
    } catch (error) {
      this.abandon(error instanceof Error ? error.message : String(error), false);
      return true;
    }
    this.route.sendBlocks(source, blockSize, first, count);
    return true;
  }

  readonly #sendHeld = (): void => {
    while (!this.#ended) {
      const [next] = this.#held;
      if (next === undefined || !this.#sendBlocks(next.first, next.count)) return;
      this.#held.shift();
      if (this.#held.length === 0) this.#dispatch({ kind: 'sent-late', at: this.#deps.now() });
    }
  };

  #report(phase: Report['phase'], now: number, reason?: string): void {
    this.#reportedAt = now;
    this.#deps.tell({
      kind: 'report',
      id: this.job.id,
      phase,
      bytes: phase === 'sent' ? this.#state.size : confirmedBytes(this.#state),
      total: this.#state.size,
      milliseconds: Math.round(now - this.#startedAt),
      ...(reason === undefined ? {} : { reason }),
    });
  }
}
