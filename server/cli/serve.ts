import { setFlagsFromString } from 'node:v8';
import { type Command, Option } from 'commander';
import { type Config, loadConfig } from '../config.js';
import { unusedPools } from '../config-subnets.js';
import { invalid } from '../domain/errors.js';
import type { Cli } from './cli.js';
import { DEFAULT_CONFIG } from './connection.js';
import { withExamples } from './examples.js';
import { EXIT, failureOf } from './failure.js';

/** `anybios serve`: the server itself, until SIGTERM or SIGINT. */
export function registerServe(program: Command, cli: Cli): void {
  const serve = program
    .command('serve')
    .description('run the server; the configuration is named by --config')
    .option('--set <key=value>', 'override a key of the configuration, e.g. listen.http=8081', collect, {})
    .addOption(
      new Option('--flavour <flavour>', 'boot assets to serve; default: hardware if built, else cloud').choices([
        'cloud',
        'hardware',
      ]),
    )
    .action(async (options: { set: Readonly<Record<string, string>>; flavour?: 'cloud' | 'hardware' }) => {
      const readConfig = (): Config => {
        const read = loadConfig({ file: cli.configFile ?? DEFAULT_CONFIG, env: cli.io.env, flags: options.set });
        for (const line of unusedPools(read)) cli.note(`warning: ${line}`);
        return read;
      };
      const config = readConfig();
      // The main thread may be started with room for objects (docs/operating.md, "Node's options"); its threads take what they need.
      setFlagsFromString('--initial-old-space-size=0');
      setFlagsFromString('--min-semi-space-size=0');
      // Only this command needs the server's code: the others start faster without it.
      const { startServer } = await import('../main.js');
      const stop = stopRequested(cli);
      try {
        const server = await startServer(config, options.flavour === undefined ? {} : { flavour: options.flavour });
        cli.note(`anybios serves ${server.url} (stop: Ctrl-C)`);
        const reloads = reloadOnHangup(cli, async () => await server.reload(readConfig()));
        try {
          await stop.requested;
        } finally {
          await reloads.release();
        }
        await server.close();
      } finally {
        stop.release();
      }
    });
  withExamples(serve, [
    ['with anybios.yaml of this folder', 'serve'],
    ['another file, another port', 'serve --config /etc/anybios/anybios.yaml --set listen.http=8081'],
  ]);
}

function collect(text: string, before: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const at = text.indexOf('=');
  if (at < 1) throw invalid(`"${text}" is not KEY=VALUE`, { field: '--set', remedy: 'e.g. --set listen.http=8081' });
  return { ...before, [text.slice(0, at)]: text.slice(at + 1) };
}

/** SIGHUP reads the configuration again, one at a time. A file that is wrong changes nothing and is named with its problem. */
function reloadOnHangup(cli: Cli, reload: () => Promise<readonly string[]>): { release(): Promise<void> } {
  let work = Promise.resolve();
  const once = async (): Promise<void> => {
    try {
      const restart = await reload();
      cli.note('the configuration was read again: dhcp and unknownMachines are in effect');
      if (restart.length > 0) cli.note(`these keys have changed too and need a restart: ${restart.join(', ')}`);
    } catch (error) {
      const { message, remedy } = failureOf(error);
      cli.note(`the configuration was not taken over, nothing has changed: ${message}`);
      if (remedy !== undefined) cli.note(`remedy: ${remedy}`);
    }
  };
  const onHangup = (): void => {
    work = work.then(once);
  };
  process.on('SIGHUP', onHangup);
  return {
    release: async () => {
      process.off('SIGHUP', onHangup);
      await work;
    },
  };
}

/** The first SIGTERM or SIGINT asks for an orderly end; a second one ends the process at once. */
function stopRequested(cli: Cli): { readonly requested: Promise<void>; release(): void } {
  let first: () => void = () => undefined;
  let asked = false;
  const requested = new Promise<void>((resolve) => {
    first = resolve;
  });
  const onSignal = (): void => {
    if (asked) process.exit(EXIT.failed);
    asked = true;
    cli.note('stopping');
    first();
  };
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);
  return {
    requested,
    release: () => {
      process.off('SIGTERM', onSignal);
      process.off('SIGINT', onSignal);
    },
  };
}
