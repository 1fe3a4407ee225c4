import { z } from 'zod';
import { decideImageGc } from '../decide/image-gc.js';
import type { Digest } from '../domain/digest.js';
import { versionKey } from '../domain/image.js';
import { FILE_QUIET_MS, type ImageContext } from './image-context.js';
import { imageUsage } from './image-usage.js';
import { type Route, route } from './route.js';

const HOUR_MS = 3600 * 1000;
/** A part of a download is worth keeping for a new try, not for ever. */
const PARTIAL_QUIET_MS = 7 * 24 * HOUR_MS;

const versionSchema = z.object({ image: z.string(), bytes: z.number(), why: z.string() });
const gcSchema = z
  .object({
    dryRun: z.boolean(),
    removed: z.array(versionSchema).meta({ description: 'Versions; with dryRun those that would be.' }),
    kept: z.array(versionSchema),
    files: z
      .array(z.object({ digest: z.string(), size: z.number() }))
      .meta({ description: 'Files that no version that stays has.' }),
    partialBytes: z.number().meta({ description: 'Of downloads that were given up.' }),
    freedBytes: z.number(),
  })
  .meta({ id: 'ImageGc' });

/** Removes what nobody needs. A dry run unless asked otherwise: what is gone cannot be rolled back to. */
export function imageGcRoute(context: ImageContext): Route {
  const { deps, serial } = context;
  const { images, store, clock } = deps;

  return route({
    method: 'post',
    path: '/image-gc',
    summary: 'Removes versions and files that nothing uses',
    description:
      'Kept is what has a tag, what a profile, a system, or a machine that boots or runs uses, the version that each tag pointed ' +
      'to before, and what is younger than `minAgeHours`.',
    body: {
      kind: 'json',
      schema: z.strictObject({
        dryRun: z.boolean().default(true),
        minAgeHours: z
          .number()
          .min(0)
          .max(24 * 365)
          .default(24),
      }),
    },
    answer: { kind: 'json', schema: gcSchema },
    handle: ({ body, by }) =>
      // In the queue of all changes of images: none is half made now.
      serial.run(async () => {
        const { dryRun } = body;
        const moves = await store.tagMoves();
        const listed = await images.list();
        // From here to the removal from the memory nothing is awaited: what a machine was told until now counts, and it is told nothing of this later.
        const plan = decideImageGc({
          images: context.all(),
          users: imageUsage(deps),
          moves,
          now: clock(),
          minAgeMs: body.minAgeHours * HOUR_MS,
        });
        const stays = new Set(plan.keep.flatMap(({ image }) => image.files.map(({ digest }) => digest)));
        const going = new Set(plan.remove.flatMap(({ image }) => image.files.map(({ digest }) => digest)));
        const files = listed.filter(
          ({ digest, ageMs }) =>
            !stays.has(digest) && !context.isPinned(digest) && (going.has(digest) || ageMs > FILE_QUIET_MS),
        );
        if (!dryRun) {
          // The removal of each begins with the memory: all of those are gone before the first await returns.
          await Promise.all(plan.remove.map(({ image }) => context.removeVersion(image, by)));
          const unused = files.map(({ digest }) => digest).filter((digest) => !context.isNeeded(digest));
          await images.remove(unused.filter((digest) => going.has(digest)));
          // Who uploads these very bytes now finds them young, and they stay.
          await images.remove(
            unused.filter((digest) => !going.has(digest)),
            FILE_QUIET_MS,
          );
        }
        const partialBytes = await images.clearPartial(PARTIAL_QUIET_MS, dryRun);
        const freedBytes = files.reduce((sum, { size }) => sum + size, partialBytes);
        return {
          dryRun,
          removed: plan.remove.map(lineOf),
          kept: plan.keep.map(lineOf),
          files: files.map(({ digest, size }: { digest: Digest; size: number }) => ({ digest, size })),
          partialBytes,
          freedBytes,
        };
      }),
  });
}

function lineOf({ image, why }: ReturnType<typeof decideImageGc>['keep'][number]): z.input<typeof versionSchema> {
  return { image: versionKey(image), bytes: image.files.reduce((sum, { size }) => sum + size, 0), why };
}
