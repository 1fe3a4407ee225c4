import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import type { ProcessProof } from './process-proof.js';

/**
 * What a lab has made, written down before it is made: the only ground on which a later start removes anything. Lies in /run,
 * which lives exactly as long as namespaces and processes do.
 */
export interface LabRecord {
  readonly namespace: string;
  /** Random; every process of this lab carries it in its environment as ANYBIOS_LAB. */
  readonly mark: string;
  /** The lab process itself. */
  readonly owner: ProcessProof;
  /** Inode of /run/netns/NAME; undefined between writing this down and `ip netns add`. */
  readonly namespaceInode?: number;
  readonly processes: readonly ProcessProof[];
}

/** The environment variable that carries `mark`. */
export const MARK = 'ANYBIOS_LAB';

const folder = '/run/anybios-lab';
const fileOf = (namespace: string): string => `${folder}/${namespace}.json`;

export function readLabRecord(namespace: string): LabRecord | undefined {
  let text: string;
  try {
    text = readFileSync(fileOf(namespace), 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
  // Written by writeLabRecord only, in one rename.
  return JSON.parse(text) as LabRecord;
}

export function writeLabRecord(record: LabRecord): void {
  mkdirSync(folder, { recursive: true, mode: 0o755 });
  const file = fileOf(record.namespace);
  writeFileSync(`${file}.new`, `${JSON.stringify(record)}\n`);
  renameSync(`${file}.new`, file);
}

export function forgetLabRecord(namespace: string): void {
  rmSync(fileOf(namespace), { force: true });
}
