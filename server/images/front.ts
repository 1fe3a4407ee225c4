import { rmSync } from 'node:fs';
import type { Server } from 'node:http';
import { type AddressInfo, createServer, isIPv4, type Socket } from 'node:net';
import type { AnswerBoot, BootAnswer, Requester, TransferReport } from '../boot/contract.js';
import { parseIpv4 } from '../domain/ipv4.js';
import { listenProblem } from '../domain/listen-problem.js';
import { compiledEntry } from '../paths.js';
import { ConnectionGuard } from './connection-guard.js';
import { stopReading } from './connection-sorter.js';
import { type FirstRequestsDeps, readFirstRequests } from './first-requests.js';
import { bootPathOfTarget } from './image-url.js';
import type { NginxOutcomes } from './nginx-outcomes.js';
import { SLOW_MILLISECONDS } from './sendfile-messages.js';
import { StreamChild } from './stream-child.js';
import type { BootQuestion, StreamReport } from './stream-messages.js';

/** A pino logger fits. */
export interface FrontLog {
  info(data: object, message: string): void;
  error(data: object, message: string): void;
}

/** Gets a connection that is not being read any more, and what was read from it. */
export type TakeConnection = (socket: Socket, first: Buffer) => void;

export interface HttpFrontOptions {
  /** Gets every connection that does not begin with an image. It must not listen itself. */
  readonly server: Server;
  /** IPv4; default all of them. */
  readonly address?: string;
  /** 0 = any free one. */
  readonly port: number;
  /** Listens here instead: nginx has the port, names the clients and sends the images (ADR 7). */
  readonly behindNginx?: {
    readonly path: string;
    /** Where the process that streams images listens for requests for them. */
    readonly images: string;
    readonly outcomes: NginxOutcomes;
  };
  /** Of the image store: its files are in `sha256/` below. */
  readonly imagesDir: string;
  /** What a name below /boot or /files is. */
  readonly answerBoot: AnswerBoot;
  readonly onTransfer: (transfer: TransferReport) => void;
  /** Gets connections that begin with an upload (images/image-keeper.ts). */
  readonly takeUpload: TakeConnection;
  /** Reads and writes files itself instead of sendfile. */
  readonly plain?: boolean;
  /** A client that takes less than 64 KiB of a download, or nothing of another answer, in this time is cut off. Default 60 s. */
  readonly slowMilliseconds?: number;
  readonly log: FrontLog;
  /** For a connection to send its first request line, and for the head of each request on the main server. */
  readonly headMilliseconds?: number;
}

export interface HttpFront {
  /** Resolves when connections are accepted. Rejects with a remedy when the port is taken or not allowed. */
  start(): Promise<void>;
  /** Idle connections end at once, requests in progress get two seconds. */
  close(): Promise<void>;
  /** The port in use, after start. */
  readonly port: number;
  /** What else is known of a download: nginx has told its end. */
  hear(report: StreamReport): void;
  /** Of the process that streams images; undefined while it starts again. */
  readonly childPid: number | undefined;
}

const HEAD_MILLISECONDS = 15_000;
const CLOSE_PATIENCE = 2000;
/** A rack that comes back after a power cut connects at once; the kernel's own limit is 4096. */
const BACKLOG = 4096;

/**
 * The TCP listener of the HTTP port (ADR 4, ADR 6). It reads the first request line of each connection: files go, socket and all, to
 * a child process that streams them; the script of a machine is answered here; everything else is the main server's. No byte of a
 * file passes this event loop.
 */
export function createHttpFront(options: HttpFrontOptions): HttpFront {
  const { server, log, imagesDir } = options;
  const address = options.address ?? '0.0.0.0';
  const headMilliseconds = options.headMilliseconds ?? HEAD_MILLISECONDS;
  const guard = new ConnectionGuard(server, headMilliseconds);
  const { plain, slowMilliseconds, answerBoot, behindNginx } = options;
  guard.endStuck(server, slowMilliseconds ?? SLOW_MILLISECONDS);
  const settings = {
    imagesDir,
    ...(plain === undefined ? {} : { plain }),
    ...(behindNginx === undefined ? {} : { accel: behindNginx.images }),
    ...(slowMilliseconds === undefined ? {} : { slowMilliseconds }),
  };
  const child = new StreamChild(compiledEntry('images/stream-process.js'), settings, hear, bootFile, log);
  const unsorted = new Set<Socket>();
  // As http.Server has it for its own connections.
  const listener = createServer({ allowHalfOpen: true, noDelay: true }, sort);
  let port = options.port;
  const first: FirstRequestsDeps = {
    headMilliseconds,
    answerBoot,
    requesterOf: (socket, client) => requesterOf((behindNginx === undefined ? socket.remoteAddress : client) ?? ''),
    take(side, socket, bytes) {
      if (side === 'images') handOver(socket, bytes, (taken, rest) => child.handOver(taken, rest));
      else if (side === 'uploads') handOver(socket, bytes, options.takeUpload);
      else {
        socket.unshift(bytes);
        server.emit('connection', socket);
        socket.resume();
      }
    },
    failed: (error, path) => log.error({ error, path }, 'a boot script could not be sent'),
  };

  function sort(socket: Socket): void {
    // A client that resets its connection has no address any more, and could be taken for nginx, which says who asks. Asked here,
    // Node remembers it.
    if (behindNginx === undefined && socket.remoteAddress === undefined) {
      socket.destroy();
      return;
    }
    unsorted.add(socket);
    readFirstRequests(socket, first, () => unsorted.delete(socket));
  }

  function handOver(socket: Socket, bytes: Buffer, to: TakeConnection): void {
    if (stopReading(socket)) {
      to(socket, bytes);
      return;
    }
    log.error({ node: process.version }, 'this version of Node cannot hand connections over: images cannot be sent');
    socket.destroy();
  }

  function hear(report: StreamReport): void {
    const { name, phase, bytes, total, milliseconds, reason, status, token } = report;
    if (phase === 'started' && token !== undefined) behindNginx?.outcomes.began(token, report);
    if (phase === 'sent' || phase === 'failed') {
      const data = { address: report.address, name, status, bytes, total, milliseconds, ...(reason ? { reason } : {}) };
      log.info(data, phase === 'sent' ? 'image sent' : 'image download failed');
    }
    const requester = requesterOf(report.address);
    if (requester === undefined) return;
    options.onTransfer({
      requester,
      name,
      phase,
      bytes,
      total,
      milliseconds,
      ...(reason === undefined ? {} : { reason }),
    });
  }

  async function bootFile({ target, address }: BootQuestion): Promise<BootAnswer> {
    const requester = requesterOf(address);
    const path = bootPathOfTarget(target);
    if (requester === undefined || path === undefined) return { kind: 'none', status: 404, reason: 'no such file' };
    return await answerBoot(path, requester);
  }

  return {
    async start() {
      await child.start();
      try {
        if (behindNginx !== undefined) rmSync(behindNginx.path, { force: true });
        await listen(address, options.port);
        listener.on('error', (error) => log.error({ error }, 'HTTP listener'));
      } catch (error) {
        await child.close();
        throw error;
      }
      if (behindNginx === undefined) port = (listener.address() as AddressInfo).port;
    },
    async close() {
      const closed = new Promise<void>((resolve) => listener.close(() => resolve()));
      for (const socket of unsorted) socket.destroy();
      await child.close();
      guard.closeIdle();
      const impatient = setTimeout(() => guard.closeAll(), CLOSE_PATIENCE);
      await closed;
      clearTimeout(impatient);
    },
    hear,
    get port() {
      return port;
    },
    get childPid() {
      return child.pid;
    },
  };

  function listen(host: string, wanted: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const fail = (error: NodeJS.ErrnoException): void => reject(listenProblem(error, host, wanted, 'http'));
      listener.once('error', fail);
      const target = behindNginx === undefined ? { host, port: wanted } : { path: behindNginx.path };
      listener.listen({ ...target, backlog: BACKLOG }, () => {
        listener.off('error', fail);
        resolve();
      });
    });
  }
}

/** Undefined for a connection that was reset already: it has no other end any more, and so no machine. */
function requesterOf(remote: string): Requester | undefined {
  const address = remote.replace(/^::ffff:/, '');
  return isIPv4(address) ? { protocol: 'http', address: parseIpv4(address) } : undefined;
}
