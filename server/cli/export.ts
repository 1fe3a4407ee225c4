import { writeFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { invalid } from '../domain/errors.js';
import type { Cli } from './cli.js';
import { withExamples } from './examples.js';
import { reasonOf } from './files.js';

/** `anybios export` */
export function registerExport(program: Command, cli: Cli): void {
  const command = program
    .command('export')
    .description('write the desired state as a site file that "apply" takes')
    .option('-o, --output <file>', 'write to this file instead of standard output')
    .action(async (options: { output?: string }) => {
      const yaml = await (await cli.connect()).text('GET', '/export', { headers: { accept: 'application/yaml' } });
      if (options.output === undefined) {
        cli.print({ yaml }, () => [yaml.replace(/\n$/, '')]);
        return;
      }
      try {
        await writeFile(options.output, yaml);
      } catch (error) {
        throw invalid(`cannot write ${options.output}: ${reasonOf(error)}`, { field: '--output', cause: error });
      }
      cli.print({ file: options.output }, () => [`written to ${options.output ?? ''}`]);
    });
  withExamples(command, [
    ['to look at', 'export'],
    ['as a backup', 'export -o site.yaml'],
  ]);
}
