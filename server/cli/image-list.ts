import type { Command } from 'commander';
import { z } from 'zod';
import { readAnswer } from './api-schema.js';
import type { Cli } from './cli.js';
import { withExamples } from './examples.js';
import { parseReference } from './image-reference.js';
import { listAll } from './paging.js';
import { formatAge, formatBytes } from './terminal/units.js';

export const imageSchema = z.object({
  name: z.string(),
  version: z.string(),
  kind: z.string(),
  tags: z.array(z.string()),
  files: z.array(z.object({ part: z.string(), digest: z.string(), size: z.number() })),
  createdAt: z.iso.datetime().transform((text) => Date.parse(text)),
  source: z.string().optional(),
  usedBy: z.array(z.object({ kind: z.string(), name: z.string() })).default([]),
  damaged: z.array(z.string()).default([]),
});
type ImageRow = z.output<typeof imageSchema>;

const USERS_SHOWN = 3;

/** `image list`, `image show`. */
export function registerImageList(image: Command, cli: Cli): void {
  withExamples(
    image
      .command('list')
      .description('list every version of every image, its tags, and who uses it')
      .option('--name <name>', 'only versions of this name')
      .option('--damaged', 'only those that have a damaged file, which is not served')
      .action(async ({ name, damaged }: { name?: string; damaged?: boolean }) => {
        const listing = await listAll(await cli.connect(), '/images', imageSchema, {
          query: { name, damaged: damaged === true ? '1' : undefined },
          readRows: !cli.json,
        });
        const now = Date.now();
        cli.printTable(
          listing.items,
          listing.rows,
          [
            { title: 'IMAGE', value: (row) => row.name },
            { title: 'VERSION', value: (row) => row.version, elastic: true },
            { title: 'KIND', value: (row) => row.kind },
            { title: 'TAGS', value: (row) => row.tags.join(', ') },
            { title: 'SIZE', value: (row) => formatBytes(sizeOf(row)), right: true },
            { title: 'FILES', value: filesOf, elastic: true },
            { title: 'USED BY', value: (row) => usersOf(row, USERS_SHOWN), elastic: true },
            { title: 'IMPORTED', value: (row) => formatAge(row.createdAt, now) },
          ],
          'no images',
        );
      }),
    [
      ['all images', 'image list'],
      ['what must be imported again', 'image list --damaged'],
    ],
  );

  withExamples(
    image
      .command('show')
      .description('show one version: files, origin, everything that uses it')
      .argument('<image>', 'NAME (its stable version) or NAME:VERSION')
      .action(async (reference: string) => {
        const { name, word } = parseReference(reference);
        const { rows, items } = await listAll(await cli.connect(), '/images', imageSchema, { query: { name } });
        const index = rows.findIndex(({ version, tags }) => version === word || tags.includes(word));
        const row =
          rows[index] ??
          readAnswer(
            imageSchema,
            await cli
              .connect()
              .then((api) => api.get(`/images/${encodeURIComponent(name)}/${encodeURIComponent(word)}`)),
            'image',
          );
        cli.printFields(items[index] ?? row, [
          ['image', `${row.name}:${row.version}`],
          ['kind', row.kind],
          ['tags', row.tags.join(', ')],
          ['imported', new Date(row.createdAt).toISOString()],
          ['from', row.source],
          ...row.files.map(({ part, digest, size }) => [part, `${digest}  ${formatBytes(size)}`] as const),
          ['damaged', row.damaged.length === 0 ? undefined : row.damaged.join(', ')],
          ['used by', usersOf(row, Number.POSITIVE_INFINITY)],
        ]);
      }),
    [['what a bare name means', 'image show base']],
  );
}

function sizeOf({ files }: ImageRow): number {
  return files.reduce((sum, { size }) => sum + size, 0);
}

function filesOf({ files, damaged }: ImageRow): string {
  return files
    .map(({ part, digest }) => `${part} ${damaged.includes(part) ? 'DAMAGED' : digest.slice(0, 12)}`)
    .join(', ');
}

function usersOf({ usedBy }: ImageRow, shown: number): string {
  const names = usedBy.slice(0, shown).map(({ kind, name }) => `${kind} ${name}`);
  const more = usedBy.length - names.length;
  return names.join(', ') + (more > 0 ? ` +${more}` : '');
}
