import { createHash } from 'node:crypto';
import { createReadStream, existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { assetsDir } from '../../paths.js';
import { reasonOf } from '../files.js';
import { formatBytes } from '../terminal/units.js';
import { type Check, failed, ok, warning } from './check.js';

const BUILD = '"anybios assets build" makes them';

const file = z.object({ path: z.string(), sha256: z.string(), size: z.number() });
const manifestSchema = z.object({
  kernel: z.object({
    version: z.string(),
    flavour: z.string().optional(),
    files: z.record(z.string(), file),
    missingFirmware: z.array(z.string()).default([]),
  }),
  micro: z.object({ files: z.record(z.string(), file) }),
  base: z.object({ files: z.record(z.string(), file) }),
  bootloaders: z.record(z.string(), file),
});
type Manifest = z.output<typeof manifestSchema>;
type AssetFile = z.output<typeof file>;

export interface AssetCheckOptions {
  /** There is a configuration of a site, so real machines are to be expected: without a build for them there is a warning. */
  readonly site?: boolean;
}

/**
 * The boot assets are built, are what the manifest says (sha256 of each file), and lack no firmware for network cards. The build
 * for real hardware lies in a folder of its own and is looked at when it is there.
 */
export async function assetChecks(
  folder = assetsDir,
  { site = false }: AssetCheckOptions = {},
): Promise<readonly Check[]> {
  const hardware = `${folder}/hardware`;
  if (existsSync(`${hardware}/manifest.json`)) {
    return [...(await checkBuild('', folder)), ...(await checkBuild(' (hardware)', hardware))];
  }
  return [...(await checkBuild('', folder)), ...(site ? [NO_HARDWARE_BUILD] : [])];
}

const NO_HARDWARE_BUILD = warning(
  'boot assets (hardware)',
  'not built: machines get the cloud flavour, which drives the network cards of virtual machines only (virtio)',
  'for real machines: npx anybios assets build --flavour hardware (needs the package mirror, 2 to 4 minutes)',
);

async function checkBuild(suffix: string, folder: string): Promise<readonly Check[]> {
  const name = `boot assets${suffix}`;
  const path = `${folder}/manifest.json`;
  if (!existsSync(path)) return [failed(name, `not built: there is no ${path}`, BUILD)];
  let manifest: Manifest;
  try {
    manifest = manifestSchema.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch (error) {
    const reason =
      error instanceof z.ZodError ? (error.issues[0]?.path.join('.') ?? 'not as expected') : reasonOf(error);
    return [failed(name, `${path} is not understood: ${reason}`, `${BUILD} anew`)];
  }
  return [await checkFiles(name, folder, manifest), checkFirmware(`firmware${suffix}`, manifest)];
}

async function checkFiles(
  name: string,
  folder: string,
  { kernel, micro, base, bootloaders }: Manifest,
): Promise<Check> {
  const files = [kernel.files, micro.files, base.files, bootloaders].flatMap((group) => Object.values(group));
  for (const one of files) {
    const problem = await damageOf(`${folder}/${one.path}`, one);
    if (problem !== undefined) return failed(name, `${one.path} ${problem}`, `${BUILD} anew: add --force`);
  }
  const bytes = files.reduce((sum, { size }) => sum + size, 0);
  const flavour = kernel.flavour === undefined ? '' : `, flavour ${kernel.flavour}`;
  return ok(
    name,
    `kernel ${kernel.version}${flavour}: ${files.length} files, ${formatBytes(bytes)}, sha256 of all right`,
  );
}

async function damageOf(path: string, { sha256 }: AssetFile): Promise<string | undefined> {
  if (!existsSync(path)) return 'is missing';
  const hash = createHash('sha256');
  try {
    for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk as Buffer);
  } catch (error) {
    return `cannot be read: ${reasonOf(error)}`;
  }
  return hash.digest('hex') === sha256 ? undefined : 'is damaged: its sha256 is not that of the manifest';
}

/** How many names a line of the report holds; all of them are in --json. */
const NAMES_SHOWN = 4;

function checkFirmware(name: string, { kernel: { flavour, missingFirmware } }: Manifest): Check {
  if (flavour === 'cloud') return ok(name, 'the cloud flavour is for virtual machines (virtio) and needs none');
  if (missingFirmware.length === 0) return ok(name, 'the drivers of network cards have all that they ask for');
  const more = missingFirmware.length - NAMES_SHOWN;
  const names = missingFirmware.slice(0, NAMES_SHOWN).join(', ') + (more > 0 ? ` and ${more} more` : '');
  return {
    ...warning(
      name,
      `${missingFirmware.length} files that drivers of network cards ask for are not in the initrd: ${names}`,
      'if your cards need one: add non-free-firmware to the apt sources, and "anybios assets build --flavour hardware --force"',
    ),
    items: missingFirmware,
  };
}
