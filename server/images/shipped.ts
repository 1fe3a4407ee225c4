import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { type Digest, parseDigest } from '../domain/digest.js';
import { AnybiosError, unavailable } from '../domain/errors.js';
import { IMAGE_PARTS, type Image, type ImageFile, type ImageKind, type ImagePart } from '../domain/image.js';
import { resolveInside } from './site-files.js';
import type { ImageStore, StoredFile } from './store.js';

const BUILD = 'run: npx anybios assets build';

const fileSchema = z.object({
  /** Below the folder of the manifest. */
  path: z.string(),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  size: z.number().int().nonnegative(),
});
type AssetFile = z.infer<typeof fileSchema>;

const rootfsSchema = z.object({ version: z.string().min(1), files: z.object({ rootfs: fileSchema }) });
const manifestSchema = z.object({
  kernel: z.object({
    version: z.string().min(1),
    flavour: z.string().optional(),
    files: z.object({ vmlinuz: fileSchema, initrd: fileSchema, modules: fileSchema }),
  }),
  micro: rootfsSchema,
  base: rootfsSchema,
  /** Absent in a build from before there was one. */
  live: rootfsSchema.optional(),
  bootloaders: z.record(z.string(), fileSchema),
});
export type AssetsManifest = z.infer<typeof manifestSchema>;

/** What `anybios assets build` made. Throws `unavailable` with the remedy when it has not run or its result is damaged. */
async function readAssetsManifest(assetsDir: string): Promise<AssetsManifest> {
  const path = join(assetsDir, 'manifest.json');
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    throw unavailable(`the boot assets are not built (no ${path})`, { remedy: BUILD, cause });
  }
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw unavailable(`${path} is not JSON`, { remedy: BUILD, cause });
  }
  const checked = manifestSchema.safeParse(json);
  if (checked.success) return checked.data;
  const issue = checked.error.issues[0];
  throw unavailable(`${path}: ${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'not as expected'}`, {
    remedy: BUILD,
  });
}

/** An ImageStore, or the process that keeps one. */
interface ShippedImporter extends Pick<ImageStore, 'size'> {
  importFile(path: string, options: { readonly expectedDigest: Digest }): Promise<StoredFile>;
}

type ShippedImage = [name: string, kind: ImageKind, version: string, files: Partial<Record<ImagePart, AssetFile>>];

export interface ShippedOptions {
  readonly assetsDir: string;
  readonly imageStore: ShippedImporter;
  /** Images that the server has. */
  readonly known: Iterable<Image>;
  /** Epoch milliseconds. */
  readonly now?: () => number;
}

/**
 * Puts the shipped images (kernel, micro, base, live) into the store and answers those that the caller must save: new ones, and ones of
 * which the build differs. Each comes with the tag `stable`, so a new build becomes what a bare name means; a build that is known
 * is left as it is, tags included, for the operator may have moved them. A version never changes its bytes: another build under the
 * same version word is registered as `VERSION-DIGEST`.
 *
 * Quick when nothing changed: sizes are compared, bytes are read only when they are imported (and then all of them are checked).
 */
export async function registerShippedImages(options: ShippedOptions): Promise<Image[]> {
  const { assetsDir, imageStore, now = Date.now } = options;
  const manifest = await readAssetsManifest(assetsDir);
  const known = new Map(Array.from(options.known, (image) => [`${image.name}:${image.version}`, image]));
  const shipped: ShippedImage[] = [
    ['kernel', 'kernel', manifest.kernel.version, manifest.kernel.files],
    ['micro', 'rootfs', manifest.micro.version, manifest.micro.files],
    ['base', 'rootfs', manifest.base.version, manifest.base.files],
    ...(manifest.live === undefined
      ? []
      : [['live', 'rootfs', manifest.live.version, manifest.live.files] satisfies ShippedImage]),
  ];
  const changed: Image[] = [];
  for (const [name, kind, word, assets] of shipped) {
    const files: ImageFile[] = [];
    for (const part of IMAGE_PARTS[kind]) {
      const asset = assets[part];
      if (asset === undefined) throw unavailable(`the boot assets lack ${name}.files.${part}`, { remedy: BUILD });
      files.push({ part, ...(await ensureStored(imageStore, assetsDir, asset)) });
    }
    const version = versionFor(known, name, word, files);
    if (version !== undefined) changed.push({ name, version, kind, files, tags: ['stable'], createdAt: now() });
  }
  return changed;
}

/** The boot loaders of the assets by lower-case file name. Throws `unavailable` when one is missing. */
export async function shippedLoaders(
  assetsDir: string,
): Promise<ReadonlyMap<string, { readonly path: string; readonly size: number }>> {
  const { bootloaders } = await readAssetsManifest(assetsDir);
  const loaders = new Map<string, { path: string; size: number }>();
  for (const [name, asset] of Object.entries(bootloaders)) {
    const path = await assetPath(assetsDir, asset);
    loaders.set(name.toLowerCase(), { path, size: asset.size });
  }
  return loaders;
}

/** Undefined = this very build is known already. */
function versionFor(
  known: ReadonlyMap<string, Image>,
  name: string,
  word: string,
  files: readonly ImageFile[],
): string | undefined {
  const distinct = `${word}-${files.map(({ digest }) => digest.slice(0, 8)).join('-')}`;
  for (const version of [word, distinct]) {
    const old = known.get(`${name}:${version}`);
    if (old === undefined) return version;
    const same = files.every(({ part, digest }) =>
      old.files.some((file) => file.part === part && file.digest === digest),
    );
    if (same) return undefined;
  }
  throw new AnybiosError('conflict', `${name}:${distinct} exists with other files`, {
    remedy: `remove it: anybios image remove ${name}:${distinct}`,
  });
}

async function ensureStored(
  imageStore: ShippedOptions['imageStore'],
  assetsDir: string,
  asset: AssetFile,
): Promise<{ digest: Digest; size: number }> {
  const digest = parseDigest(asset.sha256);
  if ((await imageStore.size(digest)) === asset.size) return { digest, size: asset.size };
  // Copied, not linked: a later build may write into the same file, and the store's bytes must not change under it.
  const path = await assetPath(assetsDir, asset);
  try {
    return await imageStore.importFile(path, { expectedDigest: digest });
  } catch (cause) {
    if (!(cause instanceof AnybiosError) || cause.code !== 'invalid') throw cause;
    throw unavailable(`${path} is not the file that its manifest describes`, { remedy: BUILD, cause });
  }
}

async function assetPath(assetsDir: string, asset: AssetFile): Promise<string> {
  const found = await resolveInside(assetsDir, asset.path);
  if (found.kind === 'none') throw unavailable(`boot asset ${asset.path}: ${found.reason}`, { remedy: BUILD });
  if (found.size === asset.size) return found.path;
  throw unavailable(`boot asset ${asset.path} has ${found.size} bytes, its manifest says ${asset.size}`, {
    remedy: BUILD,
  });
}
