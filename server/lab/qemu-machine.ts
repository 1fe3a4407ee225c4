import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, copyFileSync, openSync, rmSync } from 'node:fs';
import type { Accelerator } from './accelerator.js';
import {
  consoleLog,
  consoleSocket,
  controlSocket,
  qemuArguments,
  type VirtualMachine,
  variablesFile,
  variablesTemplate,
} from './firmware.js';

/** Starts a program inside the lab: the lab's namespace, its mark, written down. */
export type StartInside = (program: string, args: readonly string[], output: string) => ChildProcess;

/**
 * Starts QEMU for this machine, powered on, with fresh firmware variables and an empty console log. A machine that reboots
 * does so inside the same process; power-off ends it.
 */
export function startQemu(
  machine: VirtualMachine,
  accelerator: Accelerator,
  startInside: StartInside,
  extra: readonly string[] = [],
): ChildProcess {
  for (const file of [consoleLog(machine), consoleSocket(machine), controlSocket(machine)])
    rmSync(file, { force: true });
  const template = variablesTemplate(machine.firmware);
  if (template !== undefined) copyFileSync(template, variablesFile(machine));
  const args = qemuArguments(machine, accelerator, extra);
  return startInside('qemu-system-x86_64', args, `${machine.folder}/${machine.name}.qemu.log`);
}

/** Starts a program in a namespace, in a session of its own, so that Ctrl-C in the terminal reaches the lab only. */
export function spawnInside(
  namespace: string,
  environment: Readonly<Record<string, string>>,
  program: string,
  args: readonly string[],
  output: string,
): ChildProcess {
  // The file itself, not a pipe through this process: what a server says after the lab was killed is kept too.
  const log = openSync(output, 'a');
  try {
    return spawn('ip', ['netns', 'exec', namespace, program, ...args], {
      detached: true,
      stdio: ['ignore', log, log],
      env: { ...process.env, ...environment },
    });
  } finally {
    closeSync(log);
  }
}
