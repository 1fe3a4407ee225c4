import { createSocket } from 'node:dgram';
import { chmodSync, chownSync, mkdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { listenProblem } from '../domain/listen-problem.js';
import { type NginxLog, NginxProcess } from './nginx-process.js';
import { nginxUser } from './nginx-user.js';

/** What stands between the network and the front when nginx sends the images (ADR 7). */
export interface DataPlane {
  start(): Promise<void>;
  close(): Promise<void>;
}

export interface DataPlaneOptions {
  readonly kind: 'nginx' | 'accel';
  readonly dataDir: string;
  readonly port: number;
  readonly log: NginxLog;
  readonly onLine: (line: string) => void;
  readonly onLost: (reason: string) => void;
}

/** The socket that nginx alone can open: who connects there is believed about the address of the client. */
export function proxySocket(dataDir: string): string {
  return join(dataDir, 'nginx', 'proxy.sock');
}

/** Beside it, of the process that streams images: requests for images need not pass the main process. */
export function imageSocket(dataDir: string): string {
  return join(dataDir, 'nginx', 'images.sock');
}

/** What the kernel lets a process of ours have: nginx may not ask for more. Two for each download, and 16,384 connections. */
function descriptorLimit(): number {
  const hard = /^Max open files\s+\d+\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1];
  return Math.min(65_536, Number(hard ?? 65_536));
}

/** Makes the folder of the socket. Root's nginx serves as another user, who may pass through dataDir but not look into it. */
export function prepareProxyFolder(dataDir: string): void {
  const folder = dirname(proxySocket(dataDir));
  mkdirSync(folder, { recursive: true });
  const user = nginxUser();
  if (user === undefined) {
    chmodSync(folder, 0o750);
    return;
  }
  chmodSync(dataDir, 0o711);
  chmodSync(folder, 0o700);
  chownSync(folder, user.uid, user.gid);
}

/** Our own nginx, or the ear for the log of a site's own one (UDP on 127.0.0.1, the port of listen.http). */
export function createDataPlane({ kind, dataDir, port, log, onLine, onLost }: DataPlaneOptions): DataPlane {
  if (kind === 'nginx') {
    const user = nginxUser();
    return new NginxProcess({
      dir: dirname(proxySocket(dataDir)),
      socket: proxySocket(dataDir),
      imageSocket: imageSocket(dataDir),
      imagesDir: join(dataDir, 'images'),
      port,
      files: descriptorLimit(),
      ...(user === undefined ? {} : { user: user.name }),
      log,
      onLine,
      onLost,
    });
  }
  const ear = createSocket('udp4', (message) => onLine(message.toString('latin1')));
  return {
    start: () =>
      new Promise((resolve, reject) => {
        const fail = (error: Error): void => reject(listenProblem(error, '127.0.0.1', port, 'http'));
        ear.once('error', fail);
        ear.bind(port, '127.0.0.1', () => {
          ear.off('error', fail);
          ear.on('error', (error) => log.error({ error }, 'the log of nginx'));
          resolve();
        });
      }),
    close: () => new Promise((resolve) => ear.close(() => resolve())),
  };
}
