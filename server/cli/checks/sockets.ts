import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { errnoOf } from '../files.js';

/** A socket of this network namespace, from /proc/net. */
export interface OpenSocket {
  readonly port: number;
  readonly inode: string;
}

/** TCP_LISTEN and, for UDP, TCP_CLOSE: a bound socket that is not connected (include/net/tcp_states.h). */
const WAITING = { tcp: '0A', udp: '07' } as const;

/** Sockets that wait for peers, out of the text of /proc/net/udp, udp6, tcp or tcp6 (proc(5)). */
function readSockets(text: string, protocol: 'tcp' | 'udp'): readonly OpenSocket[] {
  return text
    .split('\n')
    .slice(1)
    .flatMap((line) => {
      const fields = line.trim().split(/\s+/);
      const [, local = '', , state] = fields;
      const port = Number.parseInt(local.split(':')[1] ?? '', 16);
      const inode = fields[9];
      return Number.isNaN(port) || inode === undefined || state !== WAITING[protocol] ? [] : [{ port, inode }];
    });
}

export interface Holder {
  readonly pid: number;
  readonly command: string;
}

/** Who has a port: the processes we may see (all of them as root); `undefined` = the port is free. */
export function holdersOf(protocol: 'tcp' | 'udp', port: number): readonly Holder[] | undefined {
  const tables = [`/proc/net/${protocol}`, `/proc/net/${protocol}6`].map((path) => readIfThere(path));
  const sockets = tables.flatMap((text) => readSockets(text, protocol)).filter((socket) => socket.port === port);
  if (sockets.length === 0) return undefined;
  const links = new Set(sockets.map(({ inode }) => `socket:[${inode}]`));
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .filter((pid) => openLinks(pid).some((link) => links.has(link)))
    .map((pid) => ({ pid: Number(pid), command: readIfThere(`/proc/${pid}/cmdline`).replaceAll('\0', ' ').trim() }));
}

function openLinks(pid: string): readonly string[] {
  return unlessGone([], () => readdirSync(`/proc/${pid}/fd`)).map((fd) =>
    unlessGone('', () => readlinkSync(`/proc/${pid}/fd/${fd}`)),
  );
}

function readIfThere(path: string): string {
  return unlessGone('', () => readFileSync(path, 'utf8'));
}

/** Processes end while we look, and other users' are not ours to look into. */
function unlessGone<T>(otherwise: T, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (['ENOENT', 'ESRCH', 'EACCES', 'EPERM'].includes(errnoOf(error) ?? '')) return otherwise;
    throw error;
  }
}
