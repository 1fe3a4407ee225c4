import type { Command } from 'commander';
import { z } from 'zod';
import { invalid } from '../domain/errors.js';
import { readAnswer } from './api-schema.js';
import type { Cli } from './cli.js';
import { withExamples } from './examples.js';
import { imageSchema } from './image-list.js';
import { parseReference } from './image-reference.js';
import { listAll } from './paging.js';

const moveSchema = z.object({
  tag: z.string(),
  from: z.string().optional(),
  to: z.string().optional(),
  by: z.string(),
  at: z.iso.datetime(),
});

/** `image tag`: shows, sets, moves and removes tags. */
export function registerImageTag(image: Command, cli: Cli): void {
  withExamples(
    image
      .command('tag')
      .description('move a tag to a version, or show where tags have been; "stable" is what a bare name means')
      .argument('<image>', 'NAME to show its tags; NAME:VERSION, or NAME:TAG for the version that has this tag')
      .argument('[tag]', 'the tag to move there: TAG or NAME:TAG')
      .option('--remove', 'take the tag NAME:TAG away')
      .action(async (reference: string, tag: string | undefined, options: { remove?: boolean }) => {
        if (options.remove === true) await removeTag(cli, reference);
        else if (tag === undefined) await showTags(cli, parseReference(reference).name);
        else await moveTag(cli, reference, tag);
      }),
    [
      ['the new version is what everybody gets', 'image tag base:v2 base:stable'],
      ['back again', 'image tag base:v1 stable'],
      ['where has it been', 'image tag base'],
      ['a tag that is no longer needed', 'image tag --remove base:next'],
    ],
  );
}

async function moveTag(cli: Cli, reference: string, target: string): Promise<void> {
  const { name, word } = parseReference(reference);
  const [first = '', second, ...rest] = target.split(':');
  const tag = second ?? first;
  if (rest.length > 0 || tag === '' || (second !== undefined && first !== name)) {
    throw invalid(`"${target}" is not a tag of ${name}`, { field: 'TAG', remedy: `write TAG or ${name}:TAG` });
  }
  const answer = await (await cli.connect()).request('PUT', tagPath(name, tag), { json: { version: word } });
  cli.print(answer, () => [`${name}:${tag} is version ${readAnswer(imageSchema, answer, 'image').version} now`]);
}

async function removeTag(cli: Cli, reference: string): Promise<void> {
  const { name, word } = parseReference(reference);
  await (await cli.connect()).request('DELETE', tagPath(name, word));
  cli.print({ removed: `${name}:${word}` }, () => [`the tag ${name}:${word} is gone`]);
}

async function showTags(cli: Cli, name: string): Promise<void> {
  const listing = await listAll(await cli.connect(), `/images/${encodeURIComponent(name)}/tags`, moveSchema);
  cli.printTable(
    listing.items,
    listing.rows,
    [
      { title: 'WHEN', value: (row) => row.at },
      { title: 'TAG', value: (row) => `${name}:${row.tag}` },
      { title: 'FROM', value: (row) => row.from ?? '-' },
      { title: 'TO', value: (row) => row.to ?? '-' },
      { title: 'BY', value: (row) => row.by },
    ],
    `no tag of ${name} was ever moved`,
  );
}

function tagPath(name: string, tag: string): string {
  return `/images/${encodeURIComponent(name)}/tags/${encodeURIComponent(tag)}`;
}
