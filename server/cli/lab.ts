import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { invalid } from '../domain/errors.js';
import { chooseAccelerator } from '../lab/accelerator.js';
import { parseFirmwares } from '../lab/firmware.js';
import { Lab } from '../lab/lab.js';
import { forwardPort } from '../lab/port-forward.js';
import { bootsAtOnce, labConfig, labMachines, labSite, MACHINES_MAX } from '../lab/site.js';
import { compiledEntry } from '../paths.js';
import type { Cli } from './cli.js';
import { ApiClient } from './client.js';
import { withExamples } from './examples.js';
import { EXIT } from './failure.js';
import { watchLab } from './lab-watch.js';

interface LabArguments {
  readonly once?: boolean;
  readonly machines: string;
  readonly firmware: string;
  readonly timeLimit?: string;
  readonly memory?: string;
  readonly accel: string;
  readonly dir: string;
  readonly namespace: string;
  readonly port: string;
}

/** `anybios lab`: virtual diskless machines netboot from the real server, in a network of their own. */
export function registerLab(program: Command, cli: Cli): void {
  withExamples(
    program
      .command('lab')
      .description('netboot virtual machines with real firmware in a network of their own (needs root)')
      .option('--once', 'exit 0 when all systems of all machines run, else 1 with the diagnosis')
      .option('--machines <n>', `how many machines, 1 to ${MACHINES_MAX}`, '2')
      .option('--firmware <list>', 'in turn: bios, uefi, uefi-http, secureboot', 'bios,uefi')
      .option('--time-limit <seconds>', 'with --once; default: 180, and 60 more for each machine')
      .option('--memory <mib>', 'of each machine; default: 512 for bios, 1024 for the others')
      .option('--accel <how>', 'auto, kvm or tcg', 'auto')
      .option('--dir <folder>', 'for its files; emptied at every start', './data/lab')
      .option('--namespace <name>', 'of its network; another name runs beside this one', 'anybios-lab')
      .option('--port <port>', 'of 127.0.0.1, for the status page', '10777')
      .action((options: LabArguments) => runLab(cli, options)),
    [
      ['two machines, until Ctrl-C', 'lab'],
      ['do they boot? by exit code', 'lab --once --machines 2 --firmware bios,uefi'],
      ['all firmware paths', 'lab --machines 4 --firmware bios,uefi,uefi-http,secureboot'],
    ],
  );
}

async function runLab(cli: Cli, options: LabArguments): Promise<void> {
  const count = wholeNumber(options.machines, '--machines', 1, MACHINES_MAX);
  const firmwares = parseFirmwares(options.firmware);
  const accelerator = chooseAccelerator(options.accel);
  const memory = options.memory === undefined ? undefined : wholeNumber(options.memory, '--memory', 128, 65_536);
  const port = wholeNumber(options.port, '--port', 0, 65_535);
  const limit =
    options.timeLimit === undefined ? 180 + 60 * count : wholeNumber(options.timeLimit, '--time-limit', 1, 86_400);
  const lab = Lab.open({
    namespace: options.namespace,
    folder: resolve(options.dir),
    program: compiledEntry('cli/anybios.js'),
    accelerator,
    config: labConfig(),
  });
  const stop = stopOnSignals();
  try {
    for (const line of lab.removed) cli.note(`an earlier lab: ${line}`);
    await lab.startServer();
    const api = new ApiClient({
      shown: `unix:${lab.folder.apiSocket}`,
      url: new URL('http://lab'),
      socketPath: lab.folder.apiSocket,
      token: lab.adminToken(),
    });
    const machines = labMachines(count, firmwares, lab.folder.machines, memory);
    const site = labSite(machines);
    writeFileSync(lab.folder.site, site);
    await api.request('POST', '/apply', { yaml: site });
    const forward = await forwardPort(port, lab.folder.apiSocket);
    try {
      cli.note(`status page  http://127.0.0.1:${forward.port}/#token=${lab.adminToken()}`);
      cli.note(`server log   ${lab.folder.serverLog}`);
      cli.note(`consoles     ${lab.folder.machines}/*.serial.log`);
      cli.note(`network      namespace ${options.namespace}, bridge br0; machines run with ${accelerator}`);
      await watchLab(cli, {
        lab,
        api,
        machines,
        atOnce: bootsAtOnce(accelerator, cpus().length),
        signal: stop.signal,
        ...(options.once === true ? { timeLimitSeconds: limit } : {}),
      });
    } finally {
      forward.close();
    }
  } finally {
    for (const line of await lab.close()) cli.note(`lab: ${line}`);
    stop.release();
  }
}

/** The first signal asks the lab to end in order; a second one ends it at once, and its `exit` handler still cleans up. */
function stopOnSignals(): { readonly signal: AbortSignal; release(): void } {
  const controller = new AbortController();
  const names = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  const onSignal = (): void => {
    if (controller.signal.aborted) process.exit(EXIT.failed);
    controller.abort();
  };
  for (const name of names) process.on(name, onSignal);
  return {
    signal: controller.signal,
    release: () => {
      for (const name of names) process.off(name, onSignal);
    },
  };
}

function wholeNumber(text: string, field: string, least: number, most: number): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < least || value > most) {
    throw invalid(`"${text}" does not fit ${field}`, {
      field,
      remedy: `write a whole number from ${least} to ${most}`,
    });
  }
  return value;
}
