import { z } from 'zod';
import { systemReferences } from '../decide/image-use.js';
import { conflict, notFound } from '../domain/errors.js';
import type { ImageContext } from './image-context.js';
import { imageNameSchema, imageResource, imageSchema, wordSchema } from './image-resource.js';
import { imageUsage } from './image-usage.js';
import { iso, isoSchema } from './iso.js';
import { listOf, type Route, route } from './route.js';

const tagParams = z.object({ name: imageNameSchema, tag: wordSchema });
const moveSchema = z
  .object({
    tag: z.string(),
    from: z.string().optional().meta({ description: 'Version; absent: the tag was new.' }),
    to: z.string().optional().meta({ description: 'Version; absent: the tag was taken away.' }),
    by: z.string(),
    at: isoSchema,
  })
  .meta({ id: 'TagMove' });

/** Tags move between the versions of one name; every move is kept, so that going back is one move more. */
export function imageTagRoutes(context: ImageContext): Route[] {
  const { state, store, clock } = context.deps;
  return [
    route({
      method: 'get',
      path: '/images/{name}/tags',
      summary: 'Where the tags of a name have been, newest move first',
      params: z.object({ name: imageNameSchema }),
      answer: { kind: 'json', schema: listOf(moveSchema) },
      handle: async ({ params }) => {
        const moves = await store.tagMoves(params.name);
        if (moves.length === 0 && !state.images.has(params.name)) {
          throw notFound(`there is no image ${params.name}`, { remedy: 'see: anybios image list' });
        }
        return { items: moves.map(({ tag, from, to, by, at }) => ({ tag, from, to, by, at: iso(at) })) };
      },
    }),
    route({
      method: 'put',
      path: '/images/{name}/tags/{tag}',
      summary: 'Moves a tag to another version: `stable` is what a bare name means',
      params: tagParams,
      body: {
        kind: 'json',
        schema: z.strictObject({ version: wordSchema.meta({ description: 'A version, or a tag of this name.' }) }),
      },
      answer: { kind: 'json', schema: imageSchema },
      handle: ({ params, body, by }) =>
        context.serial.run(async () => {
          const { name, tag } = params;
          const target = state.image(`${name}:${body.version}`) ?? context.image(name, body.version);
          context.refuseVersionAsTag(name, tag);
          const from = state.image(`${name}:${tag}`)?.version;
          await store.tagImage(name, target.version, tag, { by, at: clock() });
          const tagged = { ...target, tags: [...new Set([...target.tags, tag])] };
          state.putImage(tagged);
          if (from !== target.version) {
            const before = from === undefined ? '' : `, before it was ${from}`;
            const message = `${name}:${tag} is now version ${target.version}${before}`;
            context.note('image.tagged', message, by, tagged, { tag, from: from ?? null });
          }
          return imageResource(tagged, state, imageUsage(context.deps));
        }),
    }),
    route({
      method: 'delete',
      path: '/images/{name}/tags/{tag}',
      summary: 'Takes a tag away, unless something is named by it',
      params: tagParams,
      answer: { kind: 'none' },
      handle: ({ params, by }) =>
        context.serial.run(async () => {
          const { name, tag } = params;
          const tagged = state.image(`${name}:${tag}`);
          if (tagged === undefined || !tagged.tags.includes(tag)) {
            throw notFound(`there is no tag ${name}:${tag}`, { remedy: `see: anybios image tag ${name}` });
          }
          const user = namedBy(tag === 'stable' ? [name, `${name}:stable`] : [`${name}:${tag}`]);
          if (user !== undefined) {
            throw conflict(`${user} names ${name}:${tag}`, { remedy: 'let it name another version or tag first' });
          }
          await store.tagImage(name, undefined, tag, { by, at: clock() });
          state.untagImage(name, tag);
          context.note('image.untagged', `${name}:${tag} is no longer version ${tagged.version}`, by, tagged, { tag });
          return undefined;
        }),
    }),
  ];

  /** A profile or system that has one of these references in its definition. */
  function namedBy(references: readonly string[]): string | undefined {
    for (const { name, kernel, rootfs } of state.profiles.values()) {
      if (references.includes(kernel ?? '') || references.includes(rootfs ?? '')) return `profile ${name}`;
    }
    for (const system of state.systems.values()) {
      if (systemReferences(system).some((own) => references.includes(own))) return `system ${system.name}`;
    }
    return undefined;
  }
}
