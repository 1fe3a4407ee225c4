import { type Command, Option } from 'commander';
import { z } from 'zod';
import type { Cli } from './cli.js';
import { withExamples } from './examples.js';
import { listAll } from './paging.js';
import { describeFields } from './terminal/describe.js';

const profileSchema = z.object({
  name: z.string(),
  description: z.string(),
  kind: z.string(),
  kernel: z.string().optional(),
  rootfs: z.string().optional(),
});

const at = (name: string): string => `/profiles/${encodeURIComponent(name)}`;

/** `anybios profile …` */
export function registerProfile(program: Command, cli: Cli): void {
  const profile = program.command('profile').description('profiles: how machines boot');
  withExamples(profile, [['which profiles are there', 'profile list']]);

  withExamples(
    profile
      .command('list')
      .description('list profiles')
      .action(async () => {
        const { items, rows } = await listAll(await cli.connect(), '/profiles', profileSchema, { readRows: !cli.json });
        cli.printTable(
          items,
          rows,
          [
            { title: 'PROFILE', value: (row) => row.name },
            { title: 'KIND', value: (row) => row.kind },
            { title: 'KERNEL', value: (row) => row.kernel ?? '' },
            { title: 'ROOTFS', value: (row) => row.rootfs ?? '' },
            { title: 'DESCRIPTION', value: (row) => row.description, elastic: true },
          ],
          'no profiles',
        );
      }),
    [['all profiles', 'profile list']],
  );

  withExamples(
    profile
      .command('show')
      .description('show one profile, with what it extends merged in')
      .argument('<profile>', 'its name')
      .action(async (name: string) => {
        const answer = await (await cli.connect()).get(at(name));
        cli.printFields(answer, describeFields(answer));
      }),
    [['one profile', 'profile show micro']],
  );

  withExamples(
    profile
      .command('render')
      .description('print the boot script a machine would get; opens no boot session')
      .argument('<profile>', 'its name')
      .requiredOption('--machine <machine>', 'the machine to render for')
      .addOption(
        new Option('--loader <loader>', 'the script of which loader').choices(['ipxe', 'grub']).default('ipxe'),
      )
      .action(async (name: string, options: { machine: string; loader: string }) => {
        const script = await (await cli.connect()).text('GET', `${at(name)}/render`, { query: options });
        if (cli.json) cli.printJson({ profile: name, ...options, script });
        else cli.io.stdout.write(script.endsWith('\n') ? script : `${script}\n`);
      }),
    [
      ['the iPXE script of node1', 'profile render micro --machine node1'],
      ['for signed GRUB', 'profile render micro --machine node1 --loader grub'],
    ],
  );
}
