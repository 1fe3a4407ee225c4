import type { Kysely } from 'kysely';
import { conflict, notFound } from '../../domain/errors.js';
import type { Image } from '../../domain/image.js';
import type { Calls } from '../calls.js';
import { fromJson } from '../json.js';
import type { ImageRow, ImageTagRow, Tables } from '../tables.js';

export const imageCalls: Pick<Calls, 'saveImage' | 'removeImage' | 'tagImage'> = {
  async saveImage(database, image) {
    const { name, version, kind } = image;
    const files = JSON.stringify(image.files);
    const { numInsertedOrUpdatedRows } = await database
      .insertInto('images')
      .values({ name, version, kind, files, created_ms: image.createdAt })
      .onConflict((on) => on.columns(['name', 'version']).doNothing())
      .executeTakeFirstOrThrow();
    if (numInsertedOrUpdatedRows === 0n) await refuseOtherContent(database, image, files);
    // The image as given is the whole truth: tags it does not list are taken from it.
    await database.deleteFrom('image_tags').where('name', '=', name).where('version', '=', version).execute();
    for (const tag of image.tags) await moveTag(database, { name, version, tag });
  },
  async removeImage(database, name, version) {
    await database.deleteFrom('images').where('name', '=', name).where('version', '=', version).execute();
  },
  async tagImage(database, name, version, tag) {
    const image = await database
      .selectFrom('images')
      .select('name')
      .where('name', '=', name)
      .where('version', '=', version)
      .executeTakeFirst();
    if (image === undefined) throw notFound(`there is no image ${name}:${version}`, { field: 'image' });
    await moveTag(database, { name, version, tag });
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
  };
}

async function moveTag(database: Kysely<Tables>, row: ImageTagRow): Promise<void> {
  const { version } = row;
  await database
    .insertInto('image_tags')
    .values(row)
    .onConflict((on) => on.columns(['name', 'tag']).doUpdateSet({ version }))
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
