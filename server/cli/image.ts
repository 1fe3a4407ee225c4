import type { Command } from 'commander';
import { z } from 'zod';
import { invalid } from '../domain/errors.js';
import { readAnswer } from './api-schema.js';
import type { Cli } from './cli.js';
import { withExamples } from './examples.js';
import { type ImportOptions, importImage, planImport } from './image-import.js';
import { listAll } from './paging.js';
import { formatAge, formatBytes } from './terminal/units.js';

const imageSchema = z.object({
  name: z.string(),
  version: z.string(),
  kind: z.string(),
  tags: z.array(z.string()),
  files: z.array(z.object({ part: z.string(), digest: z.string(), size: z.number() })),
  createdAt: z.iso.datetime().transform((text) => Date.parse(text)),
});

/** `anybios image …` */
export function registerImage(program: Command, cli: Cli): void {
  const image = program.command('image').description('images: kernels and root file systems');
  withExamples(image, [['which images are there', 'image list']]);

  withExamples(
    image
      .command('list')
      .description('list every version of every image')
      .option('--name <name>', 'only versions of this name')
      .action(async (options: { name?: string }) => {
        const listing = await listAll(await cli.connect(), '/images', imageSchema, {
          query: options,
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
            { title: 'SIZE', value: (row) => formatBytes(row.files.reduce((sum, f) => sum + f.size, 0)), right: true },
            {
              title: 'FILES',
              value: (row) => row.files.map((f) => `${f.part} ${f.digest.slice(0, 12)}`).join(', '),
              elastic: true,
            },
            { title: 'IMPORTED', value: (row) => formatAge(row.createdAt, now) },
          ],
          'no images',
        );
      }),
    [['all images', 'image list']],
  );

  withExamples(
    image
      .command('import')
      .description('import a root file system (squashfs), or a kernel with initrd and modules')
      .argument('<image>', 'NAME or NAME:VERSION; the version is made from the content if left out')
      .option('--rootfs <file>', 'root file system, "-" for standard input')
      .option('--kernel <file>', 'kernel (vmlinuz)')
      .option('--initrd <file>', 'initrd with stage 1')
      .option('--modules <file>', 'modules of the kernel (squashfs)')
      .option('--tag <tag...>', 'tags of this version; the first version of a name becomes "stable" by itself')
      .action(async (reference: string, options: ImportOptions) => {
        const answer = await importImage(cli, planImport(reference, options), options.tag);
        cli.print(answer, () => {
          const made = readAnswer(imageSchema, answer, 'image');
          const tags = made.tags.length === 0 ? '' : ` (${made.tags.join(', ')})`;
          return [`${made.name}:${made.version}${tags} is imported`];
        });
      }),
    [
      ['a template for systems', 'image import web:2 --rootfs web.squashfs'],
      ['from a pipe', 'image import web:3 --rootfs - < web.squashfs'],
      ['a kernel', 'image import kernel:6.1 --kernel vmlinuz --initrd initrd.img --modules modules.squashfs'],
    ],
  );

  withExamples(
    image
      .command('tag')
      .description('move a tag to a version; "stable" is what a bare name means')
      .argument('<image>', 'NAME:VERSION')
      .argument('<tag>', 'the tag')
      .action(async (reference: string, tag: string) => {
        const { name, version } = versionOf(reference);
        const path = `/images/${encodeURIComponent(name)}/tags/${encodeURIComponent(tag)}`;
        const answer = await (await cli.connect()).request('PUT', path, { json: { version } });
        cli.print(answer, () => [`${name}:${tag} is version ${version} now`]);
      }),
    [['roll back', 'image tag web:2 stable']],
  );

  withExamples(
    image
      .command('remove')
      .description('remove a version that nothing uses, with its files')
      .argument('<image>', 'NAME:VERSION')
      .action(async (reference: string) => {
        const { name, version } = versionOf(reference);
        const path = `/images/${encodeURIComponent(name)}/${encodeURIComponent(version)}`;
        await (await cli.connect()).request('DELETE', path);
        cli.print({ removed: reference }, () => [`${reference} is removed`]);
      }),
    [['one version', 'image remove web:2']],
  );
}

function versionOf(reference: string): { readonly name: string; readonly version: string } {
  const [name = '', version = '', ...rest] = reference.split(':');
  if (name === '' || version === '' || rest.length > 0) {
    throw invalid(`"${reference}" is not a version of an image`, {
      field: 'NAME:VERSION',
      remedy: 'write NAME:VERSION, as "anybios image list" shows them',
    });
  }
  return { name, version };
}
