import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type Digest, parseDigest } from '../domain/digest.js';
import { type ErrorCode, invalid } from '../domain/errors.js';
import { errorOf, failureOf, unexpected } from './failure-message.js';
import type { Authorized, FailureMessage } from './keeper-messages.js';
import { redirectHere } from './redirect-images.js';
import type { ImageStore, StoredFile } from './store.js';
import { isUpload, UPLOAD_PATH } from './upload-url.js';

export interface UploadServerDeps {
  readonly store: ImageStore;
  /** Asks the main process, which has the tokens. */
  readonly authorize: (authorization: string | undefined) => Promise<Authorized>;
  readonly uploaded: (file: StoredFile, by: string) => void;
  /** What nobody expected. */
  readonly fault: (error: unknown) => void;
}

/** As http/errors.ts has it, which this process does not load. */
const STATUS: Readonly<Record<ErrorCode, number>> = {
  invalid: 400,
  unauthorized: 401,
  not_found: 404,
  conflict: 409,
  internal: 500,
  unavailable: 503,
};
/** What a refused client still sends is read for so long: a connection that is closed before takes the answer with it. */
const LINGER_MS = 2000;
const LARGEST_HEAD = 16 << 10;

/** `POST /api/v1/image-files?digest=HEX`: the body becomes a file of the store. Every other request is sent elsewhere. */
export function createUploadServer(deps: UploadServerDeps): Server {
  // An upload of many GB takes its time; only its head has a limit (connection-guard.ts).
  const server = createServer({ requestTimeout: 0, maxHeaderSize: LARGEST_HEAD });
  server.on('request', (request, response) => {
    if (!isUpload(request.method ?? '', request.url ?? '')) {
      redirectHere(request, response);
      return;
    }
    take(deps, request, response).catch((error: unknown) => {
      // The client went away in the middle: nobody to answer, nothing to mend.
      if (request.destroyed && !request.complete) return;
      const failure = failureOf(error);
      if (failure === undefined) deps.fault(error);
      refuse(request, response, failure ?? unexpected);
    });
  });
  return server;
}

async function take(deps: UploadServerDeps, request: IncomingMessage, response: ServerResponse): Promise<void> {
  // What comes next on a kept connection is mostly not an upload, and belongs elsewhere.
  response.setHeader('Connection', 'close');
  const asked = await deps.authorize(request.headers.authorization);
  if ('refused' in asked) throw errorOf(asked.refused);
  const expectedDigest = digestOf(request.url ?? '');
  const stored = await deps.store.import(request, expectedDigest === undefined ? {} : { expectedDigest });
  deps.uploaded(stored, asked.by);
  answer(response, 201, stored);
}

function digestOf(target: string): Digest | undefined {
  const { searchParams } = new URL(target, 'http://localhost');
  for (const key of searchParams.keys()) {
    if (key !== 'digest')
      throw invalid(`"${key}" is not known here`, { field: key, remedy: `see ${UPLOAD_PATH} in /api/v1/openapi.json` });
  }
  const text = searchParams.get('digest');
  return text === null ? undefined : parseDigest(text);
}

function refuse(request: IncomingMessage, response: ServerResponse, failure: FailureMessage): void {
  if (failure.code === 'unauthorized') response.setHeader('WWW-Authenticate', 'Bearer realm="anybios"');
  write(response, STATUS[failure.code], { error: failure });
  // The whole answer has been sent. Its end closes the connection, whatever still comes: nginx, writing to a closed one, says 502.
  const end = (): void => void response.end();
  if (request.complete || request.destroyed) {
    end();
    return;
  }
  const timer = setTimeout(end, LINGER_MS);
  request
    .resume()
    .once('end', end)
    .once('close', () => {
      clearTimeout(timer);
      end();
    });
}

function answer(response: ServerResponse, status: number, value: object): void {
  write(response, status, value);
  response.end();
}

function write(response: ServerResponse, status: number, value: object): void {
  const body = JSON.stringify(value);
  response
    .writeHead(status, {
      'Content-Type': 'application/json; charset=utf-8',
      'Content-Length': Buffer.byteLength(body),
      'Cache-Control': 'no-store',
    })
    .write(body);
}
