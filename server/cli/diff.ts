import type { Command } from 'commander';
import type { Cli } from './cli.js';
import { effectLines } from './effect-lines.js';
import { withExamples } from './examples.js';
import { EXIT } from './failure.js';
import { addSiteFileOptions, changeLines, type SiteFileOptions, sendSiteFile } from './site-file.js';

/** `anybios diff -f site.yaml`; exit codes as diff(1): 0 = the same, 1 = differences, 2 or 3 = trouble. */
export function registerDiff(program: Command, cli: Cli): void {
  const diff = program
    .command('diff')
    .description('show what "apply" would change; exit code 1 if anything, 0 if nothing')
    .action(async (options: SiteFileOptions) => {
      const { answer, changes, machines } = await sendSiteFile(cli, options, true);
      if (changes.length > 0) cli.exitCode = EXIT.failed;
      cli.print(answer, () => [...changeLines(cli, changes), ...effectLines(cli, machines)]);
    });
  withExamples(addSiteFileOptions(diff), [['before applying', 'diff -f site.yaml']]);
}
