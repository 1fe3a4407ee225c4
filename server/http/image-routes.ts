import { z } from 'zod';
import { conflict, invalid, notFound } from '../domain/errors.js';
import { IMAGE_PARTS, type Image, type ImageFile } from '../domain/image.js';
import type { ApiDeps } from './api-deps.js';
import {
  digestSchema,
  imageNameSchema,
  imageResource,
  imageSchema,
  newImageSchema,
  wordSchema,
} from './image-resource.js';
import { listOf, type Route, route } from './route.js';
import { Serial } from './serial.js';

const imageParams = z.object({ name: imageNameSchema, version: wordSchema });

/**
 * Images come in two steps: each file is uploaded by itself and known by its digest, then one small request names the files that
 * make a version. A kernel image's three parts appear together or not at all, and a file that is already here is sent once.
 */
export function imageRoutes(deps: Pick<ApiDeps, 'images' | 'state' | 'store' | 'events' | 'clock'>): Route[] {
  const { images, state, store } = deps;
  const serial = new Serial();

  const image = (name: string, version: string): Image => {
    const found = state.images.get(name)?.get(version);
    if (found !== undefined) return found;
    throw notFound(`there is no image ${name}:${version}`, { remedy: 'see: anybios image list' });
  };
  const note = (kind: string, message: string, by: string, { name, version }: Image): void =>
    deps.events.record({ source: 'api', kind, level: 'info', message, data: { name, version, by } });

  return [
    route({
      method: 'get',
      path: '/images',
      summary: 'Images: every version of every name',
      query: z.strictObject({ name: z.string().optional() }),
      answer: { kind: 'json', schema: listOf(imageSchema) },
      handle: ({ query }) => {
        const all = Array.from(state.images.values(), (versions) => Array.from(versions.values())).flat();
        const wanted = all.filter(({ name }) => query.name === undefined || name === query.name);
        wanted.sort((a, b) => a.name.localeCompare(b.name, 'en') || a.createdAt - b.createdAt);
        return { items: wanted.map(imageResource) };
      },
    }),
    route({
      method: 'post',
      path: '/image-files',
      summary: 'Uploads one file of an image (the body is the file)',
      description: 'Answers its digest. Uploading bytes that are already there changes nothing.',
      query: z.strictObject({
        digest: digestSchema.optional().meta({ description: 'If given, other bytes are refused.' }),
      }),
      body: { kind: 'bytes' },
      answer: { kind: 'json', schema: z.object({ digest: z.string(), size: z.number() }), status: 201 },
      handle: ({ query, request }) =>
        images.import(request, query.digest === undefined ? {} : { expectedDigest: query.digest }),
    }),
    route({
      method: 'get',
      path: '/image-files/{digest}',
      summary: 'Whether a file is here, by digest, and its size',
      params: z.object({ digest: digestSchema }),
      answer: { kind: 'json', schema: z.object({ digest: z.string(), size: z.number() }) },
      handle: async ({ params }) => {
        const size = await images.size(params.digest);
        if (size === undefined) throw notFound(`no file with sha256 ${params.digest} is here`, { field: 'digest' });
        return { digest: params.digest, size };
      },
    }),
    route({
      method: 'get',
      path: '/images/{name}/{version}',
      summary: 'One version of an image',
      params: imageParams,
      answer: { kind: 'json', schema: imageSchema },
      handle: ({ params }) => imageResource(image(params.name, params.version)),
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
          for (const tag of tags) refuseVersionAsTag(name, tag);
          const kept = new Set([...(old?.tags ?? []), ...tags]);
          const created: Image = {
            name,
            version,
            kind: body.kind,
            files,
            tags: [...kept],
            createdAt: old?.createdAt ?? deps.clock(),
          };
          await store.saveImage(created);
          state.putImage(created);
          if (old === undefined) note('image.imported', `image ${name}:${version} was imported`, by, created);
          return imageResource(created);
        }),
    }),
    route({
      method: 'put',
      path: '/images/{name}/tags/{tag}',
      summary: 'Moves a tag to another version: `stable` is what a bare name means',
      params: z.object({ name: imageNameSchema, tag: wordSchema }),
      body: { kind: 'json', schema: z.strictObject({ version: wordSchema }) },
      answer: { kind: 'json', schema: imageSchema },
      handle: ({ params, body, by }) =>
        serial.run(async () => {
          const target = image(params.name, body.version);
          refuseVersionAsTag(params.name, params.tag);
          await store.tagImage(params.name, body.version, params.tag);
          const tagged = { ...target, tags: [...new Set([...target.tags, params.tag])] };
          state.putImage(tagged);
          note('image.tagged', `${params.name}:${params.tag} is now version ${body.version}`, by, tagged);
          return imageResource(tagged);
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
          const doomed = image(params.name, params.version);
          const user = userOf(doomed);
          if (user !== undefined) {
            throw conflict(`${params.name}:${params.version} is used by ${user}`, {
              remedy: 'let it use another version first (move the tag, or change its image)',
            });
          }
          await store.removeImage(params.name, params.version);
          state.removeImage(params.name, params.version);
          note('image.removed', `image ${params.name}:${params.version} was removed`, by, doomed);
          const needed = new Set(
            Array.from(state.images.values(), (versions) => Array.from(versions.values()))
              .flat(2)
              .flatMap(({ files }) => files.map(({ digest }) => digest)),
          );
          for (const { digest } of doomed.files) if (!needed.has(digest)) await images.remove(digest);
          return undefined;
        }),
    }),
  ];

  function refuseVersionAsTag(name: string, tag: string): void {
    if (state.images.get(name)?.has(tag) === true) {
      throw conflict(`"${tag}" is a version of ${name}`, { field: 'tag', remedy: 'choose another word for the tag' });
    }
  }

  /** A profile or system whose reference leads to this very version now. */
  function userOf(doomed: Image): string | undefined {
    const same = (reference: string | undefined): boolean => {
      const found = reference === undefined ? undefined : state.image(reference);
      return found?.name === doomed.name && found.version === doomed.version;
    };
    for (const { name, kernel, rootfs } of state.profiles.values())
      if (same(kernel) || same(rootfs)) return `profile ${name}`;
    for (const { name, image: reference } of state.systems.values()) if (same(reference)) return `system ${name}`;
    return undefined;
  }
}

function sameFiles(old: Image, kind: Image['kind'], files: readonly ImageFile[]): boolean {
  return (
    old.kind === kind &&
    old.files.length === files.length &&
    files.every((file) => old.files.some(({ part, digest }) => part === file.part && digest === file.digest))
  );
}
