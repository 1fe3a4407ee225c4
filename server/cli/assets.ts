import { spawn } from 'node:child_process';
import { type Command, Option } from 'commander';
import { AnybiosError } from '../domain/errors.js';
import { packageRoot } from '../paths.js';
import type { Cli } from './cli.js';
import { withExamples } from './examples.js';
import { EXIT } from './failure.js';

/** `anybios assets build` */
export function registerAssets(program: Command, cli: Cli): void {
  const assets = program.command('assets').description('boot assets: kernel, initrd, live OS, boot loaders');
  withExamples(assets, [['build what is missing', 'assets build']]);

  withExamples(
    assets
      .command('build')
      .description('build the boot assets from Debian packages into boot-assets/out')
      .addOption(
        new Option(
          '--flavour <flavour>',
          'which kernel: small for virtual machines, or with the drivers of real ones',
        ).choices(['cloud', 'hardware']),
      )
      .option('--force', 'build anew even if nothing has changed')
      .action(async (options: { flavour?: string; force?: boolean }) => {
        const flavour = options.flavour === undefined ? [] : ['--flavour', options.flavour];
        const force = options.force === true ? ['--force'] : [];
        await runBuild([`${packageRoot}/boot-assets/build.sh`, ...flavour, ...force]);
        cli.print({ built: options.flavour ?? 'default' }, () => []);
      }),
    [
      ['what the lab and the tests use', 'assets build --flavour cloud'],
      ['for real machines', 'assets build --flavour hardware'],
    ],
  );
}

/** The script's output goes to standard error, so that --json keeps standard output to itself. */
function runBuild(args: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const build = spawn('sh', args, { stdio: ['ignore', process.stderr, process.stderr] });
    build.once('error', reject);
    build.once('exit', (code, signal) => {
      if (code === EXIT.ok) resolve();
      else {
        const how = signal === null ? `exit code ${code}` : signal;
        reject(
          new AnybiosError('unavailable', `building the boot assets failed (${how})`, {
            remedy: 'read the lines above; "npm run setup" installs the packages it needs',
          }),
        );
      }
    });
  });
}
