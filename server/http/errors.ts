import type { ErrorRequestHandler, RequestHandler } from 'express';
import { z } from 'zod';
import { AnybiosError, type ErrorCode, invalid, notFound } from '../domain/errors.js';
import type { ApiLog } from './api-deps.js';

/** The one table from failure to HTTP status. A storage failure is `unavailable` or `internal`, never `not_found`. */
export const STATUS: Readonly<Record<ErrorCode, number>> = {
  invalid: 400,
  unauthorized: 401,
  not_found: 404,
  conflict: 409,
  internal: 500,
  unavailable: 503,
};

export const errorSchema = z
  .object({
    error: z.object({
      code: z.enum(['invalid', 'unauthorized', 'not_found', 'conflict', 'internal', 'unavailable']),
      message: z.string().meta({ description: 'One sentence for a person.' }),
      field: z.string().optional().meta({ description: 'The key or argument that is wrong.' }),
      remedy: z.string().optional().meta({ description: 'What the reader can do about it.' }),
    }),
  })
  .meta({ id: 'Error' });

/** Every failure as one of ours; what nobody expected becomes `internal` without its text (it may hold paths or data). */
function asAnybiosError(error: unknown): AnybiosError {
  if (error instanceof AnybiosError) return error;
  if (error instanceof z.ZodError) return fromZod(error);
  if (error instanceof Error && 'type' in error && error.type === 'entity.too.large' && 'limit' in error) {
    return invalid(`the request body is larger than ${String(error.limit)} bytes`, {
      remedy: 'send less, or send it in parts',
    });
  }
  // Express and its body readers mark what the client did wrong with a 4xx status (malformed %-escapes, unknown charset).
  if (error instanceof Error && 'status' in error && typeof error.status === 'number' && error.status < 500) {
    return invalid(error.message);
  }
  return new AnybiosError('internal', 'the server failed to do this', {
    remedy: 'see the log of the server',
    cause: error,
  });
}

/** The first problem of a zod error; `z.strictObject` names keys that do not exist. */
function fromZod(error: z.ZodError): AnybiosError {
  const issue = error.issues[0];
  if (issue === undefined) return invalid('the request does not fit');
  const at = fieldPath(issue.path);
  if (issue.code === 'unrecognized_keys') {
    const key = issue.keys[0] ?? '';
    return invalid(`"${key}" is not known here`, {
      field: at === '' ? key : `${at}.${key}`,
      remedy: 'see /api/v1/openapi.json for what is allowed',
    });
  }
  const remedy = 'see /api/v1/openapi.json for what is allowed';
  if (at === '') return invalid(issue.message, { remedy });
  return invalid(`${at}: ${issue.message}`, { field: at, remedy });
}

function fieldPath(path: readonly PropertyKey[]): string {
  return path.reduce<string>((text, key) => {
    if (typeof key === 'number') return `${text}[${key}]`;
    return text === '' ? String(key) : `${text}.${String(key)}`;
  }, '');
}

/** Last in line: every failure leaves as `{error: {code, message, field?, remedy?}}`. */
export function errorHandler(log: ApiLog): ErrorRequestHandler {
  return (thrown: unknown, request, response, _next) => {
    // The client went away in the middle of its upload: nobody to answer, nothing to mend.
    if (request.destroyed && !request.complete) return;
    const error = asAnybiosError(thrown);
    if (error.code === 'internal' || error.code === 'unavailable') {
      log.error({ err: thrown, method: request.method, path: request.path }, `api: ${error.message}`);
    }
    // The answer has begun (a stream): only closing the connection tells the client.
    if (response.headersSent) {
      response.destroy();
      return;
    }
    if (error.code === 'unauthorized') response.setHeader('WWW-Authenticate', 'Bearer realm="anybios"');
    response.status(STATUS[error.code]).json({
      error: { code: error.code, message: error.message, field: error.field, remedy: error.remedy },
    } satisfies z.input<typeof errorSchema>);
  };
}

/** For paths under /api that no route answered. */
export const noSuchRoute: RequestHandler = (request) => {
  throw notFound(`there is no ${request.method} ${request.baseUrl}${request.path}`, {
    remedy: 'see /api/v1/openapi.json for what there is',
  });
};
