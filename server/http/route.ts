import express, { type Request, type RequestHandler, type Response, Router } from 'express';
import { z } from 'zod';
import { invalid } from '../domain/errors.js';
import { askedBy } from './auth.js';
import { parseJson } from './parse-json.js';

export type Method = 'get' | 'post' | 'put' | 'patch' | 'delete';

/** What a request carries. `bytes` is not read here: the handler streams it. `described` goes into openapi.json instead of `schema`. */
export type BodySpec<B extends z.ZodType> =
  | { readonly kind: 'none' }
  | { readonly kind: 'json'; readonly schema: B; readonly described?: z.ZodType }
  | { readonly kind: 'text'; readonly types: readonly string[]; readonly limitBytes: number; readonly schema: B }
  | { readonly kind: 'bytes' };

/** What a handler answers: `json` and `text` by returning it, `stream` by writing to the response itself. */
export type AnswerSpec<A extends z.ZodType> =
  | { readonly kind: 'json'; readonly schema: A; readonly described?: z.ZodType; readonly status?: number }
  | { readonly kind: 'text'; readonly type: string; readonly schema: A }
  | { readonly kind: 'stream'; readonly type: string }
  | { readonly kind: 'none' };

/** One route, written once: it is mounted in express and described in openapi.json from the same value. */
export interface Route {
  readonly method: Method;
  /** Below /api/v1, OpenAPI form: `/machines/{name}`. */
  readonly path: string;
  readonly summary: string;
  readonly description?: string;
  readonly params: z.ZodObject;
  readonly query: z.ZodObject;
  readonly body: BodySpec<z.ZodType>;
  readonly answer: AnswerSpec<z.ZodType>;
  readonly handlers: readonly RequestHandler[];
}

export interface RouteInput<P, Q, B> {
  readonly params: P;
  readonly query: Q;
  readonly body: B;
  /** Who asks: the name of the token. */
  readonly by: string;
  readonly request: Request;
  readonly response: Response;
}

/** Largest JSON body; a site file has a limit of its own. */
const JSON_LIMIT_BYTES = 1 << 20;
const NO_KEYS = z.strictObject({});

/** Checks what comes in by the schemas and hands it to `handle`; what `handle` returns must fit the schema of the answer. */
export function route<
  P extends z.ZodObject = typeof NO_KEYS,
  Q extends z.ZodObject = typeof NO_KEYS,
  B extends z.ZodType = z.ZodUndefined,
  A extends z.ZodType = z.ZodUndefined,
>(spec: {
  readonly method: Method;
  readonly path: string;
  readonly summary: string;
  readonly description?: string;
  readonly params?: P;
  readonly query?: Q;
  readonly body?: BodySpec<B>;
  readonly answer: AnswerSpec<A>;
  readonly handle: (input: RouteInput<z.output<P>, z.output<Q>, z.output<B>>) => z.input<A> | Promise<z.input<A>>;
}): Route {
  const params: z.ZodObject = spec.params ?? NO_KEYS;
  const query: z.ZodObject = spec.query ?? NO_KEYS;
  const body: BodySpec<z.ZodType> = spec.body ?? { kind: 'none' };
  const answer: AnswerSpec<z.ZodType> = spec.answer;
  const run: RequestHandler = async (request, response) => {
    // The schemas above are the very ones the handler's types were made from.
    const input = {
      params: params.parse(request.params),
      query: query.parse(request.query),
      body: readBody(body, request.body),
      by: askedBy(response),
      request,
      response,
    } as RouteInput<z.output<P>, z.output<Q>, z.output<B>>;
    const value = await spec.handle(input);
    // The handler sent the client elsewhere.
    if (answer.kind !== 'stream' && response.writableEnded) return;
    if (answer.kind === 'json') response.status(answer.status ?? 200).json(value);
    else if (answer.kind === 'text') response.type(answer.type).send(value);
    else if (answer.kind === 'none') response.status(204).end();
  };
  const { method, path, summary } = spec;
  const described = spec.description === undefined ? {} : { description: spec.description };
  return { method, path, summary, ...described, params, query, body, answer, handlers: [...readers(body), run] };
}

/** Names in paths; a machine may be named by a MAC too. */
export const nameParams = z.object({ name: z.string().min(1).max(253) });

/** `?dryRun=1`; absent = false. */
export const flagSchema = z
  .enum(['1', 'true', '0', 'false'])
  .default('false')
  .transform((word) => word === '1' || word === 'true');

/** A list that may go on: `next` is what to send as `next` for the following page. */
export const listOf = <T extends z.ZodType>(item: T) =>
  z.object({ items: z.array(item), next: z.string().optional().meta({ description: 'Send it as ?next= to go on.' }) });

export function mountRoutes(routes: readonly Route[]): Router {
  const router = Router();
  for (const { method, path, handlers } of routes) router[method](expressPath(path), ...handlers);
  return router;
}

/** `/machines/{name}` → `/machines/:name`. */
function expressPath(path: string): string {
  return path.replace(/\{(\w+)\}/g, ':$1');
}

function readers(body: BodySpec<z.ZodType>): RequestHandler[] {
  // As text, whatever the Content-Type says: our own parser names line and column of what is malformed.
  if (body.kind === 'json') return [express.text({ type: () => true, limit: JSON_LIMIT_BYTES })];
  if (body.kind === 'text') return [express.text({ type: () => true, limit: body.limitBytes })];
  return [];
}

function readBody(body: BodySpec<z.ZodType>, received: unknown): unknown {
  if (body.kind === 'none' || body.kind === 'bytes') return undefined;
  const text = typeof received === 'string' ? received : '';
  if (body.kind === 'text') return body.schema.parse(text);
  if (text === '') throw invalid('the request has no body', { remedy: 'send a JSON object' });
  return body.schema.parse(parseJson(text));
}
