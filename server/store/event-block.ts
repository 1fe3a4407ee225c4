import { EVENT_LEVELS, EVENT_SOURCES } from '../domain/event.js';
import type { EventFilter } from '../domain/ports.js';

/** Events of one row. More would make each reading of few events dearer, fewer each writing of many. */
export const BLOCK_EVENTS = 128;
/** The last block is written again as it grows: no further than this many characters. */
const BLOCK_CHARACTERS = 32_768;
/** With the small columns they fit beside the row in SQLite's leaf page: looking through them does not touch the events. */
const MARK_BYTES = 384;
const MARK_BITS = MARK_BYTES * 8;
/** Of 43 boots in a block, 1 in 2,000 other ones seems to be there; of 384 different ids in a block of 128 events, 1 in 30. */
const MARKS_OF_A_KEY = 3;

/** The columns of an event by which it is looked for, and that nearly all events differ in. */
export const KEY_COLUMNS = ['session', 'machine', 'mac'] as const;

/** What a block says of its events without being read. */
export interface BlockHead {
  /** Sequence of its first event; the others follow without a gap. */
  readonly first: number;
  readonly count: number;
  /** One bit for each source and level that occurs. */
  readonly sources: number;
  readonly levels: number;
  /** A Bloom filter of the sessions, machines and MACs: "surely not here" or "look". */
  readonly marks: Uint8Array;
}

/** One event on its way into a block: JSON on one line, and what it is found by. */
export interface EventLine {
  readonly text: string;
  readonly source: string;
  readonly level: string;
  /** In the order of KEY_COLUMNS; empty = none. */
  readonly keys: readonly string[];
}

/** A block that takes events. */
export class EventBlock implements BlockHead {
  readonly first: number;
  count: number;
  sources: number;
  levels: number;
  readonly marks: Uint8Array;
  /** One JSON object a line. */
  lines: string;

  constructor(first: number, head: Omit<BlockHead, 'first'> = EMPTY, lines = '') {
    this.first = first;
    this.count = head.count;
    this.sources = head.sources;
    this.levels = head.levels;
    this.marks = Uint8Array.from(head.marks);
    this.lines = lines;
  }

  get isFull(): boolean {
    return this.count >= BLOCK_EVENTS || this.lines.length >= BLOCK_CHARACTERS;
  }

  add({ text, source, level, keys }: EventLine): void {
    this.lines = this.count === 0 ? text : `${this.lines}\n${text}`;
    this.count++;
    this.sources |= bitOf(EVENT_SOURCES, source);
    this.levels |= bitOf(EVENT_LEVELS, level);
    for (let column = 0; column < keys.length; column++) {
      const key = keys[column];
      if (key !== undefined && key !== '') mark(this.marks, column, key);
    }
  }
}

const EMPTY: Omit<BlockHead, 'first'> = { count: 0, sources: 0, levels: 0, marks: new Uint8Array(MARK_BYTES) };

/** False = surely no event of this block passes the filter. */
export function mayHold(head: BlockHead, filter: Omit<EventFilter, 'limit'>): boolean {
  if (filter.after !== undefined && head.first + head.count - 1 <= filter.after) return false;
  if (filter.source !== undefined && (head.sources & bitOf(EVENT_SOURCES, filter.source)) === 0) return false;
  if (filter.level !== undefined && (head.levels & bitOf(EVENT_LEVELS, filter.level)) === 0) return false;
  return KEY_COLUMNS.every((name, column) => {
    const key = filter[name];
    return key === undefined || isMarked(head.marks, column, key);
  });
}

/** Words that this code does not know share the last bit. */
function bitOf(words: readonly string[], word: string): number {
  const at = words.indexOf(word);
  return 1 << (at < 0 ? 30 : at);
}

function mark(marks: Uint8Array, column: number, key: string): void {
  const hash = hashOf(column, key);
  for (let i = 0; i < MARKS_OF_A_KEY; i++) {
    const bit = bitAt(hash, i);
    marks[bit >>> 3] = (marks[bit >>> 3] ?? 0) | (1 << (bit & 7));
  }
}

function isMarked(marks: Uint8Array, column: number, key: string): boolean {
  const hash = hashOf(column, key);
  for (let i = 0; i < MARKS_OF_A_KEY; i++) {
    const bit = bitAt(hash, i);
    if (((marks[bit >>> 3] ?? 0) & (1 << (bit & 7))) === 0) return false;
  }
  return true;
}

/** Two halves of one hash make all positions (Kirsch and Mitzenmacher, "Less Hashing, Same Performance"). */
function bitAt(hash: number, i: number): number {
  return ((hash & 0xffff) + i * ((hash >>> 16) | 1)) % MARK_BITS;
}

/** FNV-1a with a last mixing step; blocks on disk depend on it. */
function hashOf(column: number, key: string): number {
  let hash = 0x811c9dc5 ^ column;
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  return (hash ^ (hash >>> 13)) >>> 0;
}
