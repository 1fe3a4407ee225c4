import type { z } from 'zod';
import { AnybiosError } from '../domain/errors.js';
import { readAnswer } from './api-schema.js';
import type { ApiClient, Query } from './client.js';

/** A list as the server sent it, and as its schema reads it. */
export interface Listing<T> {
  readonly items: readonly unknown[];
  readonly rows: readonly T[];
}

/** All items of a list, page by page, or the first `limit`. With `readRows` false the items are not read by the schema. */
export async function listAll<T extends z.ZodType>(
  api: ApiClient,
  path: string,
  schema: T,
  options: { readonly query?: Query; readonly limit?: number; readonly readRows?: boolean } = {},
): Promise<Listing<z.output<T>>> {
  const items: unknown[] = [];
  const limit = options.limit ?? Number.POSITIVE_INFINITY;
  let next: string | undefined;
  do {
    const page = await api.get(path, { ...options.query, next });
    const { items: more, next: following } = pageOf(page, path);
    items.push(...more);
    // A server that repeats itself must not hold us for ever.
    if (following !== undefined && following === next) break;
    next = following;
  } while (next !== undefined && items.length < limit);
  if (items.length > limit) items.length = limit;
  const rows =
    options.readRows === false ? [] : items.map((item, index) => readAnswer(schema, item, `${path}[${index}]`));
  return { items, rows };
}

function pageOf(
  page: unknown,
  path: string,
): { readonly items: readonly unknown[]; readonly next: string | undefined } {
  if (typeof page === 'object' && page !== null && 'items' in page && Array.isArray(page.items)) {
    const items: readonly unknown[] = page.items;
    return { items, next: 'next' in page && typeof page.next === 'string' ? page.next : undefined };
  }
  throw new AnybiosError('internal', `the server's answer is not understood: ${path} is not a list`, {
    remedy: 'use the anybios command of the same version as the server',
  });
}
