import type { Command } from 'commander';
import { z } from 'zod';
import type { Cli } from './cli.js';
import { withExamples } from './examples.js';
import { listAll } from './paging.js';
import { describeFields } from './terminal/describe.js';

const roleSchema = z.object({
  name: z.string(),
  profile: z.string(),
  mode: z.string(),
  systems: z.array(z.string()),
  params: z.record(z.string(), z.string()),
});

const at = (name: string): string => `/roles/${encodeURIComponent(name)}`;

/** `anybios role …`; roles are written by `anybios apply`. */
export function registerRole(program: Command, cli: Cli): void {
  const role = program.command('role').description('roles: what machines must be');
  withExamples(role, [['which roles are there', 'role list']]);

  withExamples(
    role
      .command('list')
      .description('list roles')
      .action(async () => {
        const { items, rows } = await listAll(await cli.connect(), '/roles', roleSchema, { readRows: !cli.json });
        cli.printTable(
          items,
          rows,
          [
            { title: 'ROLE', value: (row) => row.name },
            { title: 'PROFILE', value: (row) => row.profile },
            { title: 'MODE', value: (row) => row.mode },
            { title: 'SYSTEMS', value: (row) => row.systems.join(', '), elastic: true },
            { title: 'PARAMS', value: (row) => pairs(row.params), elastic: true },
          ],
          'no roles; write some into a site file and use "anybios apply -f"',
        );
      }),
    [['all roles', 'role list']],
  );

  withExamples(
    role
      .command('show')
      .description('show one role')
      .argument('<role>', 'its name')
      .action(async (name: string) => {
        const answer = await (await cli.connect()).get(at(name));
        cli.printFields(answer, describeFields(answer));
      }),
    [['one role', 'role show web']],
  );

  withExamples(
    role
      .command('remove')
      .description('remove a role that no machine has')
      .argument('<role>', 'its name')
      .action(async (name: string) => {
        await (await cli.connect()).request('DELETE', at(name));
        cli.print({ removed: name }, () => [`role ${name} is removed`]);
      }),
    [['one role', 'role remove web']],
  );
}

const pairs = (record: Readonly<Record<string, string>>): string =>
  Object.entries(record)
    .map(([key, value]) => `${key}=${value}`)
    .join(' ');
