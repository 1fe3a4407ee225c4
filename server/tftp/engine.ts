import type { TransferTiming } from '../decide/tftp-transfer.js';
import { toNetascii } from '../wire/tftp/netascii.js';
import { decodeTftp, encodeTftp, OPCODE, TFTP_ERROR, type TftpPacket } from '../wire/tftp/packet.js';
import { WireError } from '../wire/wire-error.js';
import { type BlockSource, memorySource } from './block-source.js';
import type { ChunkCache, Opened } from './chunk-cache.js';
import type { FromWorker, Peer, ToWorker, TransferJob } from './messages.js';
import { Transfer } from './transfer.js';
import type { PeerKey, Wire } from './wire.js';

export interface EngineDeps {
  readonly wire: Wire;
  readonly cache: ChunkCache;
  readonly timing: TransferTiming;
  /** Milliseconds, never going back. */
  readonly now: () => number;
  readonly tell: (message: FromWorker) => void;
  /** One port only: read requests come here, too, and are the main thread's. */
  readonly singlePort: boolean;
}

/**
 * Transfers whose client has not answered yet. Such an address may be forged, so it cannot keep real clients out: one too many,
 * and the oldest ends. A real client answers within milliseconds.
 */
const UNANSWERED_LIMIT = 1024;
/** Packets of nobody's transfer that are answered in a second (RFC 1350, section 4); more would make us send on somebody's behalf. */
const STRANGERS_PER_SECOND = 50;
/** What a client sends twice may come when its transfer is over: it is no stranger for so long (ms). */
const LINGER = 5000;
const GONE_LIMIT = 8192;

/** All transfers of the thread, whichever way their packets travel. */
export class Engine {
  readonly #deps: EngineDeps;
  readonly #byPeer = new Map<PeerKey, Transfer>();
  /** By id. `undefined` = its file is being opened. */
  readonly #byId = new Map<number, Transfer | undefined>();
  readonly #unanswered = new Set<Transfer>();
  /** Clients whose transfer ended, and when. */
  readonly #gone = new Map<PeerKey, number>();
  #closing: string | undefined;
  #strangersSince = 0;
  #strangers = 0;
  /** No client is late before this time. */
  #earliest = Number.POSITIVE_INFINITY;

  constructor(deps: EngineDeps) {
    this.#deps = deps;
  }

  /** When to call `tick` at the latest. */
  get earliest(): number {
    return this.#earliest;
  }

  /** It was told to close, and the last transfer has ended. */
  get finished(): boolean {
    return this.#closing !== undefined && this.#byId.size === 0;
  }

  hear(message: ToWorker): void {
    switch (message.kind) {
      case 'start':
        this.#start(message.job);
        break;
      case 'repeated': {
        // Mostly its patience was short. But a machine that was reset in the middle begins again, and some firmware always uses the
        // same port: its next try must not wait until the old transfer has timed out.
        const transfer = this.#byId.get(message.id);
        if (transfer?.stalled === true) transfer.abandon('the client began again', true);
        break;
      }
      case 'drop': {
        const transfer = this.#byId.get(message.id);
        this.#byId.delete(message.id);
        transfer?.abandon(message.reason, true);
        break;
      }
      case 'end':
        this.#byId.get(message.id)?.abandon(message.reason, false);
        break;
      case 'send':
        this.#deps.wire.route(message.peer, message.local, () => undefined).send(message.bytes);
        break;
      case 'close':
        this.#closing = message.reason;
        for (const [id, transfer] of [...this.#byId]) {
          if (transfer === undefined) this.#byId.delete(id);
          else transfer.abandon(message.reason, false);
        }
        break;
    }
  }

  /** An ACK of the client; false = of nobody with a transfer. */
  ack(key: PeerKey, block: number, at: number): boolean {
    const transfer = this.#byPeer.get(key);
    if (transfer === undefined) return false;
    if (!transfer.answered) this.#unanswered.delete(transfer);
    transfer.acknowledged(block, at);
    return true;
  }

  /** A datagram. `bytes` may be used again by the caller afterwards. */
  receive(key: PeerKey, bytes: Uint8Array, peer: () => Peer, local: string): void {
    const transfer = this.#byPeer.get(key);
    if (transfer === undefined) {
      this.#stranger(key, bytes, peer(), local);
      return;
    }
    // By far the most frequent packet: ACK is 0 4 and the block (RFC 1350, section 5).
    if (bytes.length >= 4 && bytes[0] === 0 && bytes[1] === OPCODE.ack) {
      this.ack(key, ((bytes[2] ?? 0) << 8) | (bytes[3] ?? 0), this.#deps.now());
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
    if (packet.kind === 'error') transfer.clientError(packet.code, packet.message);
    else if (this.#deps.singlePort && (packet.kind === 'rrq' || packet.kind === 'wrq'))
      this.#handOver(bytes, peer(), local);
  }

  /** Resends what clients have not answered in time. */
  tick(now: number): void {
    if (now < this.#earliest) return;
    this.#earliest = Number.POSITIVE_INFINITY;
    for (const transfer of this.#byPeer.values()) {
      if (transfer.deadline <= now) transfer.silence(now);
      this.#earliest = Math.min(this.#earliest, transfer.deadline);
    }
    for (const [key, at] of this.#gone) {
      if (now - at < LINGER) break;
      this.#gone.delete(key);
    }
  }

  #start(job: TransferJob): void {
    this.#byId.set(job.id, undefined);
    const { source, mode } = job;
    if (source.kind === 'file') this.#deps.cache.open(source.path, mode, (result) => this.#opened(job, result));
    else this.#begin(job, memorySource(mode === 'octet' ? source.bytes : toNetascii(source.bytes)));
  }

  #opened(job: TransferJob, result: Opened): void {
    // Dropped, or the server stops: nothing was sent yet, and nothing will be.
    const wanted = this.#byId.has(job.id);
    if (result.kind === 'opened' && wanted) this.#begin(job, result.source);
    else if (result.kind === 'opened') result.source.close();
    else if (this.#byId.delete(job.id)) {
      this.#deps.tell({ kind: 'refused', id: job.id, code: result.code, reason: result.reason });
    }
  }

  #begin(job: TransferJob, source: BlockSource): void {
    const { wire, timing, now, tell } = this.#deps;
    const transfer = new Transfer(job, (onFailure) => wire.route(job.peer, job.local, onFailure), {
      source,
      timing,
      now,
      tell,
      due: (deadline) => {
        if (deadline < this.#earliest) this.#earliest = deadline;
      },
      ended: (which) => this.#ended(which),
    });
    const { key } = transfer.route;
    this.#byPeer.get(key)?.abandon('the client began again', true);
    this.#gone.delete(key);
    this.#byPeer.set(key, transfer);
    this.#byId.set(job.id, transfer);
    this.#unanswered.add(transfer);
    transfer.start();
    if (this.#unanswered.size <= UNANSWERED_LIMIT) return;
    for (const oldest of this.#unanswered) {
      oldest.abandon('too many requests at once: try again', false);
      break;
    }
  }

  #ended(transfer: Transfer): void {
    const { key } = transfer.route;
    this.#byId.delete(transfer.job.id);
    this.#unanswered.delete(transfer);
    if (this.#byPeer.get(key) === transfer) {
      this.#byPeer.delete(key);
      this.#gone.set(key, this.#deps.now());
      if (this.#gone.size > GONE_LIMIT)
        for (const oldest of this.#gone.keys()) {
          this.#gone.delete(oldest);
          break;
        }
    }
    transfer.source.close();
  }

  #stranger(key: PeerKey, bytes: Uint8Array, peer: Peer, local: string): void {
    const isRequest = bytes[0] === 0 && (bytes[1] === 1 || bytes[1] === 2);
    if (this.#deps.singlePort && (isRequest || !this.#isPartOfTransfer(bytes))) {
      this.#handOver(bytes, peer, local);
      return;
    }
    // An ERROR is never answered: two servers would talk to each other for ever.
    if (!this.#isPartOfTransfer(bytes) || bytes[1] === 5 || this.#gone.has(key)) return;
    const now = this.#deps.now();
    if (now - this.#strangersSince >= 1000) {
      this.#strangersSince = now;
      this.#strangers = 0;
    }
    this.#strangers += 1;
    if (this.#strangers > STRANGERS_PER_SECOND) return;
    const message = 'no transfer of yours runs on this port: send a read request';
    const error = encodeTftp({ kind: 'error', code: TFTP_ERROR.unknownTransferId, message });
    this.#deps.wire.route(peer, local, () => undefined).send(error);
  }

  #isPartOfTransfer(bytes: Uint8Array): boolean {
    const opcode = bytes[1] ?? 0;
    return bytes.length >= 4 && bytes[0] === 0 && opcode >= 3 && opcode <= 6;
  }

  #handOver(bytes: Uint8Array, peer: Peer, local: string): void {
    this.#deps.tell({ kind: 'packet', bytes: Uint8Array.from(bytes), peer, local });
  }
}
