import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import koffi from 'koffi';

const CLONE_NEWNET = 0x40000000;
/** A client that hears no answer is ended after this, so that the test fails with what it printed. */
const RUN_LIMIT_MS = 30_000;

/** One bridge with the server on it, and clients in network namespaces of their own: a wire that nothing else shares. */
export class DhcpWire {
  readonly #prefix: string;
  readonly #children = new Set<ChildProcess>();
  readonly #namespaces: string[] = [];
  readonly server: string;
  readonly bridge = 'br0';

  /** `cidr`: address of the server on the bridge, e.g. `10.77.0.1/24`. Needs root. */
  constructor(name: string, cidr: string) {
    this.#prefix = `dh-${process.pid}-${name}`;
    this.server = this.addNamespace('server');
    ip(this.server, 'link', 'add', this.bridge, 'type', 'bridge', 'forward_delay', '0', 'mcast_snooping', '0');
    ip(this.server, 'addr', 'add', cidr, 'dev', this.bridge);
    ip(this.server, 'link', 'set', this.bridge, 'up');
  }

  /** A namespace whose `eth0` with this MAC is plugged into the bridge. Returns its name. */
  addClient(name: string, mac: string): string {
    const namespace = this.addNamespace(name);
    const port = `p-${name}`;
    ip(this.server, 'link', 'add', port, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', namespace);
    ip(namespace, 'link', 'set', 'eth0', 'address', mac, 'up');
    ip(this.server, 'link', 'set', port, 'master', this.bridge, 'up');
    return namespace;
  }

  /** A tap on the bridge for a virtual machine that runs in the server's namespace. */
  addTap(name: string): void {
    ip(this.server, 'tuntap', 'add', name, 'mode', 'tap');
    ip(this.server, 'link', 'set', name, 'master', this.bridge, 'up');
  }

  /** Starts a program inside a namespace; stopped by `remove` at the latest. */
  spawn(namespace: string, command: readonly string[]): ChildProcess {
    const child = spawn('ip', ['netns', 'exec', namespace, ...command], { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#children.add(child);
    child.once('exit', () => this.#children.delete(child));
    return child;
  }

  /** Runs a program inside a namespace to its end (30 s at most) and returns what it printed, errors included. */
  async run(namespace: string, command: readonly string[]): Promise<{ readonly code: number; readonly text: string }> {
    const child = this.spawn(namespace, command);
    let text = '';
    child.stdout?.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
    child.stderr?.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
    const limit = setTimeout(() => child.kill('SIGKILL'), RUN_LIMIT_MS);
    return await new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code) => {
        clearTimeout(limit);
        resolve({ code: code ?? -1, text });
      });
    });
  }

  /**
   * Runs the synchronous beginning of `open` inside a namespace. A socket belongs for ever to the namespace it was made in, so
   * the real server runs in this process and still hears the wire.
   */
  inside<T>(namespace: string, open: () => T): T {
    const setns: (fd: number, kind: number) => number = koffi.load(null).func('int setns(int fd, int kind)');
    const home = openSync('/proc/thread-self/ns/net', 'r');
    const there = openSync(`/run/netns/${namespace}`, 'r');
    const enter = (fd: number): void => {
      if (setns(fd, CLONE_NEWNET) !== 0) throw new Error(`setns for ${namespace}: errno ${koffi.errno()}`);
    };
    try {
      enter(there);
      return open();
    } finally {
      enter(home);
      closeSync(home);
      closeSync(there);
    }
  }

  remove(): void {
    for (const child of this.#children) child.kill('SIGKILL');
    for (const namespace of this.#namespaces) execFileSync('ip', ['netns', 'del', namespace]);
  }

  /** An empty namespace with this name; removed with the wire. */
  addNamespace(name: string): string {
    const namespace = `${this.#prefix}-${name}`;
    execFileSync('ip', ['netns', 'add', namespace]);
    this.#namespaces.push(namespace);
    ip(namespace, 'link', 'set', 'lo', 'up');
    return namespace;
  }
}

export function ip(namespace: string, ...args: string[]): string {
  return execFileSync('ip', ['-netns', namespace, ...args], { encoding: 'utf8' });
}
