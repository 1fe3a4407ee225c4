import { type Image, type TagMove, versionKey } from '../domain/image.js';
import { type ImageUser, usersText } from './image-use.js';

export interface ImageGcInput {
  readonly images: readonly Image[];
  readonly users: ReadonlyMap<string, readonly ImageUser[]>;
  /** Newest first. */
  readonly moves: readonly TagMove[];
  /** Epoch milliseconds. */
  readonly now: number;
  /** A version younger than this may be about to get its tag. */
  readonly minAgeMs: number;
}

export interface GcVersion {
  readonly image: Image;
  readonly why: string;
}

export interface ImageGc {
  readonly remove: readonly GcVersion[];
  readonly keep: readonly GcVersion[];
}

/**
 * What nobody needs: versions without a tag, without a user, not the one that a tag pointed to before (the way back), and not new.
 * The first reason to keep one is told.
 */
export function decideImageGc({ images, users, moves, now, minAgeMs }: ImageGcInput): ImageGc {
  const wayBack = previousTargets(moves);
  const remove: GcVersion[] = [];
  const keep: GcVersion[] = [];
  for (const image of images) {
    const key = versionKey(image);
    const used = users.get(key);
    const previous = wayBack.get(key);
    const [tag] = image.tags;
    const reason =
      used !== undefined && used.length > 0
        ? `used by ${usersText(used)}`
        : tag !== undefined
          ? `tag ${tag}`
          : previous !== undefined
            ? `was ${previous} before, for a roll-back`
            : now - image.createdAt < minAgeMs
              ? 'imported a short time ago'
              : undefined;
    if (reason === undefined) remove.push({ image, why: 'no tag, not used' });
    else keep.push({ image, why: reason });
  }
  return { remove, keep };
}

/** By `name:version`: the tag that left it last. One version for each tag: going back once is possible after any number of runs. */
function previousTargets(moves: readonly TagMove[]): ReadonlyMap<string, string> {
  const seen = new Set<string>();
  const targets = new Map<string, string>();
  for (const { name, tag, from } of moves) {
    const key = `${name}:${tag}`;
    if (seen.has(key) || from === undefined) continue;
    seen.add(key);
    targets.set(`${name}:${from}`, tag);
  }
  return targets;
}
