import { mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BootFile, FileBoot, Requester, TransferReport } from '../../server/boot/contract.js';
import type { TransferLimits } from '../../server/decide/tftp-admission.js';
import type { TransferTiming } from '../../server/decide/tftp-transfer.js';
import { resolveInside } from '../../server/images/site-files.js';
import { createTftpServer, type TftpServer } from '../../server/tftp/server.js';

/** The two ways of packets; everything is tested over both. */
export const TRANSPORTS = ['dgram', 'fast'] as const;
export type Transport = (typeof TRANSPORTS)[number];

export interface RigOptions {
  readonly addresses?: readonly string[];
  readonly port?: number;
  readonly transport?: Transport;
  readonly singlePort?: boolean;
  readonly timing?: Partial<TransferTiming>;
  readonly limits?: Partial<TransferLimits>;
  readonly blockSizeFor?: (address: string) => number | undefined;
}

export interface TftpRig {
  readonly server: TftpServer;
  readonly folder: string;
  /** What the boot core was told, in order. */
  readonly reports: TransferReport[];
  readonly log: string[];
  /** What the shell itself refused, as `name: reason`. */
  readonly refusals: string[];
  /** Names that were resolved. */
  readonly asked: string[];
  /** Set: what `resolve` does before it answers. */
  onResolve: ((name: string) => Promise<void>) | undefined;
  /** Set: what happens after a file was found, before its transfer opens it. */
  beforeOpen: (() => Promise<void>) | undefined;
  put(name: string, bytes: Uint8Array | string): Promise<void>;
  /** Resolves when `count` transfers have ended. */
  ended(count: number): Promise<readonly TransferReport[]>;
  close(): Promise<void>;
}

/** A real TFTP server over a folder of its own; `text/NAME` is a text that says NAME, `throws` makes the name space fail. */
export async function tftpRig(options: RigOptions = {}): Promise<TftpRig> {
  const { transport = 'dgram', ...rest } = options;
  const folder = await realpath(await mkdtemp(join(tmpdir(), 'fi-tftp-')));
  const reports: TransferReport[] = [];
  const refusals: string[] = [];
  const log: string[] = [];
  const asked: string[] = [];
  const waiting: (() => void)[] = [];
  const isEnd = ({ phase }: TransferReport): boolean => phase !== 'started' && phase !== 'progress';

  const boot: FileBoot = {
    async resolve(raw: string, _requester: Requester): Promise<BootFile> {
      asked.push(raw);
      await rig.onResolve?.(raw);
      const name = raw.replaceAll('\\', '/').replace(/^\/+/, '');
      if (name === 'throws') throw new Error('a bug');
      if (name.startsWith('text/')) {
        return { kind: 'text', name, text: name.slice(5), contentType: 'text/plain' };
      }
      const found = await resolveInside(folder, name);
      if (found.kind === 'none') return { kind: 'none', name, code: 'not_found', reason: found.reason };
      await rig.beforeOpen?.();
      return { ...found, name, contentType: 'application/octet-stream' };
    },
    refused(_requester, name, reason) {
      refusals.push(`${name}: ${reason}`);
    },
    transfer(report) {
      reports.push(report);
      for (const wake of waiting.splice(0)) wake();
    },
  };
  const note = (data: object, message: string): void => {
    log.push(`${message} ${JSON.stringify(data)}`);
  };
  const server = createTftpServer({
    port: 0,
    addresses: ['127.0.0.1'],
    ...rest,
    transport: transport === 'fast' ? 'auto' : transport,
    boot,
    log: { info: note, warn: note, error: note },
  });
  const rig: TftpRig = {
    server,
    folder,
    reports,
    log,
    refusals,
    asked,
    onResolve: undefined,
    beforeOpen: undefined,
    put: (name, bytes) => writeFile(join(folder, name), bytes),
    async ended(count) {
      while (reports.filter(isEnd).length < count) await new Promise<void>((resolve) => waiting.push(resolve));
      return reports.filter(isEnd);
    },
    async close() {
      await server.close();
      await rm(folder, { recursive: true });
    },
  };
  await server.start();
  // The fast way falls back where it does not work; a test of it must not pass by that.
  if (server.transport !== transport) {
    await rig.close();
    throw new Error(`runs over ${server.transport}: ${log.join('\n')}`);
  }
  log.length = 0;
  return rig;
}
