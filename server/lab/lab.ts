import type { ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { AnybiosError, unavailable } from '../domain/errors.js';
import type { Accelerator } from './accelerator.js';
import type { VirtualMachine } from './firmware.js';
import { type LabFolder, openLabFolder } from './lab-folder.js';
import { type LabRecord, MARK, writeLabRecord } from './lab-record.js';
import { addTap, checkNamespaceName, createNetwork } from './network.js';
import { proveProcess } from './process-proof.js';
import { spawnInside, startQemu } from './qemu-machine.js';
import { removeLab } from './remove-lab.js';
import { lastLines } from './tail.js';

export interface LabOptions {
  /** Name of the network namespace; two labs beside each other have two names. */
  readonly namespace: string;
  /** Absolute path; emptied. */
  readonly folder: string;
  /** The compiled `anybios` command. */
  readonly program: string;
  readonly accelerator: Accelerator;
  /** Text of anybios.yaml. */
  readonly config: string;
}

const READY_MS = 180_000;
const POLITE_END_MS = 8_000;

/**
 * The virtual lab: a network of its own, the real server in it, and diskless machines with real firmware. Everything it makes
 * is written down first and removed by `close`, at the end of the process whatever ends it, or by the next lab of its name.
 */
export class Lab {
  readonly folder: LabFolder;
  /** What was left of an earlier lab of this name and is now removed. */
  readonly removed: readonly string[];
  readonly #options: LabOptions;
  #record: LabRecord;
  readonly #onExit = (): void => {
    removeLab(this.#options.namespace);
  };
  readonly #machines = new Map<string, ChildProcess>();
  readonly #taps = new Set<string>();
  #server: ChildProcess | undefined;

  private constructor(options: LabOptions, folder: LabFolder, removed: readonly string[], record: LabRecord) {
    this.#options = options;
    this.folder = folder;
    this.removed = removed;
    this.#record = record;
    process.once('exit', this.#onExit);
  }

  /** Throws `unauthorized` without root, `conflict` when a lab of this name runs, `invalid` for a folder that is not a lab's. */
  static open(options: LabOptions): Lab {
    if (process.getuid?.() !== 0) {
      throw new AnybiosError('unauthorized', 'the lab needs root: it makes a network namespace', {
        remedy: 'run it as root, e.g. with sudo',
      });
    }
    checkNamespaceName(options.namespace);
    const removed = removeLab(options.namespace);
    const folder = openLabFolder(options.folder);
    writeFileSync(folder.config, options.config);
    const owner = proveProcess(process.pid);
    if (owner === undefined) throw unavailable('/proc is not mounted', { remedy: 'mount it' });
    const record: LabRecord = { namespace: options.namespace, mark: randomUUID(), owner, processes: [] };
    writeLabRecord(record);
    const lab = new Lab(options, folder, removed, record);
    try {
      lab.#keep({ namespaceInode: createNetwork(options.namespace) });
    } catch (error) {
      lab.#onExit();
      process.off('exit', lab.#onExit);
      throw error;
    }
    return lab;
  }

  /** Resolves when the server listens to all its ports; throws `unavailable` with its last words when it ends or stays silent. */
  async startServer(): Promise<void> {
    const { program } = this.#options;
    const server = this.startInside(
      process.execPath,
      [program, 'serve', '--flavour', 'cloud', '--config', this.folder.config],
      this.folder.serverLog,
    );
    this.#server = server;
    const end = Date.now() + READY_MS;
    while (!(await isReady(this.folder.apiSocket))) {
      this.checkServer();
      if (Date.now() > end) throw this.#serverFault('the server does not answer');
      await delay(50);
    }
  }

  /** Throws `unavailable` with the server's last words when it has ended. */
  checkServer(): void {
    if (this.#server !== undefined && hasEnded(this.#server)) throw this.#serverFault('the server ended');
  }

  get server(): ChildProcess | undefined {
    return this.#server;
  }

  /** Ends the server as an operator would (SIGTERM), or as a power cut would (SIGKILL). */
  async endServer(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    if (this.#server !== undefined) await endChild(this.#server, signal);
    this.#server = undefined;
  }

  /** Powers a machine on. `extra` goes to the end of QEMU's command line. */
  startMachine(machine: VirtualMachine, extra: readonly string[] = []): void {
    if (!this.#taps.has(machine.tap)) {
      addTap(this.#options.namespace, machine.tap);
      this.#taps.add(machine.tap);
    }
    const start = (program: string, args: readonly string[], output: string): ChildProcess =>
      this.startInside(program, args, output);
    this.#machines.set(machine.name, startQemu(machine, this.#options.accelerator, start, extra));
  }

  /** `undefined` while it is on; else how QEMU ended. */
  machineEnded(name: string): string | undefined {
    const child = this.#machines.get(name);
    if (child === undefined) return 'never started';
    return hasEnded(child) ? howItEnded(child) : undefined;
  }

  /** Takes the power away. */
  async stopMachine(name: string): Promise<void> {
    const child = this.#machines.get(name);
    if (child !== undefined) await endChild(child, 'SIGKILL');
    this.#machines.delete(name);
  }

  /** Starts any program in the lab's namespace; it ends with the lab. */
  startInside(program: string, args: readonly string[], output: string): ChildProcess {
    const { namespace } = this.#options;
    const child = spawnInside(namespace, { [MARK]: this.#record.mark }, program, args, output);
    // Without a listener a program that cannot be started would end this process.
    child.on('error', (error) => writeFileSync(output, `${error.message}\n`, { flag: 'a' }));
    const proof = child.pid === undefined ? undefined : proveProcess(child.pid);
    if (proof !== undefined) this.#keep({ processes: [...this.#record.processes, proof] });
    return child;
  }

  /** The token that the server wrote at its first start. */
  adminToken(): string {
    return readFileSync(`${this.folder.dataDir}/admin.token`, 'utf8').trim();
  }

  /** Ends everything, the server politely first, and removes what was made. Safe to call twice. */
  async close(): Promise<readonly string[]> {
    for (const name of [...this.#machines.keys()]) await this.stopMachine(name);
    await this.endServer('SIGTERM');
    process.off('exit', this.#onExit);
    return removeLab(this.#options.namespace);
  }

  #serverFault(what: string): AnybiosError {
    const how = this.#server !== undefined && hasEnded(this.#server) ? ` (${howItEnded(this.#server)})` : '';
    const words = lastLines(this.folder.serverLog, 5).join(' | ');
    return unavailable(`${what}${how}: ${words === '' ? 'it said nothing' : words}`, {
      remedy: `read ${this.folder.serverLog}`,
    });
  }

  #keep(part: Partial<LabRecord>): void {
    this.#record = { ...this.#record, ...part };
    writeLabRecord(this.#record);
  }
}

const hasEnded = (child: ChildProcess): boolean =>
  child.exitCode !== null || child.signalCode !== null || child.pid === undefined;
const howItEnded = (child: ChildProcess): string => child.signalCode ?? `exit code ${child.exitCode ?? 'unknown'}`;

async function endChild(child: ChildProcess, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
  if (hasEnded(child)) return;
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  child.kill(signal);
  const late = setTimeout(() => child.kill('SIGKILL'), POLITE_END_MS);
  await ended;
  clearTimeout(late);
}

/** True when the server behind this socket is ready: all of DHCP, TFTP and HTTP listen. */
function isReady(socketPath: string): Promise<boolean> {
  if (!existsSync(socketPath)) return Promise.resolve(false);
  return new Promise((resolve) => {
    const request = http.get({ socketPath, path: '/readyz', agent: false, timeout: 2_000 }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    // Not listening yet, or just ended: asked again until the time is over.
    request.on('error', () => resolve(false));
    request.on('timeout', () => request.destroy());
  });
}
