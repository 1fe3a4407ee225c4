import { setTimeout as delay } from 'node:timers/promises';
import { consoleLog, type VirtualMachine } from '../lab/firmware.js';
import type { Lab } from '../lab/lab.js';
import { lastLines } from '../lab/tail.js';
import { isUp, reasonOf, verdictOf } from '../lab/verdict.js';
import { liveMachineOf, type MachineAnswer, machineSchema } from './api-schema.js';
import type { Cli } from './cli.js';
import type { ApiClient } from './client.js';
import { EXIT, Unreachable } from './failure.js';
import { type LiveMachine, liveLines } from './live-view.js';
import { listAll } from './paging.js';
import { LiveScreen } from './terminal/live-screen.js';

export interface LabWatch {
  readonly lab: Lab;
  readonly api: ApiClient;
  readonly machines: readonly VirtualMachine[];
  /** Machines that boot at the same time. */
  readonly atOnce: number;
  readonly signal: AbortSignal;
  /** Set: end with a verdict, after this time at the latest. Not set: until the signal. */
  readonly timeLimitSeconds?: number;
}

const POLL_MS = 250;
const CONSOLE_LINES = 15;

/**
 * Powers the machines on, shows their boots, and with a time limit sets the exit code: 0 when all systems run, else 1 with
 * the diagnosis and the machine's last words.
 */
export async function watchLab(cli: Cli, watch: LabWatch): Promise<void> {
  const { lab, machines, signal, timeLimitSeconds } = watch;
  const names = machines.map((machine) => machine.name);
  const waiting = [...machines];
  const show = cli.io.stdout.isTTY === true && !cli.json ? drawer(cli) : printer(cli);
  const start = Date.now();
  let answers: readonly MachineAnswer[] = [];
  while (!signal.aborted) {
    answers = await readMachines(watch, answers);
    const started = machines.slice(0, machines.length - waiting.length);
    const booting = started.filter(({ name }) => !isUp(answers.find((answer) => answer.name === name)));
    for (const machine of waiting.splice(0, Math.max(0, watch.atOnce - booting.length))) lab.startMachine(machine);
    show(answers.filter(({ name }) => names.includes(name)).map(liveMachineOf));
    if (timeLimitSeconds !== undefined) {
      const off = new Set(waiting.map(({ name }) => name));
      const verdict = verdictOf(names, answers, (name) => (off.has(name) ? undefined : lab.machineEnded(name)));
      if (verdict.kind === 'up') {
        const seconds = ((Date.now() - start) / 1000).toFixed(0);
        if (cli.json) cli.printJson({ outcome: 'up', seconds: Number(seconds), machines: answers });
        else cli.note(`all systems of ${names.length} machine${names.length === 1 ? '' : 's'} run, after ${seconds} s`);
        return;
      }
      if (verdict.kind === 'failed') return fail(cli, watch, [verdict]);
      if (Date.now() - start > timeLimitSeconds * 1000) {
        const late = verdict.waitingFor.map((machine) => ({
          machine,
          ...reasonOf(answers.find(({ name }) => name === machine)),
        }));
        cli.note(`the time limit of ${timeLimitSeconds} s is over`);
        return fail(cli, watch, late);
      }
    }
    // Rejects when the signal comes: then there is nothing more to wait for.
    await delay(POLL_MS, undefined, { signal }).catch(() => undefined);
  }
  if (timeLimitSeconds !== undefined) cli.exitCode = EXIT.failed;
}

interface LabFailure {
  readonly machine: string;
  readonly reason: string;
  readonly remedy?: string;
}

function fail(cli: Cli, watch: LabWatch, failures: readonly LabFailure[]): void {
  cli.exitCode = EXIT.failed;
  if (cli.json) cli.printJson({ outcome: 'failed', failures });
  for (const { machine: name, reason, remedy } of failures) {
    cli.note(`${name}  ${reason}${remedy === undefined ? '' : ` — remedy: ${remedy}`}`);
    const machine = watch.machines.find((one) => one.name === name);
    if (machine === undefined) continue;
    cli.note(`${name}  last lines of its console (${consoleLog(machine)}):`);
    for (const line of lastLines(consoleLog(machine), CONSOLE_LINES)) cli.note(`  | ${line}`);
  }
}

/** A server that is gone for good ends the lab; one that does not answer for a moment shows what was known before. */
async function readMachines(watch: LabWatch, before: readonly MachineAnswer[]): Promise<readonly MachineAnswer[]> {
  try {
    return (await listAll(watch.api, '/machines', machineSchema)).rows;
  } catch (error) {
    watch.lab.checkServer();
    if (error instanceof Unreachable) return before;
    throw error;
  }
}

type Show = (machines: readonly LiveMachine[]) => void;

function drawer(cli: Cli): Show {
  const screen = new LiveScreen(cli.io.stdout);
  return (machines) => screen.draw(liveLines(machines, Date.now(), screen.width, cli.style));
}

/** Without a terminal: one line for each step of each machine, so that a log reads as a story. */
function printer(cli: Cli): Show {
  const last = new Map<string, string>();
  return (machines) => {
    for (const machine of machines) {
      const systems = machine.systems.map(({ name, state }) => `${name} ${state}`).join(', ');
      const step = `${machine.boot?.stage ?? machine.status} ${machine.boot?.outcome ?? ''} ${systems}`;
      if (last.get(machine.name) === step) continue;
      last.set(machine.name, step);
      const [line] = liveLines([machine], Date.now(), 160);
      if (line !== undefined) cli.say(line);
    }
  };
}
