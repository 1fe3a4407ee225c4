import type { Command } from 'commander';
import { z } from 'zod';
import { readAnswer } from './api-schema.js';
import type { Cli } from './cli.js';
import { withExamples } from './examples.js';
import { listAll } from './paging.js';

const tokenSchema = z.object({ name: z.string(), createdAt: z.iso.datetime() });
const createdSchema = z.object({ token: z.string() });

/** `anybios token …` */
export function registerToken(program: Command, cli: Cli): void {
  const token = program.command('token').description('tokens: who may use the API');
  withExamples(token, [['a token for a script', 'token create deploy']]);

  withExamples(
    token
      .command('create')
      .description('make a token and print it; it is shown this once')
      .argument('<name>', 'what it is for')
      .action(async (name: string) => {
        const answer = await (await cli.connect()).request('POST', '/tokens', { json: { name } });
        // The token alone on standard output, so that `ANYBIOS_TOKEN=$(anybios token create x)` works.
        cli.print(answer, () => [readAnswer(createdSchema, answer, 'token').token]);
        cli.note(`token ${name} is shown only now; use it as ANYBIOS_TOKEN`);
      }),
    [
      ['print a new token', 'token create deploy'],
      ['into a file', 'token create deploy > deploy.token'],
    ],
  );

  withExamples(
    token
      .command('list')
      .description('list tokens by name; their text is kept nowhere')
      .action(async () => {
        const { items, rows } = await listAll(await cli.connect(), '/tokens', tokenSchema, { readRows: !cli.json });
        cli.printTable(
          items,
          rows,
          [
            { title: 'TOKEN', value: (row) => row.name },
            { title: 'CREATED', value: (row) => row.createdAt },
          ],
          'no tokens besides that of dataDir/admin.token',
        );
      }),
    [['all tokens', 'token list']],
  );

  withExamples(
    token
      .command('remove')
      .description('revoke a token at once')
      .argument('<name>', 'its name')
      .action(async (name: string) => {
        await (await cli.connect()).request('DELETE', `/tokens/${encodeURIComponent(name)}`);
        cli.print({ removed: name }, () => [`token ${name} is revoked`]);
      }),
    [['one token', 'token remove deploy']],
  );
}
