import { z } from 'zod';
import { readAnswer } from '../api-schema.js';
import type { ApiClient } from '../client.js';
import { failureOf } from '../failure.js';
import { type Check, failed, ok, skipped, warning } from './check.js';

const LABEL = 'images';
/** Named in one line at most; the rest is counted. */
const NAMED = 4;
const REMEDY = 'import the same files again (anybios image import); anybios image verify reads all of them';

const damagedSchema = z.object({
  items: z.array(
    z.object({ name: z.string(), version: z.string(), damaged: z.array(z.string()), usedBy: z.array(z.unknown()) }),
  ),
});
type Damaged = z.output<typeof damagedSchema>['items'][number];

/** What the running server serves to nobody because its bytes are not what they were. */
export async function damagedImagesCheck(api: Pick<ApiClient, 'get'>): Promise<Check> {
  try {
    return judgeDamaged(readAnswer(damagedSchema, await api.get('/images?damaged=1'), 'images').items);
  } catch (error) {
    return skipped(LABEL, `whether images are damaged is not known: ${failureOf(error).message}`);
  }
}

export function judgeDamaged(images: readonly Damaged[]): Check {
  if (images.length === 0) return ok(LABEL, 'none is known to be damaged');
  const named = images
    .slice(0, NAMED)
    .map(({ name, version, damaged }) => `${name}:${version} (${damaged.join(', ')})`);
  const more = images.length > NAMED ? `, and ${images.length - NAMED} more` : '';
  const text = `damaged and not served: ${named.join(', ')}${more}`;
  // Something would boot from it, and cannot.
  return images.some(({ usedBy }) => usedBy.length > 0) ? failed(LABEL, text, REMEDY) : warning(LABEL, text, REMEDY);
}
