import http from 'node:http';
import https from 'node:https';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { AnybiosError } from '../domain/errors.js';
import { errorIn } from './error-answer.js';
import { Unreachable } from './failure.js';
import { errnoOf } from './files.js';

/** Where the API is and how to get in. */
export interface Endpoint {
  /** For people: `http://10.77.0.1:8080` or `unix:/var/lib/anybios/anybios.sock`. */
  readonly shown: string;
  /** Requests go to this URL … */
  readonly url: URL;
  /** … through this unix socket, if set (fetch cannot do that, so this client is node:http). */
  readonly socketPath?: string;
  readonly token?: string;
}

export type Query = Readonly<Record<string, string | number | boolean | undefined>>;

export interface RequestOptions {
  readonly query?: Query;
  /** Sent as JSON. */
  readonly json?: unknown;
  readonly yaml?: string;
  /** Sent as they are. */
  readonly bytes?: Buffer;
  /** Sent as it comes; `bytes` becomes the Content-Length, if known. */
  readonly stream?: { readonly source: Readable; readonly bytes: number | undefined };
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

/** No answer within this time means no server; streams and imports set none. */
const ANSWER_TIMEOUT_MS = 30_000;
/** An answer is never larger than what a site of 100,000 machines needs; more is not our server. */
const ANSWER_LIMIT_BYTES = 256 * 1024 * 1024;

/** The REST API under /api/v1. Failures are thrown: AnybiosError as the server said it, Unreachable when none answered. */
export class ApiClient {
  readonly endpoint: Endpoint;

  constructor(endpoint: Endpoint) {
    this.endpoint = endpoint;
  }

  /** The JSON answer; `undefined` for an empty one (204). */
  async request(method: string, path: string, options: RequestOptions = {}): Promise<unknown> {
    const body = await this.text(method, path, options);
    if (body === '') return undefined;
    try {
      const value: unknown = JSON.parse(body);
      return value;
    } catch (error) {
      throw new Unreachable(
        `${this.endpoint.shown} answers, but not as an anybios server`,
        'check ANYBIOS_URL and its port',
        error,
      );
    }
  }

  get(path: string, query: Query = {}): Promise<unknown> {
    return this.request('GET', path, { query });
  }

  async text(method: string, path: string, options: RequestOptions = {}): Promise<string> {
    const response = await this.#open(method, path, options);
    return this.#body(response);
  }

  /** A body that does not end by itself (event streams). The caller ends it through `signal`. */
  async open(path: string, options: RequestOptions): Promise<Readable> {
    return this.#open('GET', path, options);
  }

  async #body(response: http.IncomingMessage): Promise<string> {
    let size = 0;
    response.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size > ANSWER_LIMIT_BYTES) response.destroy(new Error('the answer is too large'));
    });
    try {
      return await text(response);
    } catch (error) {
      throw this.#unreachable(error, 'the connection broke in the middle of the answer');
    }
  }

  async #open(method: string, path: string, options: RequestOptions): Promise<http.IncomingMessage> {
    const { endpoint } = this;
    const url = new URL(`${endpoint.url.pathname.replace(/\/$/, '')}/api/v1${path}`, endpoint.url);
    for (const [key, value] of Object.entries(options.query ?? {})) {
      if (value !== undefined) url.searchParams.set(key, value === true ? '1' : String(value));
    }
    const body = bodyOf(options);
    const request = (url.protocol === 'https:' ? https : http).request(url, {
      method,
      agent: false,
      headers: {
        accept: 'application/json',
        ...(endpoint.token === undefined ? {} : { authorization: `Bearer ${endpoint.token}` }),
        ...body.headers,
        ...options.headers,
      },
      ...(endpoint.socketPath === undefined ? {} : { socketPath: endpoint.socketPath }),
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    });
    const answered = new Promise<http.IncomingMessage>((resolve, reject) => {
      request.once('response', resolve);
      request.once('error', reject);
    });
    // A server may refuse an upload before it has read all of it (401, wrong name): its answer counts, not the broken pipe.
    const sent =
      options.stream === undefined
        ? Promise.resolve(request.end(body.text))
        : pipeline(options.stream.source, request).catch((error: unknown) => {
            if (!isClosedByPeer(error)) throw error;
          });
    if (options.stream === undefined && options.signal === undefined) {
      request.setTimeout(ANSWER_TIMEOUT_MS, () =>
        request.destroy(Object.assign(new Error('no answer'), { code: 'ETIMEDOUT' })),
      );
    }
    let response: http.IncomingMessage;
    try {
      response = await Promise.race([answered, sent.then(() => answered)]);
    } catch (error) {
      request.destroy();
      if (options.signal?.aborted === true) throw error;
      throw this.#unreachable(error);
    }
    const status = response.statusCode ?? 0;
    if (status >= 200 && status < 300) return response;
    options.stream?.source.destroy();
    throw this.#refusal(status, await this.#body(response));
  }

  /** The server's own error, or what a proxy in between made of it. */
  #refusal(status: number, body: string): Error {
    const error = errorIn(body);
    if (error === undefined) {
      return new Unreachable(
        `${this.endpoint.shown} answers with HTTP ${status}, not as an anybios server`,
        'check ANYBIOS_URL and its port',
      );
    }
    const detail = {
      ...(error.field === undefined ? {} : { field: error.field }),
      ...(error.remedy === undefined ? {} : { remedy: error.remedy }),
    };
    if (error.code === 'unauthorized') {
      const hint =
        this.endpoint.token === undefined
          ? 'set ANYBIOS_TOKEN, or run this as a user who may read dataDir/admin.token'
          : 'check ANYBIOS_TOKEN; "anybios token create NAME" on the server makes a new one';
      return new AnybiosError('unauthorized', error.message, { ...detail, remedy: hint });
    }
    return new AnybiosError(error.code, error.message, detail);
  }

  #unreachable(error: unknown, message?: string): Unreachable {
    const code = errnoOf(error);
    const reason = (code === undefined ? undefined : REASONS[code]) ?? (error instanceof Error ? error.message : '');
    const remedy =
      code === 'EACCES' || code === 'EPERM'
        ? 'run this as root, or set ANYBIOS_URL and ANYBIOS_TOKEN'
        : 'start it with "anybios serve --config anybios.yaml", or set ANYBIOS_URL to where it runs';
    return new Unreachable(message ?? `no server answers at ${this.endpoint.shown}: ${reason}`, remedy, error);
  }
}

const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'the connection was closed',
  EPIPE: 'the connection was closed',
  ENOENT: 'the socket is not there',
  ENOTFOUND: 'its name is not known to DNS',
  EAI_AGAIN: 'DNS does not answer',
  EHOSTUNREACH: 'no route to it',
  ENETUNREACH: 'no route to its network',
  ETIMEDOUT: 'no answer in time',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
};

function bodyOf(options: RequestOptions): {
  readonly headers: Record<string, string>;
  readonly text?: string | Buffer;
} {
  if (options.json !== undefined) {
    return { headers: { 'content-type': 'application/json' }, text: JSON.stringify(options.json) };
  }
  if (options.yaml !== undefined) return { headers: { 'content-type': 'application/yaml' }, text: options.yaml };
  if (options.bytes !== undefined) {
    return { headers: { 'content-type': 'application/octet-stream' }, text: options.bytes };
  }
  if (options.stream !== undefined) {
    const { bytes } = options.stream;
    return {
      headers: {
        'content-type': 'application/octet-stream',
        ...(bytes === undefined ? {} : { 'content-length': String(bytes) }),
      },
    };
  }
  return { headers: {} };
}

function isClosedByPeer(error: unknown): boolean {
  const code = errnoOf(error);
  return code === 'EPIPE' || code === 'ECONNRESET' || code === 'ERR_STREAM_PREMATURE_CLOSE';
}
