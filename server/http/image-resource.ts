import { z } from 'zod';
import type { ImageUser } from '../decide/image-use.js';
import { type Digest, parseDigest } from '../domain/digest.js';
import { type Image, versionKey } from '../domain/image.js';
import type { State } from '../state/state.js';
import { iso, isoSchema } from './iso.js';

export const digestSchema = z
  .string()
  .transform((text): Digest => parseDigest(text))
  .meta({ type: 'string', pattern: '^[0-9a-f]{64}$', description: 'sha256 in lower-case hex.' });

const PARTS = ['vmlinuz', 'initrd', 'modules', 'rootfs', 'disk'] as const;
const KINDS = ['kernel', 'rootfs', 'disk'] as const;
/** As in the image references of profiles and systems: `name:version`. */
export const imageNameSchema = z
  .string()
  .regex(/^[a-z0-9][a-z0-9._-]{0,62}$/, 'write lower-case letters, digits, ".", "_" or "-" (at most 63)');
export const wordSchema = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/, 'write letters, digits, ".", "_" or "-" (at most 128)');

export const imageSchema = z
  .object({
    name: z.string(),
    version: z.string(),
    kind: z.enum(KINDS),
    files: z.array(z.object({ part: z.enum(PARTS), digest: z.string(), size: z.number() })),
    tags: z.array(z.string()),
    createdAt: isoSchema,
    source: z.string().optional().meta({ description: 'Where it was imported from.' }),
    usedBy: z
      .array(z.object({ kind: z.enum(['profile', 'system', 'machine']), name: z.string() }))
      .meta({ description: 'Who needs this version now; machines: those that boot or run from it.' }),
    damaged: z.array(z.enum(PARTS)).meta({ description: 'Parts that failed their verification: not served.' }),
  })
  .meta({ id: 'Image' });

/** What makes an image of files that were uploaded before: all its parts at once, so that no half image can exist. */
export const newImageSchema = z.strictObject({
  kind: z.enum(KINDS),
  files: z
    .partialRecord(z.enum(PARTS), digestSchema)
    .meta({ description: 'Part → digest. kernel: vmlinuz, initrd, modules; rootfs: rootfs; disk: disk.' }),
  tags: z
    .array(wordSchema)
    .optional()
    .meta({ description: 'Absent: `stable` when no other version of this name has it.' }),
  source: z.string().min(1).max(1000).optional().meta({ description: 'Where it comes from, for people.' }),
});

export function imageResource(
  image: Image,
  state: Pick<State, 'damaged'>,
  usage: ReadonlyMap<string, readonly ImageUser[]>,
): z.input<typeof imageSchema> {
  return {
    ...image,
    files: image.files.map((file) => ({ ...file })),
    tags: [...image.tags],
    createdAt: iso(image.createdAt),
    usedBy: [...(usage.get(versionKey(image)) ?? [])],
    damaged: image.files.filter(({ digest }) => state.damaged.has(digest)).map(({ part }) => part),
  };
}
