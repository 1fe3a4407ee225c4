import type { Command } from 'commander';
import { z } from 'zod';
import { AnybiosError, invalid } from '../domain/errors.js';
import { readAnswer } from './api-schema.js';
import type { Cli } from './cli.js';
import { withExamples } from './examples.js';
import { EXIT } from './failure.js';
import { parseVersion } from './image-reference.js';
import { runImageTask } from './image-tasks.js';
import { formatBytes } from './terminal/units.js';

const versionSchema = z.object({ image: z.string(), bytes: z.number(), why: z.string() });
const gcSchema = z.object({
  dryRun: z.boolean(),
  removed: z.array(versionSchema),
  kept: z.array(versionSchema),
  files: z.array(z.object({ digest: z.string(), size: z.number() })),
  partialBytes: z.number(),
  freedBytes: z.number(),
});

/** `image verify`, `image remove`, `image gc`. */
export function registerImageUpkeep(image: Command, cli: Cli): void {
  withExamples(
    image
      .command('verify')
      .description('read every byte of images and compare the digests; exit code 1 if one is damaged')
      .argument('[image...]', 'NAME or NAME:VERSION; all if left out')
      .action(async (references: string[]) => {
        const body = references.length === 0 ? {} : { images: references };
        const { verified = [] } = await runImageTask(cli, await cli.connect(), '/image-checks', body, 'verifying');
        const bad = verified.filter(({ state }) => state !== 'ok');
        if (bad.length > 0) cli.exitCode = EXIT.failed;
        cli.print({ verified }, () => [
          ...bad.map(({ images, digest, state }) => `${state}: ${images.join(', ')} (${digest})`),
          bad.length === 0
            ? `${verified.length} files are what they should be`
            : `${bad.length} of ${verified.length} files are not served any more: import the same files again`,
        ]);
      }),
    [
      ['all of them', 'image verify'],
      ['one', 'image verify base:1'],
    ],
  );

  withExamples(
    image
      .command('remove')
      .description('remove a version that nothing uses, with its files')
      .argument('<image>', 'NAME:VERSION')
      .action(async (reference: string) => {
        const { name, word } = parseVersion(reference);
        await (await cli.connect()).request(
          'DELETE',
          `/images/${encodeURIComponent(name)}/${encodeURIComponent(word)}`,
        );
        cli.print({ removed: reference }, () => [`${reference} is removed`]);
      }),
    [['one version', 'image remove web:2']],
  );

  withExamples(
    image
      .command('gc')
      .description('show what nobody needs (no tag, no user, no way back), and remove it with --yes')
      .option('--yes', 'remove it')
      .option('--dry-run', 'only show it (the default)')
      .option('--min-age <hours>', 'keep what was imported later than this many hours ago (default: 24)')
      .action(async (options: { yes?: boolean; dryRun?: boolean; minAge?: string }) => {
        if (options.yes === true && options.dryRun === true) {
          throw invalid('--yes and --dry-run contradict each other', { remedy: 'give one of them' });
        }
        const json = {
          dryRun: options.yes !== true,
          ...(options.minAge === undefined ? {} : { minAgeHours: hoursOf(options.minAge) }),
        };
        const answer = await (await cli.connect()).request('POST', '/image-gc', { json });
        cli.print(answer, () => gcLines(readAnswer(gcSchema, answer, 'gc')));
      }),
    [
      ['what would go, and why the rest stays', 'image gc'],
      ['remove it', 'image gc --yes'],
    ],
  );
}

function hoursOf(text: string): number {
  const hours = Number(text);
  if (text.trim() !== '' && hours >= 0 && Number.isFinite(hours)) return hours;
  throw new AnybiosError('invalid', `"${text}" is not a number of hours`, {
    field: '--min-age',
    remedy: 'write 0 or more',
  });
}

function gcLines({
  dryRun,
  removed,
  kept,
  files,
  partialBytes,
  freedBytes,
}: z.output<typeof gcSchema>): readonly string[] {
  const line =
    (word: string) =>
    ({ image, bytes, why }: z.output<typeof versionSchema>): string =>
      `${word}  ${image}  ${formatBytes(bytes)}  ${why}`;
  const nothing = removed.length === 0 && files.length === 0 && partialBytes === 0;
  const sum = `${removed.length} versions, ${files.length} files, ${formatBytes(freedBytes)}`;
  return [
    ...kept.map(line('keep  ')),
    ...removed.map(line('remove')),
    ...(partialBytes === 0 ? [] : [`remove  parts of downloads  ${formatBytes(partialBytes)}`]),
    nothing ? 'nothing to remove' : dryRun ? `${sum} would go: anybios image gc --yes` : `removed: ${sum}`,
  ];
}
