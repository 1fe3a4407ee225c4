import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import type { AnswerBoot, TransferReport } from '../../server/boot/contract.js';
import { createHttpFront, type HttpFront } from '../../server/images/front.js';
import { redirectImages } from '../../server/images/redirect-images.js';
import { createImageStore, type ImageStore } from '../../server/images/store.js';

export interface FrontRig {
  readonly front: HttpFront;
  readonly server: Server;
  readonly store: ImageStore;
  readonly dir: string;
  readonly url: string;
  readonly transfers: TransferReport[];
  readonly log: string[];
  /** Requests that reached the main server: `GET /path body`. */
  readonly main: string[];
  /** What was read of connections that began with an upload. */
  readonly uploads: string[];
  /** Imports the bytes; the path of the image. */
  put(bytes: Buffer): Promise<string>;
  ended(count: number): Promise<readonly TransferReport[]>;
  close(): Promise<void>;
}

/** Bytes of `/large`: more than the buffers of a connection hold. */
export const LARGE = 32_000_000;

/**
 * The front with its child over a store of its own. The main server answers `main: METHOD PATH`, to `/slow` never, and to `/large` with
 * many bytes.
 */
export async function frontRig(
  options: {
    address?: string;
    headMilliseconds?: number;
    answerBoot?: AnswerBoot;
    limits?: { readonly plain?: boolean; readonly slowMilliseconds?: number };
  } = {},
): Promise<FrontRig> {
  const dir = await mkdtemp(join(tmpdir(), 'fi-front-'));
  const store = await createImageStore(dir);
  const transfers: TransferReport[] = [];
  const log: string[] = [];
  const main: string[] = [];
  const uploads: string[] = [];
  const waiting: (() => void)[] = [];
  const server = createServer((request, response) => {
    redirectImages(request, response, () => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        main.push(`${request.method} ${request.url} ${Buffer.concat(chunks)}`.trim());
        if (request.url === '/large') response.end(Buffer.alloc(LARGE));
        else if (request.url !== '/slow') response.end(`main: ${request.method} ${request.url}`);
      });
    });
  });
  const note = (data: object, message: string): void => {
    log.push(`${message} ${JSON.stringify(data)}`);
  };
  const front = createHttpFront({
    server,
    address: options.address ?? '127.0.0.1',
    port: 0,
    imagesDir: dir,
    answerBoot:
      options.answerBoot ?? (async (path) => ({ kind: 'text', text: `boot: ${path}`, contentType: 'text/plain' })),
    ...options.limits,
    onTransfer(transfer) {
      transfers.push(transfer);
      for (const wake of waiting.splice(0)) wake();
    },
    takeUpload(socket, first) {
      uploads.push(first.toString());
      socket.destroy();
    },
    log: { info: note, error: note },
    ...(options.headMilliseconds === undefined ? {} : { headMilliseconds: options.headMilliseconds }),
  });
  await front.start();
  const isEnd = ({ phase }: TransferReport): boolean => phase !== 'started' && phase !== 'progress';
  return {
    front,
    server,
    store,
    dir,
    url: `http://${options.address ?? '127.0.0.1'}:${front.port}`,
    transfers,
    log,
    main,
    uploads,
    async put(bytes) {
      const { digest } = await store.import(Readable.from([bytes]));
      return `/images/sha256/${digest}`;
    },
    async ended(count) {
      while (transfers.filter(isEnd).length < count) await new Promise<void>((resolve) => waiting.push(resolve));
      return transfers.filter(isEnd);
    },
    async close() {
      await front.close();
      await rm(dir, { recursive: true });
    },
  };
}

export const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** A bare TCP connection; `answer` resolves to everything that came when the other side closed. */
export function rawConnection(port: number): { readonly socket: Socket; readonly answer: Promise<Buffer> } {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  const chunks: Buffer[] = [];
  const answer = new Promise<Buffer>((resolve) => {
    socket.on('data', (chunk) => chunks.push(chunk));
    // A reset ends it as well; what came before it counts.
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(Buffer.concat(chunks)));
  });
  return { socket, answer };
}
