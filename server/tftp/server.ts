import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import type { BootFile, FileBoot, Requester } from '../boot/contract.js';
import { TRANSFER_TIMING, type TransferTiming } from '../decide/tftp-transfer.js';
import { parseIpv4 } from '../domain/ipv4.js';
import { listenProblem } from '../domain/listen-problem.js';
import { compiledEntry } from '../paths.js';
import {
  decodeTftp,
  encodeTftp,
  TFTP_ERROR,
  type TftpErrorCode,
  type TftpOption,
  type TftpPacket,
  type TftpRequest,
} from '../wire/tftp/packet.js';
import { WireError } from '../wire/wire-error.js';
import { TFTP_CODE_OF } from './errors.js';
import type { FromWorker, TransferJob, TransferSource } from './messages.js';
import { TransferThread } from './transfer-thread.js';

/** A pino logger fits. */
export interface TftpLog {
  info(data: object, message: string): void;
  warn(data: object, message: string): void;
  error(data: object, message: string): void;
}

export interface TftpServerOptions {
  /** IPv4 address to listen on and to send from. */
  readonly address: string;
  /** 69; 0 = any free one. */
  readonly port: number;
  readonly boot: FileBoot;
  readonly log: TftpLog;
  readonly timing?: Partial<TransferTiming>;
}

export interface TftpServer {
  /** Resolves when requests are answered. Rejects with a remedy when the port is taken or not allowed. */
  start(): Promise<void>;
  /** Ends running transfers, telling their clients. */
  close(): Promise<void>;
  /** The port in use, after start. */
  readonly port: number;
}

/** Everything at once: more than this and requests are refused with an ERROR. */
const TRANSFERS_LIMIT = 4096;
const ERROR_TEXT_LIMIT = 160;

interface Active {
  readonly id: number;
  readonly key: string;
  readonly peer: RemoteInfo;
  readonly requester: Requester;
  /** What was asked, to know a repeated request. */
  readonly question: string;
  name: string;
}

/**
 * Read-only TFTP: RFC 1350 with options (RFC 2347, 2348, 2349, 7440), modes octet and netascii. A request goes four steps: parse,
 * resolve the name, open, send. The last two happen in a thread of their own (tftp/worker.ts), each transfer from a port of its own.
 */
export function createTftpServer(options: TftpServerOptions): TftpServer {
  const { boot, log, address } = options;
  const timing = { ...TRANSFER_TIMING, ...options.timing };
  /** One per port of a client: by `ADDRESS:PORT`, and by id. */
  const byPeer = new Map<string, Active>();
  const byId = new Map<number, Active>();
  let socket: Socket | undefined;
  let port = options.port;
  let nextId = 1;
  let quietUntil = 0;
  let untold = 0;

  const thread = new TransferThread(
    compiledEntry('tftp/worker.js'),
    { address, timing },
    { message: hear, lost: failAll },
    log,
  );

  function receive(bytes: Uint8Array, peer: RemoteInfo): void {
    let packet: TftpPacket;
    try {
      packet = decodeTftp(bytes);
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      complain({ peer: keyOf(peer), reason: error.message }, 'malformed TFTP packet ignored');
      boot.refused(requesterOf(peer), '', `malformed packet: ${error.message}`);
      // To a request its sender hears why. Anything else may itself be an answer to a packet that was never ours.
      const isRequest = bytes[0] === 0 && (bytes[1] === 1 || bytes[1] === 2);
      if (isRequest) sendError(peer, TFTP_ERROR.illegalOperation, error.message);
      return;
    }
    switch (packet.kind) {
      case 'rrq':
        answer(packet, peer);
        return;
      case 'wrq':
        complain({ peer: keyOf(peer), name: packet.name }, 'TFTP upload refused');
        boot.refused(requesterOf(peer), packet.name, 'this server is read-only');
        sendError(peer, TFTP_ERROR.accessViolation, 'this server is read-only');
        return;
      case 'error':
        // Never answered: two servers would talk to each other for ever.
        return;
      case 'data':
      case 'ack':
      case 'oack':
        sendError(peer, TFTP_ERROR.unknownTransferId, 'no transfer runs on this port: send a read request');
    }
  }

  function answer(request: TftpRequest, peer: RemoteInfo): void {
    const mode = request.mode.toLowerCase();
    if (mode !== 'octet' && mode !== 'netascii') {
      sendError(peer, TFTP_ERROR.illegalOperation, `mode "${mode.slice(0, 20)}" is not known: use octet`);
      return;
    }
    const active = begin(request, peer);
    if (active === undefined) return;
    boot.resolve(request.name, active.requester).then(
      (file) => send(active, file, mode, request.options),
      (error: unknown) => {
        log.error({ error, name: request.name }, 'TFTP request could not be answered');
        refuse(active, TFTP_ERROR.notDefined, 'internal error of the server');
      },
    );
  }

  function send(active: Active, file: BootFile, mode: TransferJob['mode'], asked: readonly TftpOption[]): void {
    // The client may have asked for something else while the name was resolved.
    if (byPeer.get(active.key) !== active) return;
    active.name = file.name;
    if (file.kind === 'none') {
      finish(active);
      sendError(active.peer, TFTP_CODE_OF[file.code], file.reason);
      return;
    }
    // A copy: the body may be part of a larger buffer, which would go to the other thread as a whole.
    const source: TransferSource =
      file.kind === 'file' ? { kind: 'file', path: file.path } : { kind: 'bytes', bytes: Uint8Array.from(file.body) };
    const { address: from, port: fromPort } = active.peer;
    const job: TransferJob = { id: active.id, peer: { address: from, port: fromPort }, mode, options: asked, source };
    if (!thread.send({ kind: 'start', job })) {
      refuse(active, TFTP_ERROR.notDefined, 'transfers are being restarted: ask again');
    }
  }

  /** Undefined = the request needs no answer of its own, or was refused. */
  function begin(request: TftpRequest, peer: RemoteInfo): Active | undefined {
    const key = keyOf(peer);
    const question = JSON.stringify([request.name, request.mode, request.options]);
    const running = byPeer.get(key);
    if (running?.question === question) {
      // Our answer was slow or got lost; the transfer that runs will repeat it.
      thread.send({ kind: 'repeated', id: running.id });
      return undefined;
    }
    if (running !== undefined) {
      thread.send({ kind: 'drop', id: running.id, reason: 'the client asked for something else from the same port' });
      report(running, 'failed', 0, 0, 0, 'the client asked for something else from the same port');
      finish(running);
    }
    if (byPeer.size >= TRANSFERS_LIMIT) {
      complain({ limit: TRANSFERS_LIMIT }, 'TFTP request refused: too many transfers at once');
      sendError(peer, TFTP_ERROR.notDefined, `${TRANSFERS_LIMIT} transfers are running: try again`);
      return undefined;
    }
    const requester = requesterOf(peer);
    const active: Active = { id: nextId++, key, peer, requester, question, name: request.name };
    byPeer.set(key, active);
    byId.set(active.id, active);
    return active;
  }

  /** At most one line a second: what anybody can send by the thousand must not fill the disk. */
  function complain(data: object, message: string): void {
    const now = performance.now();
    if (now < quietUntil) {
      untold += 1;
      return;
    }
    log.warn(untold === 0 ? data : { ...data, untold }, message);
    quietUntil = now + 1000;
    untold = 0;
  }

  function hear(message: Exclude<FromWorker, { kind: 'ready' }>): void {
    const active = byId.get(message.id);
    // Dropped meanwhile.
    if (active === undefined) return;
    if (message.kind === 'refused') {
      refuse(active, message.code, message.reason);
      return;
    }
    const { phase, bytes, total, milliseconds, reason } = message;
    if (phase !== 'started' && phase !== 'progress') {
      finish(active);
      const data = { peer: active.key, name: active.name, bytes, total, milliseconds, ...(reason ? { reason } : {}) };
      if (phase === 'failed') log.warn(data, 'TFTP transfer failed');
      else log.info(data, phase === 'sent' ? 'TFTP file sent' : 'TFTP size asked');
    }
    report(active, phase, bytes, total, milliseconds, reason);
  }

  function refuse(active: Active, code: TftpErrorCode, reason: string): void {
    finish(active);
    log.warn({ peer: active.key, name: active.name, reason }, 'TFTP transfer refused');
    sendError(active.peer, code, reason);
    report(active, 'failed', 0, 0, 0, reason);
  }

  function report(
    active: Active,
    phase: 'started' | 'progress' | 'sent' | 'probed' | 'failed',
    bytes: number,
    total: number,
    milliseconds: number,
    reason: string | undefined,
  ): void {
    const { requester, name } = active;
    boot.transfer({ requester, name, phase, bytes, total, milliseconds, ...(reason === undefined ? {} : { reason }) });
  }

  function finish(active: Active): void {
    byId.delete(active.id);
    if (byPeer.get(active.key) === active) byPeer.delete(active.key);
  }

  function failAll(reason: string): void {
    for (const active of [...byId.values()]) {
      finish(active);
      report(active, 'failed', 0, 0, 0, reason);
    }
  }

  function sendError(peer: RemoteInfo, code: TftpErrorCode, message: string): void {
    // Boot ROMs show it on one line of the screen, and have a buffer of 512 bytes for it at best.
    const words = message.replaceAll('\0', ' ').slice(0, ERROR_TEXT_LIMIT);
    const packet = encodeTftp({ kind: 'error', code, message: words });
    socket?.send(packet, peer.port, peer.address, (error) => {
      if (error !== null) log.warn({ error, peer: keyOf(peer) }, 'TFTP error packet could not be sent');
    });
  }

  return {
    async start() {
      await thread.start();
      try {
        socket = await listen(address, options.port);
      } catch (error) {
        await thread.close('the server stops');
        throw error;
      }
      port = socket.address().port;
      socket.on('message', receive);
      socket.on('error', (error) => log.error({ error }, 'TFTP socket'));
    },
    async close() {
      socket?.close();
      socket = undefined;
      await thread.close('the server stops');
      failAll('the server stops');
    },
    get port() {
      return port;
    },
  };
}

const requesterOf = (peer: RemoteInfo): Requester => ({ protocol: 'tftp', address: parseIpv4(peer.address) });
const keyOf = (peer: RemoteInfo): string => `${peer.address}:${peer.port}`;

function listen(address: string, port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    // Addresses need no look-up. A boot storm comes in one burst: room for more requests than the usual 200 KiB, if the kernel lets us.
    const socket = createSocket({ type: 'udp4', lookup: (host, _options, done) => done(null, host, 4) });
    socket.once('error', (error: NodeJS.ErrnoException) => {
      socket.close();
      reject(listenProblem(error, address, port, 'tftp'));
    });
    socket.bind({ address, port, exclusive: true }, () => {
      socket.removeAllListeners('error');
      socket.setRecvBufferSize(4 << 20);
      resolve(socket);
    });
  });
}
