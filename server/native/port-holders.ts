import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { type Ipv4, ipv4FromOctets } from '../domain/ipv4.js';

/** A socket of this network namespace, from /proc/net. */
interface OpenSocket {
  readonly port: number;
  /** Absent for IPv6. */
  readonly address?: Ipv4;
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
      const [address = '', portHex = ''] = local.split(':');
      const port = Number.parseInt(portHex, 16);
      const inode = fields[9];
      if (Number.isNaN(port) || inode === undefined || state !== WAITING[protocol]) return [];
      return [{ port, inode, ...(address.length === 8 ? { address: ipv4Of(address) } : {}) }];
    });
}

/** As the kernel prints it: in the order of this computer's bytes, which is little-endian wherever Node runs. */
function ipv4Of(hex: string): Ipv4 {
  return ipv4FromOctets([6, 4, 2, 0].map((at) => Number.parseInt(hex.slice(at, at + 2), 16)));
}

export interface Holder {
  readonly pid: number;
  readonly command: string;
}

/** Who has a port: the processes we may see (all of them as root); `undefined` = the port is free. */
export function holdersOf(protocol: 'tcp' | 'udp', port: number): readonly Holder[] | undefined {
  const sockets = socketsAt(protocol, port);
  if (sockets.length === 0) return undefined;
  const links = new Set(sockets.map(({ inode }) => `socket:[${inode}]`));
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .filter((pid) => openLinks(pid).some((link) => links.has(link)))
    .map((pid) => ({ pid: Number(pid), command: readIfThere(`/proc/${pid}/cmdline`).replaceAll('\0', ' ').trim() }));
}

/** The IPv4 addresses at which other processes of this network namespace have a port. */
export function othersAddresses(protocol: 'tcp' | 'udp', port: number): readonly Ipv4[] {
  const own = new Set(openLinks(String(process.pid)));
  return socketsAt(protocol, port).flatMap(({ address, inode }) =>
    address === undefined || own.has(`socket:[${inode}]`) ? [] : [address],
  );
}

function socketsAt(protocol: 'tcp' | 'udp', port: number): readonly OpenSocket[] {
  const tables = [`/proc/net/${protocol}`, `/proc/net/${protocol}6`].map((path) => readIfThere(path));
  return tables.flatMap((text) => readSockets(text, protocol)).filter((socket) => socket.port === port);
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
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    if (['ENOENT', 'ESRCH', 'EACCES', 'EPERM'].includes(code)) return otherwise;
    throw error;
  }
}
