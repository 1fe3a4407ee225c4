import type { TftpErrorCode } from '../wire/tftp/packet.js';
import { type BlockSource, memorySource } from './block-source.js';
import type { FromReader, OpenAnswer, ToReader } from './file-messages.js';

/** Bytes of a chunk: large enough that reading costs little, small enough that 500 readers at different places keep their own. */
export const CHUNK_BYTES = 128 * 1024;
/** What is kept of all files together, bytes. Linux gives the memory when it is first used. */
const CACHE_BYTES = 64 * 1024 * 1024;
/** Chunks that can be read at once. */
const STAGES = 64;
/** What the reading thread fills, bytes. */
export const STAGE_BYTES = STAGES * CHUNK_BYTES;
/** Blocks of this many bytes and more have views of their own that are kept: 128 for each chunk at most. */
const SMALLEST_KEPT = 1024;
/** Chunks read before they are asked for, when there is room for it. */
const READ_AHEAD = 4;

export type Opened =
  | { readonly kind: 'opened'; readonly source: BlockSource }
  | { readonly kind: 'refused'; readonly code: TftpErrorCode; readonly reason: string };

/** One part of the memory, and what is in it. */
interface Slot {
  readonly number: number;
  readonly at: number;
  file: CachedFile | undefined;
  index: number;
  state: 'free' | 'loading' | 'loaded';
  /** Looked at since the hand of the clock came by. */
  used: boolean;
  waiting: (() => void)[];
  /** Views of its memory, by place: a block each, of the size that was asked for last. */
  readonly pieces: (Uint8Array | undefined)[];
}

/** What is known of one content; it may outlive the transfers that asked for it. */
interface CachedFile {
  readonly identity: string;
  readonly size: number;
  /** By chunk the number of its slot; -1 = not in memory. */
  readonly slots: Int32Array;
  /** How many slots hold it, or are being filled from it. */
  filled: number;
  loading: number;
  /** Open in the reading thread, once for all transfers; closed when nothing uses it and no read is under way. */
  handle: number | undefined;
  users: number;
  /** Why the last read failed; the next transfer tries again. */
  problem: string | undefined;
}

/**
 * Hot files in memory, in chunks that all transfers share: a thousand machines that boot read each byte from the disk once. The oldest
 * chunks make room (the clock algorithm). Reading happens in another thread (file-reader.ts), which fills the places of a small shared
 * memory that this one assigns; so a place is never read and written at once. From there a chunk is copied once into memory of this
 * thread alone: V8 copies out of shared memory byte by byte, which for every block would cost as much as sending it.
 */
export class ChunkCache {
  readonly #memory: Uint8Array;
  readonly #staging: Uint8Array;
  /** Places in the shared memory that nobody fills. */
  readonly #stages: number[];
  readonly #tell: (message: ToReader) => void;
  readonly #slots: Slot[];
  readonly #files = new Map<string, CachedFile>();
  readonly #opening = new Map<number, (result: Opened) => void>();
  readonly #loading = new Map<number, { readonly slot: Slot; readonly stage: number; readonly length: number }>();
  /** Those for whose chunk there was no slot; the next one that is filled may be free for them. */
  readonly #starved: (() => void)[] = [];
  #hand = 0;
  #next = 1;
  /** Transfers that read a file now. */
  #readers = 0;

  /** `staging`: shared with the reading thread, STAGE_BYTES long. `bytes`: what may be kept. */
  constructor(staging: SharedArrayBuffer, tell: (message: ToReader) => void, bytes = CACHE_BYTES) {
    this.#memory = new Uint8Array(bytes);
    this.#staging = new Uint8Array(staging);
    this.#stages = Array.from(
      { length: Math.floor(staging.byteLength / CHUNK_BYTES) },
      (_, index) => index * CHUNK_BYTES,
    );
    this.#tell = tell;
    this.#slots = Array.from({ length: Math.floor(bytes / CHUNK_BYTES) }, (_, number) => ({
      number,
      at: number * CHUNK_BYTES,
      file: undefined,
      index: 0,
      state: 'free',
      used: false,
      waiting: [],
      pieces: [],
    }));
  }

  /** `done` is called later, once. */
  open(path: string, mode: 'octet' | 'netascii', done: (result: Opened) => void): void {
    const request = this.#next++;
    this.#opening.set(request, done);
    this.#tell({ kind: 'open', request, path, mode });
  }

  /** What the reading thread answers. */
  heard(message: FromReader): void {
    if (message.kind === 'read') this.#loaded(message.ticket, message.problem);
    else {
      const done = this.#opening.get(message.request);
      this.#opening.delete(message.request);
      done?.(this.#openedAs(message));
    }
  }

  #openedAs(message: OpenAnswer): Opened {
    switch (message.kind) {
      case 'opened':
        return { kind: 'opened', source: this.#source(message.identity, message.size, message.handle) };
      case 'text':
        return { kind: 'opened', source: memorySource(message.bytes) };
      case 'refused':
        return message;
    }
  }

  #source(identity: string, size: number, handle: number): BlockSource {
    const file = this.#files.get(identity) ?? newFile(identity, size);
    this.#files.set(identity, file);
    if (file.handle === undefined) file.handle = handle;
    else this.#tell({ kind: 'close', handle });
    file.users += 1;
    file.problem = undefined;
    this.#readers += 1;
    return {
      size,
      ready: (offset, length, wake) => this.#ready(file, offset, length, wake),
      copy: (offset, length, into, at) => this.#copy(file, offset, length, into, at),
      close: () => {
        this.#readers -= 1;
        file.users -= 1;
        this.#release(file);
      },
    };
  }

  #ready(file: CachedFile, offset: number, length: number, wake: () => void): boolean {
    if (file.problem !== undefined) throw new Error(file.problem);
    const first = Math.floor(offset / CHUNK_BYTES);
    const last = Math.floor((Math.min(offset + Math.max(length, 1), file.size) - 1) / CHUNK_BYTES);
    let complete = true;
    let missing: Slot | undefined;
    for (let index = first; index <= last; index++) {
      const slot = this.#slotOf(file, index);
      if (slot?.state === 'loaded') slot.used = true;
      else {
        complete = false;
        missing = slot ?? this.#load(file, index) ?? missing;
      }
    }
    const ahead = this.#readers * READ_AHEAD * 2 <= this.#slots.length ? READ_AHEAD : 1;
    for (let index = last + 1; index <= last + ahead && index * CHUNK_BYTES < file.size; index++) {
      if (file.slots[index] === -1) this.#load(file, index);
    }
    if (!complete) (missing?.waiting ?? this.#starved).push(wake);
    return complete;
  }

  #copy(file: CachedFile, offset: number, length: number, into: Uint8Array, at: number): void {
    let done = 0;
    while (done < length) {
      const index = Math.floor((offset + done) / CHUNK_BYTES);
      const slot = this.#slotOf(file, index);
      if (slot?.state !== 'loaded') throw new Error(`chunk ${index} was not ready`);
      const from = offset + done - index * CHUNK_BYTES;
      const part = Math.min(length - done, CHUNK_BYTES - from);
      into.set(this.#piece(slot, from, part), at + done);
      done += part;
    }
  }

  /** `length` bytes of a chunk. The views are kept: a thousand machines ask for the same blocks, and a new view costs as much as the copy. */
  #piece(slot: Slot, from: number, length: number): Uint8Array {
    const place = Math.floor(from / length);
    const known = slot.pieces[place];
    if (known?.length === length && known.byteOffset === this.#memory.byteOffset + slot.at + from) return known;
    const piece = this.#memory.subarray(slot.at + from, slot.at + from + length);
    // Small blocks would be very many, and short last ones change places.
    if (length >= SMALLEST_KEPT) slot.pieces[place] = piece;
    return piece;
  }

  #slotOf(file: CachedFile, index: number): Slot | undefined {
    return this.#slots[file.slots[index] ?? -1];
  }

  /** The slot that will hold the chunk; undefined = as much as possible is being read at this moment. */
  #load(file: CachedFile, index: number): Slot | undefined {
    const { handle } = file;
    if (handle === undefined || this.#stages.length === 0) return undefined;
    const slot = this.#freeSlot();
    const stage = slot === undefined ? undefined : this.#stages.pop();
    if (slot === undefined || stage === undefined) return undefined;
    slot.file = file;
    slot.index = index;
    slot.state = 'loading';
    slot.used = true;
    file.slots[index] = slot.number;
    file.filled += 1;
    file.loading += 1;
    const ticket = this.#next++;
    const offset = index * CHUNK_BYTES;
    const length = Math.min(CHUNK_BYTES, file.size - offset);
    this.#loading.set(ticket, { slot, stage, length });
    this.#tell({ kind: 'read', ticket, handle, offset, length, at: stage });
    return slot;
  }

  #freeSlot(): Slot | undefined {
    for (let tries = 0; tries < this.#slots.length * 2; tries++) {
      const slot = this.#slots[this.#hand];
      this.#hand = (this.#hand + 1) % this.#slots.length;
      if (slot === undefined || slot.state === 'loading') continue;
      if (slot.used) {
        slot.used = false;
        continue;
      }
      this.#empty(slot);
      return slot;
    }
    return undefined;
  }

  #empty(slot: Slot): void {
    const { file } = slot;
    slot.state = 'free';
    slot.file = undefined;
    if (file === undefined) return;
    file.slots[slot.index] = -1;
    file.filled -= 1;
    this.#release(file);
  }

  /** A descriptor is closed only after the last read from it: its number may be another file's a moment later. */
  #release(file: CachedFile): void {
    if (file.users > 0 || file.loading > 0) return;
    if (file.handle !== undefined) this.#tell({ kind: 'close', handle: file.handle });
    file.handle = undefined;
    if (file.filled === 0) this.#files.delete(file.identity);
  }

  #loaded(ticket: number, problem: string | undefined): void {
    const loading = this.#loading.get(ticket);
    this.#loading.delete(ticket);
    if (loading?.slot.file === undefined) return;
    const { slot, stage, length } = loading;
    const { file } = loading.slot;
    this.#stages.push(stage);
    const waiting = [...slot.waiting.splice(0), ...this.#starved.splice(0)];
    file.loading -= 1;
    if (problem === undefined) {
      this.#memory.set(this.#staging.subarray(stage, stage + length), slot.at);
      slot.state = 'loaded';
    } else {
      file.problem = problem;
      this.#empty(slot);
    }
    this.#release(file);
    for (const wake of waiting) wake();
  }
}

function newFile(identity: string, size: number): CachedFile {
  return {
    identity,
    size,
    slots: new Int32Array(Math.ceil(size / CHUNK_BYTES)).fill(-1),
    filled: 0,
    loading: 0,
    handle: undefined,
    users: 0,
    problem: undefined,
  };
}
