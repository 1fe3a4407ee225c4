import type { Command } from 'commander';
import type { Cli } from './cli.js';
import { effectLines } from './effect-lines.js';
import { withExamples } from './examples.js';
import { addSiteFileOptions, changeLines, type SiteFileOptions, sendSiteFile } from './site-file.js';

/** `anybios apply -f site.yaml` */
export function registerApply(program: Command, cli: Cli): void {
  const apply = program
    .command('apply')
    .description('make the site what a file says: adds and changes, removes only with --prune')
    .action(async (options: SiteFileOptions & { readonly dryRun?: boolean }) => {
      const { answer, changes, machines } = await sendSiteFile(cli, options, options.dryRun === true);
      const count = `${changes.length} change${changes.length === 1 ? '' : 's'}`;
      const sum = options.dryRun === true ? `${count} would be made` : `${count} made`;
      cli.print(answer, () =>
        changes.length === 0
          ? ['nothing to change']
          : [...changeLines(cli, changes), sum, ...effectLines(cli, machines)],
      );
    });
  withExamples(addSiteFileOptions(apply).option('--dry-run', 'only say what would change'), [
    ['the site', 'apply -f site.yaml'],
    ['and remove what the file does not hold', 'apply -f site.yaml --prune'],
    ['from another program', 'apply -f - < site.yaml'],
  ]);
}
