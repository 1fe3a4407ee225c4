import type { Command } from 'commander';
import { z } from 'zod';
import type { Cli } from './cli.js';
import { withExamples } from './examples.js';
import { listAll } from './paging.js';
import { describeFields } from './terminal/describe.js';

const systemSchema = z.object({
  name: z.string(),
  kind: z.string(),
  image: z.string().optional(),
  disk: z.string().optional(),
  command: z.array(z.string()),
  restart: z.string(),
});

/** `anybios system …`; systems are written by `anybios apply`. */
export function registerSystem(program: Command, cli: Cli): void {
  const system = program.command('system').description('systems: what machines run');
  withExamples(system, [['which systems are defined', 'system list']]);

  withExamples(
    system
      .command('list')
      .description('list the defined systems')
      .action(async () => {
        const { items, rows } = await listAll(await cli.connect(), '/systems', systemSchema, { readRows: !cli.json });
        cli.printTable(
          items,
          rows,
          [
            { title: 'SYSTEM', value: (row) => row.name },
            { title: 'KIND', value: (row) => row.kind },
            { title: 'IMAGE', value: (row) => row.image ?? row.disk ?? '-' },
            { title: 'RESTART', value: (row) => row.restart },
            { title: 'COMMAND', value: (row) => row.command.join(' '), elastic: true },
          ],
          'no systems; write some into a site file and use "anybios apply -f"',
        );
      }),
    [['all systems', 'system list']],
  );

  withExamples(
    system
      .command('show')
      .description('show one system definition')
      .argument('<system>', 'its name')
      .action(async (name: string) => {
        const answer = await (await cli.connect()).get(`/systems/${encodeURIComponent(name)}`);
        cli.printFields(answer, describeFields(answer));
      }),
    [['one system', 'system show web']],
  );
}
