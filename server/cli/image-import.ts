import { createHash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { basename } from 'node:path';
import { Transform } from 'node:stream';
import { z } from 'zod';
import { AnybiosError, invalid } from '../domain/errors.js';
import type { ImagePart } from '../domain/image.js';
import { readAnswer } from './api-schema.js';
import type { Cli } from './cli.js';
import type { ApiClient } from './client.js';
import { unreadable } from './files.js';
import { makeFromSource } from './image-from.js';
import { type ImportOptions, type ImportPlan, isUrl, type PlannedPart, parseSize } from './image-plan.js';
import { runImageTask } from './image-tasks.js';

const storedSchema = z.object({ digest: z.string(), size: z.number() });
const DEFAULT_LIMIT = '16G';

interface Sent {
  readonly digest: string;
  /** Where it came from, for people. */
  readonly source: string;
}

/** Sends what the server does not have yet, then makes the version; returns the server's answer, with what is in it if it was made here. */
export async function importImage(cli: Cli, plan: ImportPlan, options: ImportOptions): Promise<unknown> {
  const maxBytes = parseSize(options.maxSize ?? DEFAULT_LIMIT, '--max-size');
  const api = await cli.connect();
  // Asked before gigabytes are sent: is the server there, and is the token good?
  await api.get('/images', { name: plan.name });
  const files: Partial<Record<ImagePart, string>> = {};
  const sources: string[] = [];
  let contents: object | undefined;
  if (plan.from !== undefined) {
    await makeFromSource(
      cli,
      plan.from,
      options,
      maxBytes,
      async ({ path, source, facts, capabilities, droppedDevices }) => {
        files.rootfs = (await sendFile(cli, api, { part: 'rootfs', option: '--from', path }, plan.expected)).digest;
        sources.push(source);
        contents = { ...facts, capabilities, droppedDevices };
      },
    );
  }
  for (const part of plan.parts) {
    const sent = await send(cli, api, part, plan.expected, maxBytes);
    files[part.part] = sent.digest;
    sources.push(sent.source);
  }
  const version = plan.version ?? versionOf(Object.values(files));
  const { tag } = options;
  const path = `/images/${encodeURIComponent(plan.name)}/${encodeURIComponent(version)}`;
  const answer = await api.request('PUT', path, {
    json: {
      kind: plan.kind,
      files,
      source: sources.join(', ').slice(0, 1000),
      ...(tag === undefined ? {} : { tags: tag }),
    },
  });
  // With --json this is the only place that tells of setuid programs.
  return contents === undefined || typeof answer !== 'object' ? answer : { ...answer, contents };
}

/** 12 hex digits: enough to tell versions of one name apart, short enough to type. */
function versionOf(digests: readonly string[]): string {
  const [only] = digests;
  if (digests.length === 1 && only !== undefined) return only.slice(0, 12);
  return createHash('sha256').update(digests.join('\n')).digest('hex').slice(0, 12);
}

async function send(
  cli: Cli,
  api: ApiClient,
  planned: PlannedPart,
  expected: string | undefined,
  maxBytes: number,
): Promise<Sent> {
  const { part, path } = planned;
  if (path === '-')
    return { digest: await upload(cli, api, part, cli.io.stdin, undefined, expected), source: 'a pipe' };
  if (!isUrl(path)) return await sendFile(cli, api, planned, expected);
  const body = { url: path, maxBytes, ...(expected === undefined ? {} : { digest: expected }) };
  const { fetched } = await runImageTask(cli, api, '/image-fetches', body, `${part} downloading`);
  if (fetched === undefined) throw new AnybiosError('internal', 'the server tells nothing of the download');
  cli.note(`${part}: the server downloaded ${fetched.url} from ${fetched.address}`);
  return { digest: fetched.digest, source: fetched.url };
}

async function sendFile(
  cli: Cli,
  api: ApiClient,
  { part, option, path }: PlannedPart,
  expected: string | undefined,
): Promise<Sent> {
  const file = await openFile(path, option);
  try {
    const { size } = await file.stat();
    const digest = await digestOf(cli, file, part, size);
    if (expected !== undefined && digest !== expected) {
      throw invalid(`the sha256 of ${path} is ${digest}, not ${expected}`, {
        field: '--sha256',
        remedy: 'get the file again, or give the digest of this one',
      });
    }
    const source = basename(path);
    if (await isStored(api, digest)) {
      cli.note(`${part}: the server has this file already`);
      return { digest, source };
    }
    const stream = file.createReadStream({ start: 0, autoClose: false, highWaterMark: 1 << 20 });
    return { digest: await upload(cli, api, part, stream, size, digest), source };
  } finally {
    await file.close();
  }
}

async function upload(
  cli: Cli,
  api: ApiClient,
  part: ImagePart,
  source: NodeJS.ReadableStream,
  bytes: number | undefined,
  digest: string | undefined,
): Promise<string> {
  const progress = cli.progress(`${part} sending`, bytes);
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
  const progress = cli.progress(`${part} reading`, size);
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
  const remedy = option === '--rootfs' ? 'name a squashfs file, "-" for a pipe, or --from FOLDER' : 'name a file';
  throw invalid(`${path} is not a file`, { field: option, remedy });
}
