import type { Command } from 'commander';
import { z } from 'zod';
import { networkSchema, readAnswer } from './api-schema.js';
import type { Cli } from './cli.js';
import { withExamples } from './examples.js';
import { listAll } from './paging.js';
import { paintState } from './terminal/style.js';
import { formatAge } from './terminal/units.js';

const leaseSchema = z.object({
  address: z.string(),
  mac: z.string(),
  machine: z.string().optional(),
  hostname: z.string().optional(),
  state: z.string(),
  expired: z.boolean(),
  expiresAt: z.iso.datetime().transform((text) => Date.parse(text)),
});

const paintKind = ({ style }: Cli, kind: string, cell: string): string => (kind === 'server' ? style.warn(cell) : cell);

/** `anybios lease …` */
export function registerLease(program: Command, cli: Cli): void {
  const lease = program.command('lease').description('leases: addresses given by DHCP');
  withExamples(lease, [
    ['who has which address', 'lease list'],
    ['who else is on the network', 'lease network'],
  ]);

  withExamples(
    lease
      .command('list')
      .description('list leases, by address')
      .action(async () => {
        const { items, rows } = await listAll(await cli.connect(), '/leases', leaseSchema, { readRows: !cli.json });
        const now = Date.now();
        const state = (row: (typeof rows)[number]): string => (row.expired ? 'expired' : row.state);
        cli.printTable(
          items,
          rows,
          [
            { title: 'ADDRESS', value: (row) => row.address },
            { title: 'MAC', value: (row) => row.mac },
            { title: 'MACHINE', value: (row) => row.machine ?? '' },
            { title: 'STATE', value: state, paint: (cell, row) => paintState(cli.style, state(row), cell) },
            { title: 'ENDS', value: (row) => formatAge(row.expiresAt, now) },
            { title: 'HOSTNAME', value: (row) => row.hostname ?? '', elastic: true },
          ],
          'no leases',
        );
      }),
    [['all leases', 'lease list']],
  );

  withExamples(
    lease
      .command('network')
      .description('what was heard about the network: other DHCP servers, relays, networks that nobody configured')
      .action(async () => {
        const answer = await (await cli.connect()).get('/network');
        const items = readAnswer(networkSchema, answer, 'network').items;
        const now = Date.now();
        cli.printTable(
          items,
          items,
          [
            { title: 'KIND', value: (row) => row.kind, paint: (cell, { kind }) => paintKind(cli, kind, cell) },
            { title: 'ADDRESS', value: (row) => row.address ?? '' },
            { title: 'INTERFACE', value: (row) => row.interface },
            { title: 'HEARD', value: (row) => `${row.count}×`, right: true },
            { title: 'LAST', value: (row) => formatAge(row.lastSeenAt, now) },
            { title: 'WHAT', value: (row) => row.text, elastic: true },
          ],
          'nothing was heard but machines (see "machine list")',
        );
      }),
    [['who else is on the network', 'lease network']],
  );

  withExamples(
    lease
      .command('release')
      .description('end a lease or a quarantine: the address can be given to another machine')
      .argument('<address>', 'e.g. 10.77.0.100')
      .action(async (address: string) => {
        const client = await cli.connect();
        await client.request('DELETE', `/leases/${encodeURIComponent(address)}`);
        cli.print({ released: address }, () => [`${address} is free`]);
      }),
    [['give an address back', 'lease release 10.77.0.100']],
  );

  withExamples(
    lease
      .command('export')
      .description('print the leases as the lease file of another DHCP server')
      .requiredOption('--format <format>', 'dnsmasq or kea (CSV of memfile; subnet ids count our subnets from 1)')
      .action(async ({ format }: { format: string }) => {
        const client = await cli.connect();
        const text = await client.text('GET', '/leases/export', { query: { format } });
        if (cli.json) cli.printJson({ format, text });
        else cli.io.stdout.write(text);
      }),
    [
      ['for dnsmasq', 'lease export --format dnsmasq > dnsmasq.leases'],
      ['for Kea 2.2', 'lease export --format kea > kea-leases4.csv'],
    ],
  );
}
