import type { Kysely } from 'kysely';
import { conflict, notFound } from '../../domain/errors.js';
import type { Image } from '../../domain/image.js';
import type { Who } from '../../domain/ports.js';
import type { Calls } from '../calls.js';
import { fromJson } from '../json.js';
import type { ImageRow, ImageTagRow, Tables } from '../tables.js';

const TAG_MOVES_TOLD = 1000;

const server = (): Who => ({ by: 'server', at: Date.now() });

export const imageCalls: Pick<Calls, 'saveImage' | 'removeImage' | 'tagImage' | 'tagMoves'> = {
  async saveImage(database, image, who = server()) {
    const { name, version, kind } = image;
    const files = JSON.stringify(image.files);
    const { numInsertedOrUpdatedRows } = await database
      .insertInto('images')
      .values({ name, version, kind, files, created_ms: image.createdAt, source: image.source ?? null })
      .onConflict((on) => on.columns(['name', 'version']).doNothing())
      .executeTakeFirstOrThrow();
    if (numInsertedOrUpdatedRows === 0n) await refuseOtherContent(database, image, files);
    // The image as given is the whole truth: tags it does not list are taken from it.
    for (const tag of await tagsOf(database, name, version)) {
      if (!image.tags.includes(tag)) await moveTag(database, { name, tag }, undefined, who);
    }
    for (const tag of image.tags) await moveTag(database, { name, tag }, version, who);
  },
  async removeImage(database, name, version, who = server()) {
    for (const tag of await tagsOf(database, name, version)) await moveTag(database, { name, tag }, undefined, who);
    await database.deleteFrom('images').where('name', '=', name).where('version', '=', version).execute();
  },
  async tagImage(database, name, given, tag, who = server()) {
    // Between threads, undefined arrives as null.
    const version = given ?? undefined;
    if (version !== undefined) {
      const image = await database
        .selectFrom('images')
        .select('name')
        .where('name', '=', name)
        .where('version', '=', version)
        .executeTakeFirst();
      if (image === undefined) throw notFound(`there is no image ${name}:${version}`, { field: 'image' });
    }
    await moveTag(database, { name, tag }, version, who);
  },
  async tagMoves(database, name) {
    const rows = await database
      .selectFrom('image_tag_moves')
      .selectAll()
      .$if(name !== undefined && name !== null, (query) => query.where('name', '=', name ?? ''))
      .orderBy('sequence', 'desc')
      .limit(TAG_MOVES_TOLD)
      .execute();
    return rows.map((row) => ({
      name: row.name,
      tag: row.tag,
      ...(row.from_version === null ? {} : { from: row.from_version }),
      ...(row.to_version === null ? {} : { to: row.to_version }),
      by: row.by,
      at: row.at_ms,
    }));
  },
};

export function rowToImage(row: ImageRow, tags: readonly string[]): Image {
  return {
    name: row.name,
    version: row.version,
    kind: row.kind as Image['kind'],
    files: fromJson<Image['files']>(row.files),
    tags,
    createdAt: row.created_ms,
    ...(row.source === null ? {} : { source: row.source }),
  };
}

async function tagsOf(database: Kysely<Tables>, name: string, version: string): Promise<readonly string[]> {
  const rows = await database
    .selectFrom('image_tags')
    .select('tag')
    .where('name', '=', name)
    .where('version', '=', version)
    .execute();
  return rows.map(({ tag }) => tag);
}

/** Undefined = the tag is taken away. A tag that stays where it is leaves no trace. */
async function moveTag(
  database: Kysely<Tables>,
  { name, tag }: Pick<ImageTagRow, 'name' | 'tag'>,
  version: string | undefined,
  { by, at }: Who,
): Promise<void> {
  const old = await database
    .selectFrom('image_tags')
    .select('version')
    .where('name', '=', name)
    .where('tag', '=', tag)
    .executeTakeFirst();
  if (old?.version === version) return;
  if (version === undefined) {
    await database.deleteFrom('image_tags').where('name', '=', name).where('tag', '=', tag).execute();
  } else {
    await database
      .insertInto('image_tags')
      .values({ name, tag, version })
      .onConflict((on) => on.columns(['name', 'tag']).doUpdateSet({ version }))
      .execute();
  }
  await database
    .insertInto('image_tag_moves')
    .values({ at_ms: at, by, name, tag, from_version: old?.version ?? null, to_version: version ?? null })
    .execute();
}

/** An image is immutable: its version may be saved again (tags), but never with other files. */
async function refuseOtherContent(database: Kysely<Tables>, image: Image, files: string): Promise<void> {
  const { name, version } = image;
  const old = await database
    .selectFrom('images')
    .select('files')
    .where('name', '=', name)
    .where('version', '=', version)
    .executeTakeFirstOrThrow();
  if (old.files === files) return;
  throw conflict(`image ${name}:${version} exists with other files`, {
    field: 'version',
    remedy: 'give the new files another version, or remove the old image first',
  });
}
