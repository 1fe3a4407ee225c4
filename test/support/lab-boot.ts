import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createConnection } from 'node:net';
import { promisify } from 'node:util';
import { z } from 'zod';
import { eventSchema, machineSchema } from '../../server/cli/api-schema.js';
import { ApiClient } from '../../server/cli/client.js';
import { listAll } from '../../server/cli/paging.js';
import { chooseAccelerator } from '../../server/lab/accelerator.js';
import { consoleLog, consoleSocket, type Firmware, type VirtualMachine } from '../../server/lab/firmware.js';
import { Lab } from '../../server/lab/lab.js';
import { LAB_NETWORK } from '../../server/lab/network.js';
import { addressOf, labConfig, labMachines } from '../../server/lab/site.js';
import { lastLines } from '../../server/lab/tail.js';
import { compiledEntry } from '../../server/paths.js';

/** What the commands read, and what only tests look at. */
const labMachineSchema = machineSchema.extend({
  secureBoot: z.string().optional(),
  proxyStyle: z.string().optional(),
  proxyStyleProven: z.boolean().optional(),
  arch: z.number().optional(),
  inventory: z.record(z.string(), z.string()).optional(),
});
export type LabMachine = z.output<typeof labMachineSchema>;

const labEventSchema = eventSchema.extend({ data: z.record(z.string(), z.unknown()) });
export type LabEvent = z.output<typeof labEventSchema>;

const leaseSchema = z.object({ address: z.string(), mac: z.string(), state: z.string() });

/** The real server and real firmware, for tests: what they ask of a booted lab, through the API only. */
export class BootLab {
  readonly lab: Lab;
  readonly namespace: string;
  #api: ApiClient | undefined;
  readonly #folder: string;

  private constructor(lab: Lab, namespace: string, folder: string) {
    this.lab = lab;
    this.namespace = namespace;
    this.#folder = folder;
  }

  /** A lab of its own name with a running server. `more`: other keys of its configuration; `edit` has the last word on it. */
  static async open(
    name: string,
    unknownMachines = 'localdisk',
    addresses?: { readonly cidr: string; readonly pool: string },
    mode: 'full' | 'proxy' = 'full',
    more = '',
    edit: (config: string) => string = (config) => config,
  ): Promise<BootLab> {
    const folder = mkdtempSync('/tmp/la-');
    const namespace = `la-${name}`;
    const lab = Lab.open({
      namespace,
      folder: `${folder}/lab`,
      program: compiledEntry('cli/anybios.js'),
      accelerator: chooseAccelerator(process.env.LAB_ACCEL ?? 'auto'),
      config: edit(labConfig(unknownMachines, addresses).replace('mode: full', `mode: ${mode}`) + more),
    });
    const boot = new BootLab(lab, namespace, folder);
    try {
      await lab.startServer();
    } catch (error) {
      await boot.close();
      throw error;
    }
    return boot;
  }

  get api(): ApiClient {
    this.#api ??= new ApiClient({
      shown: `unix:${this.lab.folder.apiSocket}`,
      url: new URL('http://lab'),
      socketPath: this.lab.folder.apiSocket,
      token: this.lab.adminToken(),
    });
    return this.#api;
  }

  /** Answers what it does to machines that run. */
  async apply(site: string, dryRun = false): Promise<unknown> {
    const answer = await this.api.request('POST', '/apply', { yaml: site, query: { dryRun: dryRun || undefined } });
    return z.object({ machines: z.array(z.unknown()) }).parse(answer).machines;
  }

  /** Machine number `number` of this lab, switched on. */
  powerOn(number: number, firmware: Firmware, extra: readonly string[] = [], memoryMiB?: number): VirtualMachine {
    const machine = this.machine(number, firmware, memoryMiB);
    this.lab.startMachine(machine, extra);
    return machine;
  }

  machine(number: number, firmware: Firmware, memoryMiB?: number): VirtualMachine {
    const machine = labMachines(number, [firmware], this.lab.folder.machines, memoryMiB)[number - 1];
    if (machine === undefined) throw new Error(`no machine ${number}`);
    return machine;
  }

  async powerOff(machine: VirtualMachine): Promise<void> {
    await this.lab.stopMachine(machine.name);
  }

  async status(name: string): Promise<LabMachine> {
    return labMachineSchema.parse(await this.api.get(`/machines/${encodeURIComponent(name)}`));
  }

  /** Asks for the machine until `fits`; a failed boot, an ended QEMU or the time limit throws with the console's last lines. */
  async until(
    machine: VirtualMachine,
    what: string,
    fits: (status: LabMachine) => boolean,
    options: { readonly seconds?: number; readonly name?: string; readonly mayFail?: boolean } = {},
  ): Promise<LabMachine> {
    const end = Date.now() + (options.seconds ?? 240) * 1000;
    let last: LabMachine | undefined;
    for (;;) {
      last = await this.status(options.name ?? machine.name).catch((error: unknown) => {
        // Not discovered yet, or the server is being restarted by the test.
        if (Date.now() > end) throw error;
        return last;
      });
      if (last !== undefined && fits(last)) return last;
      const ended = this.lab.machineEnded(machine.name);
      const failed = last?.boot?.outcome === 'failed' && options.mayFail !== true;
      if (failed || ended !== undefined || Date.now() > end) {
        const why = failed ? 'its boot failed' : (ended ?? 'the time is over');
        throw new Error(`${machine.name}: waiting for ${what}: ${why}\n${this.#state(machine, last)}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 250));
    }
  }

  /** Until its systems run. */
  up(machine: VirtualMachine, seconds = 240): Promise<LabMachine> {
    return this.until(machine, 'all systems running', (status) => status.boot?.outcome === 'succeeded', { seconds });
  }

  /** Until it is what it shall be: nothing differs, nothing is on its way. */
  asDesired(machine: VirtualMachine, what: string, seconds = 240): Promise<LabMachine> {
    return this.until(
      machine,
      what,
      ({ drift, changing, status, systems }) =>
        status === 'up' && drift.length === 0 && !changing && systems.every(({ state }) => state === 'running'),
      { seconds },
    );
  }

  async events(query: Readonly<Record<string, string>> = {}): Promise<readonly LabEvent[]> {
    return (await listAll(this.api, '/events', labEventSchema, { query })).rows;
  }

  /** Active leases as the API shows them: address and MAC. */
  async leases(): Promise<ReadonlyMap<string, string>> {
    const { rows } = await listAll(this.api, '/leases', leaseSchema);
    return new Map(rows.filter((lease) => lease.state === 'active').map((lease) => [lease.address, lease.mac]));
  }

  /** Runs a program in the lab's network; resolves to what it says. (Not synchronous: a packet filter runs in this process.) */
  async inside(program: string, ...args: string[]): Promise<string> {
    const { stdout } = await promisify(execFile)('ip', ['netns', 'exec', this.namespace, program, ...args]);
    return stdout;
  }

  /** Takes the machine's cable out; it runs on. */
  async cutOff(machine: VirtualMachine): Promise<void> {
    await this.inside('ip', 'link', 'set', machine.tap, 'nomaster');
  }

  async reconnect(machine: VirtualMachine): Promise<void> {
    await this.inside('ip', 'link', 'set', machine.tap, 'master', LAB_NETWORK.bridge);
  }

  /** What the machine's web server answers. */
  web(number: number): Promise<string> {
    return this.inside('curl', '-sS', '--fail', '--max-time', '10', `http://${addressOf(number)}/`);
  }

  /** What the machine's store answers. */
  records(number: number): Promise<string> {
    return this.inside('sh', '-c', `busybox nc ${addressOf(number)} 5432 </dev/null`);
  }

  console(machine: VirtualMachine): string {
    return readFileSync(consoleLog(machine), 'latin1');
  }

  /** Types a line on the machine's serial port and waits for what `pattern` finds in the console written after that. */
  async type(machine: VirtualMachine, line: string, pattern: RegExp, seconds = 20): Promise<RegExpExecArray> {
    const before = this.console(machine).length;
    const keyboard = createConnection(consoleSocket(machine));
    try {
      await new Promise((resolve, reject) => keyboard.once('connect', resolve).once('error', reject));
      // What the machine writes must be taken, or QEMU waits with it.
      keyboard.resume().write(`${line}\n`);
      const end = Date.now() + seconds * 1000;
      for (;;) {
        const found = pattern.exec(this.console(machine).slice(before));
        if (found !== null) return found;
        if (Date.now() > end) {
          throw new Error(
            `${machine.name}: "${line}" was not answered\n${lastLines(consoleLog(machine), 25).join('\n')}`,
          );
        }
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    } finally {
      keyboard.destroy();
    }
  }

  async close(): Promise<void> {
    await this.lab.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #state(machine: VirtualMachine, status: LabMachine | undefined): string {
    return [
      JSON.stringify(status, null, 1),
      '--- console',
      ...lastLines(consoleLog(machine), 25),
      '--- server',
      ...lastLines(this.lab.folder.serverLog, 15),
    ].join('\n');
  }
}
