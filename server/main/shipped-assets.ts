import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Store } from '../domain/ports.js';
import type { ImageKeeper } from '../images/image-keeper.js';
import { registerShippedImages } from '../images/shipped.js';
import { assetsDir } from '../paths.js';

export type Flavour = 'cloud' | 'hardware';

/** Builds lie in boot-assets/out (cloud) and boot-assets/out/hardware. Default: hardware if it was built, else cloud. */
export function assetsOf(flavour: Flavour | undefined): string {
  const hardware = join(assetsDir, 'hardware');
  const wanted = flavour ?? (existsSync(join(hardware, 'manifest.json')) ? 'hardware' : 'cloud');
  return wanted === 'hardware' ? hardware : assetsDir;
}

/** New builds of the shipped images become `stable`; known ones are left as the operator tagged them. */
export async function saveShippedImages(
  store: Store,
  imageStore: ImageKeeper,
  assets: string,
  now: () => number,
): Promise<void> {
  const { images } = await store.load();
  for (const image of await registerShippedImages({ assetsDir: assets, imageStore, known: images, now })) {
    await store.saveImage(image);
    for (const tag of image.tags) await store.tagImage(image.name, image.version, tag);
  }
}
