import type { Command } from 'commander';
import { z } from 'zod';
import { type MachineAnswer, machineSchema } from './api-schema.js';
import type { Cli } from './cli.js';
import type { ApiClient } from './client.js';
import { withExamples } from './examples.js';
import { listAll } from './paging.js';
import { describeFields } from './terminal/describe.js';
import { type Column, fieldLines, tableLines } from './terminal/table.js';

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
        const api = await cli.connect();
        const answer = await api.get(at(name));
        const places = hasSpares(answer) ? await placesOf(api, name) : [];
        cli.print(answer, () => [
          ...fieldLines(describeFields(answer)),
          ...(places.length === 0 ? [] : ['', ...tableLines(PLACE_COLUMNS, places, cli.width)]),
        ]);
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

const hasSpares = (answer: unknown): boolean => typeof answer === 'object' && answer !== null && 'spares' in answer;

interface PlaceRow extends NonNullable<MachineAnswer['place']> {
  readonly machine: string;
}

/** Whose role it is, and who has it now. */
async function placesOf(api: ApiClient, role: string): Promise<readonly PlaceRow[]> {
  const { rows } = await listAll(api, '/machines', machineSchema);
  return rows.flatMap(({ name, place }) => (place?.role === role ? [{ ...place, machine: name }] : []));
}

const PLACE_COLUMNS: readonly Column<PlaceRow>[] = [
  { title: 'MACHINE', value: (row) => row.machine },
  { title: 'HELD BY', value: (row) => row.holder },
  { title: 'SINCE', value: (row) => (row.since === undefined ? '' : new Date(row.since).toISOString()) },
  { title: 'WHY', value: (row) => row.why ?? 'its own role', elastic: true },
];

const pairs = (record: Readonly<Record<string, string>>): string =>
  Object.entries(record)
    .map(([key, value]) => `${key}=${value}`)
    .join(' ');
