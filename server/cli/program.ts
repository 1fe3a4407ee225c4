import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { invalid } from '../domain/errors.js';
import { packageRoot } from '../paths.js';
import { registerApply } from './apply.js';
import { registerAssets } from './assets.js';
import { registerBoot } from './boot.js';
import { Cli, type GlobalOptions } from './cli.js';
import { registerDiff } from './diff.js';
import { registerDoctor } from './doctor.js';
import { withExamples } from './examples.js';
import { registerExport } from './export.js';
import { EXIT, errorJson, errorLines, failureOf } from './failure.js';
import { registerImage } from './image.js';
import type { Io } from './io.js';
import { registerJob } from './job.js';
import { registerLab } from './lab.js';
import { registerLease } from './lease.js';
import { registerMachine } from './machine.js';
import { registerProfile } from './profile.js';
import { registerRole } from './role.js';
import { registerServe } from './serve.js';
import { registerSystem } from './system.js';
import { styleFor } from './terminal/style.js';
import { registerToken } from './token.js';

// In the order of the help: the server and its surroundings, the desired state, then what there is.
const COMMANDS = [
  registerServe,
  registerLab,
  registerDoctor,
  registerAssets,
  registerApply,
  registerDiff,
  registerExport,
  registerMachine,
  registerRole,
  registerProfile,
  registerSystem,
  registerImage,
  registerBoot,
  registerJob,
  registerLease,
  registerToken,
];

/**
 * All commands. Parsing errors come out of `parseAsync` as CommanderError; nothing here ends the process.
 */
export function createProgram(io: Io): { readonly program: Command; readonly cli: Cli } {
  const program = new Command('anybios');
  const cli = new Cli(io, () => program.opts<GlobalOptions>());
  program
    .description('netboot provisioning server: machines by MAC, roles, systems in RAM')
    .version(readVersion(), '--version', 'show the version')
    .option('--json', 'machine-readable output; errors too')
    .option('--config <file>', 'configuration of the server (default: ./anybios.yaml)')
    .helpOption('-h, --help', 'show help')
    .helpCommand('help [command]', 'show help of a command')
    .showSuggestionAfterError()
    .configureHelp({ showGlobalOptions: true, helpWidth: io.stdout.columns ?? 80 })
    .configureOutput({
      writeOut: (text) => io.stdout.write(text),
      // Errors are printed once, by `run`, in one form.
      writeErr: () => undefined,
    })
    .exitOverride();
  withExamples(program, [
    ['the server', 'serve --config anybios.yaml'],
    ['what the site wants', 'apply -f site.yaml'],
    ['machines as they boot', 'boot watch'],
  ]);
  for (const register of COMMANDS) register(program, cli);
  return { program, cli };
}

function readVersion(): string {
  const about: unknown = JSON.parse(readFileSync(`${packageRoot}/package.json`, 'utf8'));
  return typeof about === 'object' && about !== null && 'version' in about ? String(about.version) : 'unknown';
}

/** Runs one command line (without node and script name) and returns its exit code; every failure is printed, none thrown. */
export async function run(args: readonly string[], io: Io): Promise<number> {
  const { program, cli } = createProgram(io);
  try {
    await program.parseAsync([...args], { from: 'user' });
    return cli.exitCode;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return EXIT.ok;
    if (io.env.ANYBIOS_DEBUG === '1' && error instanceof Error) io.stderr.write(`${error.stack ?? ''}\n`);
    const failure = failureOf(error instanceof CommanderError ? usageError(error, args, program) : error);
    // Before the options are parsed only the arguments tell that JSON is wanted.
    const json = args.includes('--json');
    const style = styleFor(io.stderr.isTTY === true, io.env);
    io.stderr.write(`${json ? errorJson(failure) : errorLines(failure, style).join('\n')}\n`);
    const isDiff = args.find((argument) => !argument.startsWith('-')) === 'diff';
    return isDiff && failure.exitCode === EXIT.failed ? EXIT.usage : failure.exitCode;
  }
}

/** Commander's message in our form; its "(Did you mean …?)" becomes the remedy. */
function usageError(error: CommanderError, args: readonly string[], program: Command): Error {
  const help = `see "${['anybios', ...commandWords(args, program), '--help'].join(' ')}"`;
  if (error.code === 'commander.help') return invalid('a command is missing', { remedy: help, cause: error });
  const [message = '', hint] = error.message.replace(/^error: /, '').split('\n');
  const remedy = hint === undefined ? help : `${hint.replace(/^\((.*)\)$/, '$1')} ${help}`;
  return invalid(message, { remedy, cause: error });
}

/** The words that name a command, as far as there is one: `profile render` of `profile render micro`. */
function commandWords(args: readonly string[], program: Command): readonly string[] {
  const words: string[] = [];
  let at = program;
  for (const word of args) {
    const next = at.commands.find((command) => command.name() === word);
    if (next === undefined) continue;
    words.push(word);
    at = next;
  }
  return words;
}
