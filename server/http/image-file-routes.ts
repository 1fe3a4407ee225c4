import { z } from 'zod';
import { invalid, notFound } from '../domain/errors.js';
import type { ImageContext } from './image-context.js';
import { digestSchema } from './image-resource.js';
import { type Route, route } from './route.js';

const fileSchema = z.object({ digest: z.string(), size: z.number() });

/** Files of images, known by their digest, before and after an image is made of them. */
export function imageFileRoutes(context: ImageContext): Route[] {
  const { images } = context.deps;
  return [
    route({
      method: 'post',
      path: '/image-files',
      summary: 'Uploads one file of an image (the body is the file)',
      description:
        'Answers its digest. Uploading bytes that are already there changes nothing. The first request of a connection is taken by ' +
        'a process of its own; a later one is answered with 307 to the same URL, for a new connection.',
      query: z.strictObject({
        digest: digestSchema.optional().meta({ description: 'If given, other bytes are refused.' }),
      }),
      body: { kind: 'bytes' },
      answer: { kind: 'json', schema: fileSchema, status: 201 },
      handle: ({ request, response }) => {
        // Only what came on a connection that began otherwise gets here (images/upload-server.ts has the others).
        if (request.httpVersionMajor > 1) throw invalid('uploads come over HTTP/1.1');
        response.setHeader('Connection', 'close');
        response.status(307).location(request.originalUrl).end();
        return { digest: '', size: 0 };
      },
    }),
    route({
      method: 'get',
      path: '/image-files/{digest}',
      summary: 'Whether a file is here, by digest, and its size',
      description: 'A file that was asked for is not removed by `gc` for an hour.',
      params: z.object({ digest: digestSchema }),
      answer: { kind: 'json', schema: fileSchema },
      handle: async ({ params }) => {
        context.pin(params.digest);
        const size = await images.size(params.digest);
        if (size === undefined) throw notFound(`no file with sha256 ${params.digest} is here`, { field: 'digest' });
        return { digest: params.digest, size };
      },
    }),
  ];
}
