import { createReadStream, createWriteStream, existsSync } from 'node:fs';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { type Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { invalid } from '../domain/errors.js';
import { DECOMPRESS, type FileKind, fileKind } from './file-kind.js';
import { type RunOptions, runProgram } from './run-program.js';
import { scanFolder } from './scan-folder.js';
import { scanTar, type TarFacts, tooLarge } from './scan-tar.js';
import type { RootfsSource } from './source.js';
import { type SquashfsFacts, squashfsFacts } from './squashfs-facts.js';
import { unpackImage } from './unpack-image.js';

export interface MakeOptions {
  /** An empty folder for what is made on the way; the caller removes it. */
  readonly dir: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdin: Readable;
  /** Unpacked. */
  readonly maxBytes: number;
  readonly signal: AbortSignal;
  /** Of container images: `amd64`, `arm64`. */
  readonly arch: string;
  /** Registries without TLS, or with a certificate that nobody signed; loopback needs it not. */
  readonly plainHttp: boolean;
  readonly keepDevices: boolean;
  /** The site says which signatures containers need (policy.json): skopeo keeps to it. */
  readonly hasPolicy: boolean;
  readonly say: (step: string) => void;
  readonly progress: (label: string, bytes: number, total: number | undefined) => void;
}

export interface MadeRootfs {
  /** The squashfs. */
  readonly path: string;
  /** Where it came from, for people. */
  readonly source: string;
  readonly facts: SquashfsFacts;
  readonly capabilities: readonly string[];
  /** Device files that were left out. */
  readonly droppedDevices: readonly string[];
}

/** More would not fit into a command line with their names, and no root file system has them. */
const DEVICES_LIMIT = 1000;
/** The same input gives the same bytes: the file system carries no time of its own, files carry theirs. */
const SAME_ALWAYS = ['-comp', 'zstd', '-root-mode', '755', '-exit-on-error', '-quiet', '-no-progress'];

/** Makes a squashfs of a root file system. Programs get their arguments as lists, and nothing of what is in the source is run. */
export async function makeRootfs(source: RootfsSource, options: MakeOptions): Promise<MadeRootfs> {
  // One that is set for something else would change every time in the file.
  const run: RunOptions = { env: { ...options.env, SOURCE_DATE_EPOCH: undefined }, signal: options.signal };
  switch (source.kind) {
    case 'folder':
      return await fromFolder(source.path, source.path, options, run);
    case 'image':
      return await fromImage(source, options, run);
    case 'file':
      return await fromFile(source.path, source.path, options, run);
    case 'stdin': {
      const path = `${options.dir}/stdin`;
      await pipeline(
        counted(options.stdin, 'reading standard input', undefined, options, options.maxBytes),
        createWriteStream(path),
      );
      return await fromFile(path, 'standard input', options, run);
    }
  }
}

/** Where `containers-policy.json(5)` is looked for. */
export function hasSignaturePolicy(): boolean {
  return [`${homedir()}/.config/containers/policy.json`, '/etc/containers/policy.json'].some((path) =>
    existsSync(path),
  );
}

async function fromFile(path: string, shown: string, options: MakeOptions, run: RunOptions): Promise<MadeRootfs> {
  const kind = await fileKind(path);
  if (kind === 'unknown') {
    throw invalid(`${shown} is neither a squashfs nor a tar archive`, {
      field: '--from',
      remedy: 'name a folder, a tar (plain, gzip, xz, zstd, bzip2), a squashfs, or a container image',
    });
  }
  if (kind === 'squashfs') {
    const facts = await squashfsFacts(path, run);
    if (facts.bytes > options.maxBytes) throw tooLarge(shown, options.maxBytes);
    return { path, source: shown, facts, capabilities: [], droppedDevices: [] };
  }
  options.say(`checking ${shown}`);
  const found = await readArchive(path, kind, 'checking', options, run, (archive) =>
    scanTar(archive, shown, options.maxBytes),
  );
  if (found.top.has('oci-layout') && found.top.has('index.json')) {
    return await fromImage({ reference: `oci-archive:${path}`, shown, loopback: false }, options, run);
  }
  if (found.top.has('manifest.json') && !found.top.has('usr') && !found.top.has('bin')) {
    return await fromImage({ reference: `docker-archive:${path}`, shown, loopback: false }, options, run);
  }
  return await fromTar(path, kind, shown, found, options, run);
}

async function fromTar(
  path: string,
  kind: FileKind,
  shown: string,
  found: TarFacts,
  options: MakeOptions,
  run: RunOptions,
): Promise<MadeRootfs> {
  const dropped = options.keepDevices ? [] : found.devices;
  if (dropped.length > DEVICES_LIMIT) throw invalid(`${shown} holds ${dropped.length} device files`);
  const out = `${options.dir}/rootfs.squashfs`;
  // sqfstar 4.5 gives the root folder the time of now, whatever its options say; this is the latest time that it writes.
  const env = { ...run.env, SOURCE_DATE_EPOCH: String(found.newest) };
  // sqfstar never unpacks, so owners need no root, and no name in the archive can reach a file of this computer.
  await readArchive(path, kind, 'packing', options, run, (archive) =>
    runProgram('sqfstar', [...SAME_ALWAYS, out, ...dropped], { ...run, env, stdin: archive }),
  );
  return await made(out, shown, found.capabilities, dropped, run);
}

async function fromImage(
  source: { readonly reference: string; readonly shown: string; readonly loopback: boolean },
  options: MakeOptions,
  run: RunOptions,
): Promise<MadeRootfs> {
  const image = await unpackImage(source, options, run);
  const rootfs = await fromFolder(image.folder, `${source.shown} (${image.digest})`, options, run);
  return { ...rootfs, capabilities: image.capabilities };
}

async function fromFolder(folder: string, shown: string, options: MakeOptions, run: RunOptions): Promise<MadeRootfs> {
  const found = await scanFolder(folder, options.maxBytes, options.signal);
  const dropped = options.keepDevices ? [] : found.special;
  const excluded = `${options.dir}/excluded`;
  await writeFile(excluded, dropped.map((path) => `${path}\n`).join(''));
  const out = `${options.dir}/rootfs.squashfs`;
  let watch: NodeJS.Timeout | undefined;
  const started = (pid: number): void => {
    watch = setInterval(() => {
      readBytes(pid).then(
        (bytes) => options.progress('packing', Math.min(bytes, found.bytes), found.bytes),
        () => undefined, // it has just ended
      );
    }, 250);
  };
  try {
    const times = ['-mkfs-time', '0', '-root-time', '0'];
    const args = [folder, out, '-noappend', '-one-file-system', ...SAME_ALWAYS, ...times, '-ef', excluded];
    await runProgram('mksquashfs', args, { ...run, started });
  } finally {
    clearInterval(watch);
  }
  return await made(out, shown, await capabilitiesIn(folder, run), dropped, run);
}

async function made(
  path: string,
  source: string,
  capabilities: readonly string[],
  droppedDevices: readonly string[],
  run: RunOptions,
): Promise<MadeRootfs> {
  return { path, source, facts: await squashfsFacts(path, run), capabilities, droppedDevices };
}

/** getcap is there on every Debian that runs as a server; without it the list is what cannot be told. */
async function capabilitiesIn(folder: string, run: RunOptions): Promise<readonly string[]> {
  const listing = await runProgram('getcap', ['-r', folder], run).catch((error: unknown) => {
    if (run.signal.aborted) throw error;
    return '';
  });
  return listing
    .split('\n')
    .filter((line) => line.startsWith(folder))
    .map((line) => line.slice(folder.length + 1).replace(/ [^ ]+$/, ''))
    .sort();
}

/** Gives `use` the plain tar. */
async function readArchive<T>(
  path: string,
  kind: FileKind,
  label: string,
  options: MakeOptions,
  run: RunOptions,
  use: (archive: Readable) => Promise<T>,
): Promise<T> {
  const { size } = await stat(path);
  const file = counted(createReadStream(path, { highWaterMark: 1 << 20 }), label, size, options);
  const program = DECOMPRESS[kind];
  if (program === undefined) return await use(file);
  let result: { readonly value: T } | undefined;
  await runProgram(program, ['-dc'], {
    ...run,
    stdin: file,
    output: async (stdout) => {
      result = { value: await use(stdout) };
    },
  });
  if (result === undefined) throw invalid(`${path} cannot be read`);
  return result.value;
}

/** Passes bytes on and tells how many there were. */
function counted(
  source: Readable,
  label: string,
  total: number | undefined,
  options: MakeOptions,
  maxBytes = Number.POSITIVE_INFINITY,
): Readable {
  let bytes = 0;
  const counter = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytes += chunk.length;
      options.progress(label, bytes, total);
      if (bytes > maxBytes) done(tooLarge(label, maxBytes));
      else done(undefined, chunk);
    },
  });
  source.once('error', (error) => counter.destroy(error));
  return source.pipe(counter);
}

/** What a process has read so far (proc(5), rchar). */
async function readBytes(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/io`, 'utf8');
  return Number(/^rchar: (\d+)/m.exec(text)?.[1] ?? 0);
}
