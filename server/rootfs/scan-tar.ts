import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { extract, type Header } from 'tar-stream';
import { invalid } from '../domain/errors.js';

/** What is in an archive, as far as it matters before anything is made of it. */
export interface TarFacts {
  readonly entries: number;
  /** Of all files, unpacked. */
  readonly bytes: number;
  /** Paths of device files. */
  readonly devices: readonly string[];
  /** Paths of files with capabilities. */
  readonly capabilities: readonly string[];
  /** The newest time of a file, in seconds since 1970. */
  readonly newest: number;
  /** Names at the top. */
  readonly top: ReadonlySet<string>;
}

/** A root file system has some hundred thousand. */
const ENTRIES_LIMIT = 2_000_000;
/** A squashfs has 32 bits for a time. */
const LATEST = 0xffff_ffff;

/**
 * Reads an archive to its end and unpacks nothing. Rejects with `invalid` for one that would write outside its folder (`..`, absolute
 * names, a way through a link), for attributes that steer overlayfs, and for more than `maxBytes`.
 */
export async function scanTar(archive: Readable, what: string, maxBytes: number): Promise<TarFacts> {
  const scan = new TarScan(what, maxBytes);
  const parser = extract();
  parser.on('entry', (header, body, next) => {
    // What ends the archive early is told once, by the pipeline below.
    body.on('error', () => undefined);
    try {
      scan.add(header);
    } catch (error) {
      parser.destroy(error instanceof Error ? error : new Error(String(error)));
      return;
    }
    body.on('end', next);
    body.resume();
  });
  try {
    await pipeline(archive, parser);
  } catch (error) {
    if (error instanceof Error && /tar header|Unexpected end/i.test(error.message)) {
      throw invalid(`${what} is not a whole tar archive: ${error.message}`, {
        remedy: 'check the file, or make it again',
      });
    }
    throw error;
  }
  return scan;
}

class TarScan implements TarFacts {
  readonly devices: string[] = [];
  readonly capabilities: string[] = [];
  readonly top = new Set<string>();
  entries = 0;
  bytes = 0;
  newest = 0;
  readonly #what: string;
  readonly #maxBytes: number;
  /** What a later entry must not lie below. */
  readonly #leaves = new Set<string>();

  constructor(what: string, maxBytes: number) {
    this.#what = what;
    this.#maxBytes = maxBytes;
  }

  add(header: Header): void {
    const { type, size = 0, linkname, pax } = header;
    const name = this.#inside(header.name);
    this.entries += 1;
    this.bytes += size;
    const seconds = Math.floor((header.mtime?.getTime() ?? 0) / 1000);
    if (seconds > this.newest && seconds <= LATEST) this.newest = seconds;
    if (this.entries > ENTRIES_LIMIT) throw this.#refuse(`has more than ${ENTRIES_LIMIT} entries`);
    if (this.bytes > this.#maxBytes) throw tooLarge(this.#what, this.#maxBytes);
    if (name === '') return;
    this.top.add(name.split('/', 1)[0] ?? name);
    for (let at = name.indexOf('/'); at >= 0; at = name.indexOf('/', at + 1)) {
      if (this.#leaves.has(name.slice(0, at)))
        throw this.#refuse(`leads through "${name.slice(0, at)}", which is no folder`, name);
    }
    if (type === 'directory') this.#leaves.delete(name);
    else this.#leaves.add(name);
    if (type === 'link') this.#inside(linkname ?? '');
    if (type === 'character-device' || type === 'block-device') this.devices.push(name);
    for (const key of Object.keys(pax ?? {})) {
      if (key === 'SCHILY.xattr.security.capability') this.capabilities.push(name);
      if (key.startsWith('SCHILY.xattr.trusted.')) throw this.#refuse(`has the attribute ${key.slice(13)}`, name);
    }
  }

  #inside(name: string): string {
    const path = name.replace(/^(\.\/)+/, '').replace(/\/+$/, '');
    if (path.startsWith('/')) throw this.#refuse('is an absolute name', name);
    if (path.split('/').includes('..')) throw this.#refuse('leads out of the archive', name);
    if (/[\0\n]/.test(path)) throw this.#refuse('has a line break in its name', name);
    return path === '.' ? '' : path;
  }

  #refuse(problem: string, name?: string): Error {
    const entry = name === undefined ? '' : `entry "${name.slice(0, 200)}" `;
    return invalid(`${this.#what}: ${entry}${problem}`, {
      remedy: 'do not use this archive; make one from a source you trust',
    });
  }
}

export function tooLarge(what: string, maxBytes: number): Error {
  return invalid(`${what} holds more than ${maxBytes} bytes unpacked`, {
    field: '--max-size',
    remedy: 'check what it is, and allow more with --max-size',
  });
}
