import type { Socket } from 'node:dgram';
import type { BootFile, FileBoot } from '../boot/contract.js';
import { refuseTransfer, slowestTransfer, TRANSFER_LIMITS, type TransferLimits } from '../decide/tftp-admission.js';
import { NEGOTIATION_LIMITS } from '../decide/tftp-negotiate.js';
import { TRANSFER_TIMING, type TransferTiming } from '../decide/tftp-transfer.js';
import { listenProblem } from '../domain/listen-problem.js';
import { compiledEntry } from '../paths.js';
import {
  decodeTftp,
  encodeTftp,
  TFTP_ERROR,
  type TftpErrorCode,
  type TftpPacket,
  type TftpRequest,
} from '../wire/tftp/packet.js';
import { WireError } from '../wire/wire-error.js';
import { type Active, ActiveTransfers } from './active-transfers.js';
import { type Client, clientOf, requesterOf } from './client.js';
import { TFTP_CODE_OF } from './errors.js';
import { ListenError } from './listen-error.js';
import { localAddresses } from './local-addresses.js';
import type { AboutTransfer, FromWorker, ReadyMessage, TransferJob, TransferSource } from './messages.js';
import { PathMemory } from './path-memory.js';
import { QuietLog, type TftpLog } from './quiet-log.js';
import { TransferThread } from './transfer-thread.js';
import { openUdp } from './udp-socket.js';

export interface TftpServerOptions {
  /** To listen on and to send from; `0.0.0.0` and `::` are all that this computer has when the server starts. */
  readonly addresses: readonly string[];
  /** 69; 0 = any free one. */
  readonly port: number;
  /** Transfers run on that port, too, instead of one of their own: for address translation and containers. */
  readonly singlePort?: boolean;
  /** `auto` (the default) = many datagrams in one system call where that works. */
  readonly transport?: 'auto' | 'dgram';
  /** The largest block that the client's subnet carries, bytes; undefined = no limit. */
  readonly blockSizeFor?: (address: string) => number | undefined;
  readonly limits?: Partial<TransferLimits>;
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
  /** How the packets of transfers travel, after start. */
  readonly transport: 'fast' | 'dgram';
  /** Requests that are being answered. */
  readonly running: number;
}

const ERROR_TEXT_LIMIT = 160;

/**
 * Read-only TFTP: RFC 1350 with options (RFC 2347, 2348, 2349, 7440), modes octet and netascii. A request goes four steps: parse,
 * resolve the name, open, send. The last two happen in threads of their own (tftp/worker.ts, tftp/file-reader.ts). More than 300 lines:
 * the steps of one request and what ends it share the table of transfers, and are read together.
 */
export function createTftpServer(options: TftpServerOptions): TftpServer {
  const { boot, log, singlePort = false } = options;
  const timing = { ...TRANSFER_TIMING, ...options.timing };
  const limits = { ...TRANSFER_LIMITS, ...options.limits };
  const addresses = localAddresses(options.addresses);
  const now = (): number => performance.now();
  const quiet = new QuietLog(log, now);
  const paths = new PathMemory(now);
  const transfers = new ActiveTransfers();
  /** By the address that they listen on; none with one port only. */
  const sockets = new Map<string, Socket>();
  let port = options.port;
  let ready: ReadyMessage | undefined;

  const thread = new TransferThread(
    compiledEntry('tftp/worker.js'),
    { addresses, timing, transport: options.transport ?? 'auto', ...(singlePort ? { singlePort: port } : {}) },
    { message: hear, lost: failAll },
    log,
  );

  function receive(bytes: Uint8Array, client: Client): void {
    let packet: TftpPacket;
    try {
      packet = decodeTftp(bytes);
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      quiet.warn({ peer: client.key, reason: error.message }, 'malformed TFTP packet ignored');
      boot.refused(requesterOf(client), '', `malformed packet: ${error.message}`);
      // To a request its sender hears why. Anything else may itself be an answer to a packet that was never ours.
      const isRequest = bytes[0] === 0 && (bytes[1] === 1 || bytes[1] === 2);
      if (isRequest) sendError(client, TFTP_ERROR.illegalOperation, error.message);
      return;
    }
    switch (packet.kind) {
      case 'rrq':
        answer(packet, client);
        return;
      case 'wrq':
        quiet.warn({ peer: client.key, name: packet.name }, 'TFTP upload refused');
        boot.refused(requesterOf(client), packet.name, 'this server is read-only');
        sendError(client, TFTP_ERROR.accessViolation, 'this server is read-only');
        return;
      case 'error':
        // Never answered: two servers would talk to each other for ever.
        return;
      case 'data':
      case 'ack':
      case 'oack':
        sendError(client, TFTP_ERROR.unknownTransferId, 'no transfer runs on this port: send a read request');
    }
  }

  function answer(request: TftpRequest, client: Client): void {
    const mode = request.mode.toLowerCase();
    if (mode !== 'octet' && mode !== 'netascii') {
      const reason = `mode "${mode.slice(0, 20)}" is not known: use octet`;
      boot.refused(requesterOf(client), request.name, reason);
      sendError(client, TFTP_ERROR.illegalOperation, reason);
      return;
    }
    const active = begin(request, client);
    if (active === undefined) return;
    Promise.resolve()
      .then(() => boot.resolve(request.name, active.requester))
      .then(
        (file) => send(active, file, mode, request),
        (error: unknown) => {
          log.error({ error, name: request.name }, 'TFTP request could not be answered');
          refuse(active, TFTP_ERROR.notDefined, 'internal error of the server');
        },
      );
  }

  function send(active: Active, file: BootFile, mode: TransferJob['mode'], request: TftpRequest): void {
    const { client } = active;
    // The client may have asked for something else while the name was resolved.
    if (transfers.of(client) !== active) return;
    active.name = file.name;
    if (file.kind === 'none') {
      transfers.end(active);
      sendError(client, TFTP_CODE_OF[file.code], file.reason);
      return;
    }
    // Not Buffer.from: that may be part of a larger buffer, which would go to the other thread as a whole.
    const source: TransferSource =
      file.kind === 'file'
        ? { kind: 'file', path: file.path }
        : { kind: 'bytes', bytes: new TextEncoder().encode(file.text) };
    const { address, port: from, local } = client;
    const job: TransferJob = {
      id: active.id,
      peer: { address, port: from },
      local,
      mode,
      options: request.options,
      limits: {
        ...NEGOTIATION_LIMITS,
        blockSize: Math.min(
          NEGOTIATION_LIMITS.blockSize,
          options.blockSizeFor?.(address) ?? Number.POSITIVE_INFINITY,
          paths.sizeFor(address) ?? Number.POSITIVE_INFINITY,
        ),
      },
      source,
    };
    if (!thread.send({ kind: 'start', job })) {
      refuse(active, TFTP_ERROR.notDefined, 'transfers are being restarted: ask again');
    }
  }

  /** Undefined = the request needs no answer of its own, or was refused. */
  function begin(request: TftpRequest, client: Client): Active | undefined {
    const question = JSON.stringify([request.name, request.mode, request.options]);
    const running = transfers.of(client);
    if (running?.question === question) {
      // Our answer was slow or got lost; the transfer that runs will repeat it.
      thread.send({ kind: 'repeated', id: running.id });
      return undefined;
    }
    if (running !== undefined) {
      thread.send({ kind: 'drop', id: running.id, reason: 'the client asked for something else from the same port' });
      report(running, 'failed', 0, 0, 0, 'the client asked for something else from the same port');
      transfers.end(running);
    }
    const requester = requesterOf(client);
    const refusal = refuseTransfer(transfers.loadOf(client), limits);
    if (refusal !== undefined && !makeRoom(client)) {
      quiet.warn({ peer: client.key, reason: refusal }, 'TFTP request refused');
      boot.refused(requester, request.name, refusal);
      sendError(client, TFTP_ERROR.notDefined, refusal);
      return undefined;
    }
    return transfers.begin(client, requester, question, request.name, now());
  }

  /** Ends a transfer that crawls, when all places are taken. */
  function makeRoom(client: Client): boolean {
    if (transfers.loadOf(client).ofAddress >= limits.perAddress) return false;
    const candidates = transfers.all().filter(({ ending }) => !ending);
    const slowest = slowestTransfer(
      candidates.map((active) => ({ active, bytes: active.bytes, seconds: (now() - active.startedAt) / 1000 })),
    );
    if (slowest === undefined) return false;
    slowest.active.ending = true;
    return thread.send({ kind: 'end', id: slowest.active.id, reason: 'too slow while others wait: try again' });
  }

  function hear(message: Exclude<FromWorker, { kind: 'ready' | 'unfit' }>): void {
    if (message.kind === 'packet') {
      receive(message.bytes, clientOf(message.peer, message.local));
      return;
    }
    const active = transfers.byId(message.id);
    // Absent: dropped meanwhile.
    if (active !== undefined) hearOf(active, message);
  }

  function hearOf(active: Active, message: AboutTransfer): void {
    const { client } = active;
    switch (message.kind) {
      case 'refused':
        refuse(active, message.code, message.reason);
        return;
      case 'path': {
        const { blockSize, fits } = message;
        const size = paths.learn(client.address, blockSize, fits);
        const words = fits
          ? 'TFTP blocks come through after all'
          : 'TFTP blocks do not come through: too large for the path?';
        log.warn({ peer: client.key, name: active.name, blockSize, nextTime: size }, words);
        return;
      }
      case 'report': {
        const { phase, bytes, total, milliseconds, reason } = message;
        active.bytes = bytes;
        if (phase !== 'started' && phase !== 'progress') {
          transfers.end(active);
          const data = {
            peer: client.key,
            name: active.name,
            bytes,
            total,
            milliseconds,
            ...(reason ? { reason } : {}),
          };
          if (phase === 'failed') quiet.warn(data, 'TFTP transfer failed');
          else log.info(data, phase === 'sent' ? 'TFTP file sent' : 'TFTP size asked');
        }
        report(active, phase, bytes, total, milliseconds, reason);
      }
    }
  }

  function refuse(active: Active, code: TftpErrorCode, reason: string): void {
    transfers.end(active);
    quiet.warn({ peer: active.client.key, name: active.name, reason }, 'TFTP transfer refused');
    sendError(active.client, code, reason);
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

  function failAll(reason: string): void {
    for (const active of transfers.all()) {
      transfers.end(active);
      report(active, 'failed', 0, 0, 0, reason);
    }
  }

  function sendError(client: Client, code: TftpErrorCode, message: string): void {
    // Boot ROMs show it on one line of the screen, and have a buffer of 512 bytes for it at best.
    const words = message.replaceAll('\0', ' ').slice(0, ERROR_TEXT_LIMIT);
    const bytes = encodeTftp({ kind: 'error', code, message: words });
    const { address, port: to, local } = client;
    if (singlePort) {
      thread.send({ kind: 'send', bytes, peer: { address, port: to }, local });
      return;
    }
    sockets.get(local)?.send(bytes, to, address, (error) => {
      if (error !== null) quiet.warn({ error, peer: client.key }, 'TFTP error packet could not be sent');
    });
  }

  async function listen(): Promise<void> {
    for (const address of addresses) {
      const socket = await openUdp(address, port).catch((error: Error) => {
        throw listenProblem(error, address, port, 'tftp');
      });
      sockets.set(address, socket);
      port = socket.address().port;
      socket.on('message', (bytes, peer) => receive(bytes, clientOf(peer, address)));
    }
  }

  async function close(): Promise<void> {
    for (const socket of sockets.values()) socket.close();
    sockets.clear();
    await thread.close('the server stops');
    failAll('the server stops');
  }

  return {
    async start() {
      try {
        ready = await thread.start();
        if (singlePort) port = ready.port;
        else await listen();
      } catch (error) {
        await close();
        throw error instanceof ListenError ? listenProblem(error, error.address, port, 'tftp') : error;
      }
      const { transport, note, port: transferPort } = ready;
      log.info(
        { addresses, port, transport, ...(transport === 'fast' ? { transferPort } : {}), ...(note ? { note } : {}) },
        'TFTP is listening',
      );
    },
    close,
    get port() {
      return port;
    },
    get running() {
      return transfers.size;
    },
    get transport() {
      return ready?.transport ?? 'dgram';
    },
  };
}
