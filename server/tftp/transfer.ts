import type { RemoteInfo } from 'node:dgram';
import { negotiate } from '../decide/tftp-negotiate.js';
import {
  confirmedBytes,
  newTransfer,
  stepTransfer,
  type TransferAction,
  type TransferEvent,
  type TransferState,
  type TransferTiming,
} from '../decide/tftp-transfer.js';
import { decodeTftp, encodeDataHeader, encodeTftp, TFTP_ERROR, type TftpPacket } from '../wire/tftp/packet.js';
import { WireError } from '../wire/wire-error.js';
import type { BlockSource } from './block-source.js';
import type { Channel } from './channel.js';
import type { FromWorker, TransferJob } from './messages.js';

type Report = Extract<FromWorker, { kind: 'report' }>;

export interface TransferDeps {
  readonly channel: Channel;
  readonly source: BlockSource;
  readonly timing: TransferTiming;
  /** Milliseconds, never going back. */
  readonly now: () => number;
  readonly report: (report: Report) => void;
  /** Called once, after the last packet; channel and source are the caller's to close. */
  readonly ended: () => void;
}

const PROGRESS_EVERY = 1000;
/** Strangers that are told so in one transfer: more would make us send on somebody's behalf. */
const STRANGERS_ANSWERED = 8;
/** Packets that wait while the disk is read; a client that keeps to the protocol has one on its way. */
const WAITING_LIMIT = 64;

/** Carries out one transfer: the socket, the timer and the file around the rules of decide/tftp-transfer.ts. */
export class Transfer {
  readonly #job: TransferJob;
  readonly #deps: TransferDeps;
  readonly #startedAt: number;
  readonly #waiting: TransferEvent[] = [];
  #state: TransferState;
  #timer: NodeJS.Timeout | undefined;
  #busy = false;
  #ended = false;
  #reportedAt: number;
  #strangers = 0;

  constructor(job: TransferJob, deps: TransferDeps) {
    this.#job = job;
    this.#deps = deps;
    this.#startedAt = deps.now();
    this.#reportedAt = this.#startedAt;
    this.#state = newTransfer(negotiate(job.options, deps.source.size), deps.source.size, deps.timing);
  }

  start(): void {
    this.#report('started');
    this.#dispatch({ kind: 'start', at: this.#deps.now() });
  }

  /** `silent`: the client is not told. */
  abandon(reason: string, silent: boolean): void {
    this.#dispatch({ kind: 'abandon', reason, silent });
  }

  /** The client had answered, but does not any more. */
  get stalled(): boolean {
    return this.#state.answered && this.#state.resends > 0;
  }

  /** A datagram on the transfer's port. */
  receive(bytes: Uint8Array, from: RemoteInfo): void {
    if (this.#ended) return;
    const { peer } = this.#job;
    if (from.port !== peer.port || from.address !== peer.address) {
      this.#answerStranger(from);
      return;
    }
    let packet: TftpPacket;
    try {
      packet = decodeTftp(bytes);
    } catch (error) {
      // Broken on the way: what it was will come again.
      if (error instanceof WireError) return;
      throw error;
    }
    if (packet.kind === 'ack') this.#dispatch({ kind: 'ack', block: packet.block, at: this.#deps.now() });
    if (packet.kind === 'error') this.#dispatch(packet);
  }

  /** RFC 1350, section 4: a packet from elsewhere is answered with an error and does not disturb the transfer. */
  #answerStranger(from: RemoteInfo): void {
    this.#strangers += 1;
    if (this.#strangers > STRANGERS_ANSWERED) return;
    const message = 'this port serves another client';
    const error = encodeTftp({ kind: 'error', code: TFTP_ERROR.unknownTransferId, message });
    this.#deps.channel.send([error], from, () => undefined);
  }

  /** One event at a time: while a block is read from the disk, the others wait. */
  #dispatch(event: TransferEvent): void {
    if (this.#ended) return;
    if (!this.#busy) this.#run(event);
    else if (event.kind === 'abandon') this.#waiting.push(event);
    // A timer that fires meanwhile means nothing: the one after the read replaces it.
    else if (event.kind !== 'timeout' && this.#waiting.length < WAITING_LIMIT) this.#waiting.push(event);
  }

  #run(event: TransferEvent): void {
    const { state, actions } = stepTransfer(this.#state, event);
    this.#state = state;
    this.#busy = true;
    const reading = this.#carryOut(actions, 0);
    if (reading === undefined) {
      this.#next();
      return;
    }
    reading.then(
      () => this.#next(),
      (error: unknown) => {
        this.#waiting.length = 0;
        this.#busy = false;
        this.abandon(`the file cannot be read: ${error instanceof Error ? error.message : String(error)}`, false);
      },
    );
  }

  #next(): void {
    this.#busy = false;
    if (this.#ended) return;
    const now = this.#deps.now();
    if (now - this.#reportedAt >= PROGRESS_EVERY) this.#report('progress');
    const event = this.#waiting.shift();
    if (event !== undefined) this.#run(event);
  }

  /** A promise only where the disk must be waited for: most blocks are in memory. */
  #carryOut(actions: readonly TransferAction[], from: number): Promise<void> | undefined {
    for (const [index, action] of actions.entries()) {
      if (index < from) continue;
      switch (action.kind) {
        case 'send-oack':
          this.#send([encodeTftp({ kind: 'oack', options: action.options })]);
          break;
        case 'send-data': {
          const reading = this.#sendBlocks(action.first, action.count);
          if (reading !== undefined) return reading.then(() => this.#carryOut(actions, index + 1));
          break;
        }
        case 'send-error':
          this.#send([encodeTftp({ kind: 'error', code: action.code, message: action.message })]);
          break;
        case 'set-timer':
          clearTimeout(this.#timer);
          this.#timer = setTimeout(
            () => this.#dispatch({ kind: 'timeout', at: this.#deps.now() }),
            action.milliseconds,
          );
          break;
        case 'end':
          this.#report(action.outcome, action.reason);
          this.#end();
          break;
      }
    }
    return undefined;
  }

  #sendBlocks(first: number, count: number): Promise<void> | undefined {
    const { blockSize } = this.#state.terms;
    for (let block = first; block < first + count; block++) {
      const data = this.#deps.source.read((block - 1) * blockSize, blockSize);
      if (data instanceof Promise) {
        return data.then((bytes) => {
          this.#send([encodeDataHeader(block & 0xffff), bytes]);
          return this.#sendBlocks(block + 1, first + count - block - 1);
        });
      }
      this.#send([encodeDataHeader(block & 0xffff), data]);
    }
    return undefined;
  }

  #send(parts: readonly Uint8Array[]): void {
    this.#deps.channel.send(parts, this.#job.peer, (reason) => this.#dispatch({ kind: 'send-failed', reason }));
  }

  #report(phase: Report['phase'], reason?: string): void {
    const now = this.#deps.now();
    this.#reportedAt = now;
    this.#deps.report({
      kind: 'report',
      id: this.#job.id,
      phase,
      bytes: phase === 'sent' ? this.#state.size : confirmedBytes(this.#state),
      total: this.#state.size,
      milliseconds: Math.round(now - this.#startedAt),
      ...(reason === undefined ? {} : { reason }),
    });
  }

  #end(): void {
    this.#ended = true;
    clearTimeout(this.#timer);
    this.#waiting.length = 0;
    this.#deps.ended();
  }
}
