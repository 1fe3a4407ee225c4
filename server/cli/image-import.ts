import { createHash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { Transform } from 'node:stream';
import { z } from 'zod';
import { AnybiosError, invalid } from '../domain/errors.js';
import { IMAGE_PARTS, type ImageKind, type ImagePart } from '../domain/image.js';
import { readAnswer } from './api-schema.js';
import type { Cli } from './cli.js';
import type { ApiClient } from './client.js';
import { unreadable } from './files.js';
import { TransferProgress } from './terminal/transfer-progress.js';

export interface ImportOptions {
  readonly rootfs?: string;
  readonly kernel?: string;
  readonly initrd?: string;
  readonly modules?: string;
  readonly tag?: readonly string[];
}

/** Where each part comes from: a path, or `-` for standard input. */
export interface ImportPlan {
  readonly name: string;
  /** Absent: made from the digests, so that the same files get the same version. */
  readonly version: string | undefined;
  readonly kind: ImageKind;
  readonly parts: readonly { readonly part: ImagePart; readonly option: string; readonly path: string }[];
}

const storedSchema = z.object({ digest: z.string(), size: z.number() });
const OPTION_OF: Readonly<Partial<Record<ImagePart, keyof ImportOptions>>> = {
  rootfs: 'rootfs',
  vmlinuz: 'kernel',
  initrd: 'initrd',
  modules: 'modules',
};

/** What the arguments ask for. Throws `invalid` naming the option that is missing or too much. */
export function planImport(reference: string, options: ImportOptions): ImportPlan {
  const [name = '', version, ...rest] = reference.split(':');
  if (name === '' || version === '' || rest.length > 0) {
    throw invalid(`"${reference}" is not an image`, { field: 'NAME', remedy: 'write NAME or NAME:VERSION' });
  }
  const isRootfs = options.rootfs !== undefined;
  const isKernel = options.kernel ?? options.initrd ?? options.modules;
  if (isRootfs === (isKernel !== undefined)) {
    throw invalid('say what to import', {
      remedy: 'either --rootfs FILE, or --kernel VMLINUZ --initrd FILE --modules FILE',
    });
  }
  const kind: ImageKind = isRootfs ? 'rootfs' : 'kernel';
  const parts = IMAGE_PARTS[kind].map((part) => {
    const option = OPTION_OF[part] ?? 'rootfs';
    const path = options[option];
    if (typeof path !== 'string') {
      throw invalid(`a ${kind} image needs --${option}`, {
        field: `--${option}`,
        remedy: 'a kernel image is one version of three files: --kernel, --initrd and --modules',
      });
    }
    if (path === '-' && kind !== 'rootfs') {
      throw invalid('only --rootfs can come from standard input', { field: `--${option}`, remedy: 'name a file' });
    }
    return { part, option: `--${option}`, path };
  });
  return { name, version, kind, parts };
}

/** Uploads what the server does not have yet, then makes the version; returns the server's answer. */
export async function importImage(cli: Cli, plan: ImportPlan, tags: readonly string[] | undefined): Promise<unknown> {
  const api = await cli.connect();
  // Asked before gigabytes are sent: is the server there, and is the token good?
  await api.get('/images', { name: plan.name });
  const files: Partial<Record<ImagePart, string>> = {};
  for (const { part, option, path } of plan.parts) {
    files[part] = path === '-' ? await sendStdin(cli, api, part) : await sendFile(cli, api, part, option, path);
  }
  const version = plan.version ?? versionOf(Object.values(files));
  return api.request('PUT', `/images/${encodeURIComponent(plan.name)}/${encodeURIComponent(version)}`, {
    json: { kind: plan.kind, files, ...(tags === undefined ? {} : { tags }) },
  });
}

/** 12 hex digits: enough to tell versions of one name apart, short enough to type. */
function versionOf(digests: readonly string[]): string {
  const [only] = digests;
  if (digests.length === 1 && only !== undefined) return only.slice(0, 12);
  return createHash('sha256').update(digests.join('\n')).digest('hex').slice(0, 12);
}

async function sendFile(cli: Cli, api: ApiClient, part: ImagePart, option: string, path: string): Promise<string> {
  const file = await openFile(path, option);
  try {
    const { size } = await file.stat();
    const digest = await digestOf(cli, file, part, size);
    if (await isStored(api, digest)) {
      cli.note(`${part}: the server has this file already`);
      return digest;
    }
    const source = file.createReadStream({ start: 0, autoClose: false, highWaterMark: 1 << 20 });
    return await upload(cli, api, part, source, size, digest);
  } finally {
    await file.close();
  }
}

function sendStdin(cli: Cli, api: ApiClient, part: ImagePart): Promise<string> {
  return upload(cli, api, part, cli.io.stdin, undefined, undefined);
}

async function upload(
  cli: Cli,
  api: ApiClient,
  part: ImagePart,
  source: NodeJS.ReadableStream,
  bytes: number | undefined,
  digest: string | undefined,
): Promise<string> {
  const progress = new TransferProgress(cli.drawsProgress ? cli.io.stderr : undefined, `${part} sending`, bytes);
  const counted = source.pipe(
    new Transform({
      transform(chunk: Buffer, _encoding, done) {
        progress.add(chunk.length);
        done(undefined, chunk);
      },
    }),
  );
  source.once('error', (error) => counted.destroy(error));
  const answer = await api.request('POST', '/image-files', { query: { digest }, stream: { source: counted, bytes } });
  progress.end();
  return readAnswer(storedSchema, answer, 'image file').digest;
}

async function digestOf(cli: Cli, file: FileHandle, part: ImagePart, size: number): Promise<string> {
  const progress = new TransferProgress(cli.drawsProgress ? cli.io.stderr : undefined, `${part} reading`, size);
  const hash = createHash('sha256');
  for await (const chunk of file.createReadStream({ start: 0, autoClose: false, highWaterMark: 1 << 20 })) {
    const bytes = chunk as Buffer;
    hash.update(bytes);
    progress.add(bytes.length);
  }
  progress.end();
  return hash.digest('hex');
}

async function isStored(api: ApiClient, digest: string): Promise<boolean> {
  try {
    await api.get(`/image-files/${digest}`);
    return true;
  } catch (error) {
    if (error instanceof AnybiosError && error.code === 'not_found') return false;
    throw error;
  }
}

async function openFile(path: string, option: string): Promise<FileHandle> {
  let file: FileHandle;
  try {
    file = await open(path, 'r');
  } catch (error) {
    throw unreadable(path, option, error);
  }
  if ((await file.stat()).isFile()) return file;
  await file.close();
  throw invalid(`${path} is not a file`, { field: option, remedy: 'name a squashfs file, or "-" for a pipe' });
}
