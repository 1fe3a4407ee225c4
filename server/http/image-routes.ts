import { z } from 'zod';
import { usersText } from '../decide/image-use.js';
import { conflict, invalid, notFound } from '../domain/errors.js';
import { IMAGE_PARTS, type Image, type ImageFile, versionKey } from '../domain/image.js';
import { ImageContext, type ImageDeps } from './image-context.js';
import { imageFileRoutes } from './image-file-routes.js';
import { imageGcRoute } from './image-gc-route.js';
import { imageNameSchema, imageResource, imageSchema, newImageSchema, wordSchema } from './image-resource.js';
import { imageTagRoutes } from './image-tag-routes.js';
import { imageTaskRoutes } from './image-task-routes.js';
import { imageUsage } from './image-usage.js';
import { flagSchema, listOf, type Route, route } from './route.js';

const imageParams = z.object({ name: imageNameSchema, version: wordSchema });

/**
 * Images come in two steps: each file is uploaded by itself and known by its digest, then one small request names the files that
 * make a version. A kernel image's three parts appear together or not at all, and a file that is already here is sent once.
 */
export function imageRoutes(deps: ImageDeps): Route[] {
  const { images, state, store } = deps;
  const context = new ImageContext(deps);
  const { serial } = context;

  return [
    // Before the versions: `tags` is no version of an image.
    ...imageTagRoutes(context),
    route({
      method: 'get',
      path: '/images',
      summary: 'Images: every version of every name',
      query: z.strictObject({
        name: z.string().optional(),
        damaged: flagSchema.meta({ description: 'Only those with a file that is damaged.' }),
      }),
      answer: { kind: 'json', schema: listOf(imageSchema) },
      handle: ({ query }) => {
        const { name, damaged } = query;
        const isDamaged = ({ files }: Image): boolean => files.some(({ digest }) => state.damaged.has(digest));
        const wanted = context
          .all()
          .filter((image) => (name === undefined || image.name === name) && (!damaged || isDamaged(image)));
        wanted.sort((a, b) => a.name.localeCompare(b.name, 'en') || a.createdAt - b.createdAt);
        const usage = wanted.length === 0 ? new Map() : imageUsage(deps);
        return { items: wanted.map((image) => imageResource(image, state, usage)) };
      },
    }),
    route({
      method: 'get',
      path: '/images/{name}/{version}',
      summary: 'One version of an image',
      params: imageParams,
      answer: { kind: 'json', schema: imageSchema },
      handle: ({ params }) => resource(context.image(params.name, params.version)),
    }),
    route({
      method: 'put',
      path: '/images/{name}/{version}',
      summary: 'Makes a version of an image from uploaded files',
      description: 'A version never changes: the same files again are accepted, other files are a conflict.',
      params: imageParams,
      body: { kind: 'json', schema: newImageSchema },
      answer: { kind: 'json', schema: imageSchema },
      handle: ({ params, body, by }) =>
        serial.run(async () => {
          const { name, version } = params;
          const files: ImageFile[] = [];
          for (const part of IMAGE_PARTS[body.kind]) {
            const digest = body.files[part];
            if (digest === undefined) {
              throw invalid(`a ${body.kind} image needs the part "${part}"`, {
                field: `files.${part}`,
                remedy: `send the digests of ${IMAGE_PARTS[body.kind].join(', ')}`,
              });
            }
            const size = await images.size(digest);
            if (size === undefined) {
              throw notFound(`no file with sha256 ${digest} is here`, {
                field: `files.${part}`,
                remedy: 'upload it first: POST /api/v1/image-files',
              });
            }
            files.push({ part, digest, size });
          }
          const extra = Object.keys(body.files).find((part) => !files.some((file) => file.part === part));
          if (extra !== undefined) {
            throw invalid(`a ${body.kind} image has no part "${extra}"`, { field: `files.${extra}` });
          }
          const old = state.images.get(name)?.get(version);
          if (old !== undefined && !sameFiles(old, body.kind, files)) {
            throw conflict(`${name}:${version} exists with other files`, { remedy: 'choose another version' });
          }
          const tags = body.tags ?? (state.image(`${name}:stable`) === undefined ? ['stable'] : []);
          for (const tag of tags) context.refuseVersionAsTag(name, tag);
          const kept = new Set([...(old?.tags ?? []), ...tags]);
          const source = old === undefined ? body.source : old.source;
          const created: Image = {
            name,
            version,
            kind: body.kind,
            files,
            tags: [...kept],
            createdAt: old?.createdAt ?? deps.clock(),
            ...(source === undefined ? {} : { source }),
          };
          const moved = tags.filter((tag) => old?.tags.includes(tag) !== true);
          const before = moved.map((tag) => state.image(`${name}:${tag}`)?.version);
          await store.saveImage(created, { by, at: deps.clock() });
          state.putImage(created);
          if (old === undefined) {
            const from = body.source === undefined ? '' : ` from ${body.source}`;
            context.note('image.imported', `image ${name}:${version} was imported${from}`, by, created);
          }
          for (const [index, tag] of moved.entries()) {
            const message = `${name}:${tag} is now version ${version}`;
            context.note('image.tagged', message, by, created, { tag, from: before[index] ?? null });
          }
          return resource(created);
        }),
    }),
    route({
      method: 'delete',
      path: '/images/{name}/{version}',
      summary: 'Removes a version that nothing uses, and its files unless another image has them',
      params: imageParams,
      answer: { kind: 'none' },
      handle: ({ params, by }) =>
        serial.run(async () => {
          const doomed = context.image(params.name, params.version);
          const users = imageUsage(deps).get(versionKey(doomed)) ?? [];
          if (users.length > 0) {
            throw conflict(`${versionKey(doomed)} is used by ${usersText(users)}`, {
              remedy: 'let it use another version first (move the tag, or change its image); a machine, by a reboot',
            });
          }
          await context.removeVersion(doomed, by);
          const unused = doomed.files.map(({ digest }) => digest).filter((digest) => !context.isNeeded(digest));
          await images.remove(unused);
          return undefined;
        }),
    }),
    ...imageFileRoutes(context),
    ...imageTaskRoutes(context),
    imageGcRoute(context),
  ];

  function resource(image: Image) {
    return imageResource(image, state, imageUsage(deps));
  }
}

function sameFiles(old: Image, kind: Image['kind'], files: readonly ImageFile[]): boolean {
  return (
    old.kind === kind &&
    old.files.length === files.length &&
    files.every((file) => old.files.some(({ part, digest }) => part === file.part && digest === file.digest))
  );
}
