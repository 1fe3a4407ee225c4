import { z } from 'zod';
import type { Digest } from '../domain/digest.js';
import { notFound } from '../domain/errors.js';
import { type Image, versionKey } from '../domain/image.js';
import { shownUrl } from '../domain/shown-url.js';
import type { ImageContext } from './image-context.js';
import { digestSchema } from './image-resource.js';
import type { ImageTask, TaskContext } from './image-tasks.js';
import { iso, isoSchema } from './iso.js';
import { type Route, route } from './route.js';

const GIB = 1 << 30;
const DEFAULT_LIMIT = 16 * GIB;
const LARGEST_LIMIT = 1024 * GIB;

const verifiedSchema = z.object({
  digest: z.string(),
  state: z.enum(['ok', 'damaged', 'missing']),
  images: z.array(z.string()).meta({ description: 'The versions that have this file.' }),
});
const taskSchema = z
  .object({
    id: z.string(),
    kind: z.enum(['fetch', 'verify']),
    state: z.enum(['running', 'done', 'failed', 'cancelled']),
    doing: z.string().meta({ description: 'What it is at: a URL after its redirects, an image.' }),
    bytes: z.number(),
    total: z.number().optional().meta({ description: 'Absent: not known.' }),
    by: z.string(),
    startedAt: isoSchema,
    fetched: z
      .object({ digest: z.string(), size: z.number(), url: z.string(), address: z.string() })
      .optional()
      .meta({ description: 'Of a download that is done: where the bytes came from.' }),
    verified: z.array(verifiedSchema).optional().meta({ description: 'Of a verification that is done.' }),
    error: z.object({ code: z.string(), message: z.string(), remedy: z.string().optional() }).optional(),
  })
  .meta({ id: 'ImageTask' });

type Fetched = NonNullable<z.input<typeof taskSchema>['fetched']>;
type Verified = z.input<typeof verifiedSchema>;

/** Downloads and verifications: started by a request, then watched by others. They run in the process that keeps the files. */
export function imageTaskRoutes(context: ImageContext): Route[] {
  const { images, state, events } = context.deps;
  const { tasks } = context;

  return [
    route({
      method: 'post',
      path: '/image-fetches',
      summary: 'Downloads a file of an image from a URL (http, https)',
      description:
        'The server itself connects, so the URL may name what only it can reach; where the bytes came from is told, with the ' +
        'address, in the task and in an event. At most five redirects, none from https to http. A broken download goes on where it ' +
        'stopped, also when the same URL is asked for again later.',
      body: {
        kind: 'json',
        schema: z.strictObject({
          url: z.url({ protocol: /^https?$/ }),
          digest: digestSchema.optional().meta({ description: 'If given, other bytes are refused.' }),
          maxBytes: z.int().min(1).max(LARGEST_LIMIT).default(DEFAULT_LIMIT),
        }),
      },
      answer: { kind: 'json', schema: taskSchema, status: 202 },
      handle: ({ body, by }) => {
        const { url, digest, maxBytes } = body;
        const request = { url, maxBytes, ...(digest === undefined ? {} : { expectedDigest: digest }) };
        const task = tasks.start('fetch', shownUrl(url), by, async (own): Promise<Fetched> => {
          const fetched = await images.fetch(request, { signal: own.signal, onProgress: own.progress });
          context.pin(fetched.digest);
          await context.deps.damageChanged();
          const message = `downloaded ${fetched.size} bytes from ${fetched.url} (${fetched.address})`;
          events.record({ source: 'api', kind: 'image.fetched', level: 'info', message, data: { ...fetched, by } });
          return fetched;
        });
        return taskResource(task);
      },
    }),
    route({
      method: 'post',
      path: '/image-checks',
      summary: 'Reads every byte of images and compares the digests',
      description: 'A damaged file is not served any more, until the same bytes are imported again.',
      body: {
        kind: 'json',
        schema: z.strictObject({
          images: z
            .array(z.string())
            .optional()
            .meta({ description: 'References (`name`, `name:version`); absent: all.' }),
        }),
      },
      answer: { kind: 'json', schema: taskSchema, status: 202 },
      handle: ({ body, by }) => {
        const wanted = body.images === undefined ? context.all() : body.images.map(find);
        const task = tasks.start('verify', 'verifying', by, (own) => verify(wanted, own));
        return taskResource(task);
      },
    }),
    route({
      method: 'get',
      path: '/image-tasks/{id}',
      summary: 'How far a download or verification is, and its result',
      params: z.object({ id: z.string() }),
      answer: { kind: 'json', schema: taskSchema },
      handle: ({ params }) => taskResource(tasks.get(params.id)),
    }),
    route({
      method: 'delete',
      path: '/image-tasks/{id}',
      summary: 'Stops a download or verification',
      params: z.object({ id: z.string() }),
      answer: { kind: 'none' },
      handle: ({ params }) => {
        tasks.cancel(params.id);
        return undefined;
      },
    }),
  ];

  function find(reference: string): Image {
    const found = state.image(reference);
    if (found !== undefined) return found;
    throw notFound(`there is no image ${reference}`, { field: 'images', remedy: 'see: anybios image list' });
  }

  async function verify(wanted: readonly Image[], { signal, progress }: TaskContext): Promise<Verified[]> {
    const files = new Map<Digest, { readonly size: number; readonly images: string[] }>();
    for (const image of wanted) {
      for (const { digest, size } of image.files) {
        const file = files.get(digest) ?? { size, images: [] };
        file.images.push(versionKey(image));
        files.set(digest, file);
      }
    }
    const total = [...files.values()].reduce((sum, { size }) => sum + size, 0);
    const verified: Verified[] = [];
    let before = 0;
    for (const [digest, { size, images: names }] of files) {
      const doing = names.join(', ');
      const onProgress = ({ bytes }: { readonly bytes: number }): void =>
        progress({ bytes: before + bytes, total, doing });
      onProgress({ bytes: 0 });
      verified.push({ digest, state: await images.verify(digest, { signal, onProgress }), images: names });
      before += size;
      progress({ bytes: before, total, doing });
    }
    await context.deps.damageChanged();
    return verified;
  }
}

function taskResource(task: ImageTask): z.input<typeof taskSchema> {
  const { id, kind, state, doing, bytes, total, by, startedAt, result, error } = task;
  return {
    id,
    kind,
    state,
    doing,
    bytes,
    total,
    by,
    startedAt: iso(startedAt),
    // Each kind has the one result that its work above returns.
    ...(result === undefined
      ? {}
      : kind === 'fetch'
        ? { fetched: result as Fetched }
        : { verified: result as Verified[] }),
    ...(error === undefined ? {} : { error: { code: error.code, message: error.message, remedy: error.remedy } }),
  };
}
