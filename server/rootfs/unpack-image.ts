import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { invalid } from '../domain/errors.js';
import type { MakeOptions } from './make-rootfs.js';
import { type RunOptions, runProgram } from './run-program.js';
import { scanTar, tooLarge } from './scan-tar.js';

const blobSchema = z.object({ digest: z.string().regex(/^sha256:[0-9a-f]{64}$/), mediaType: z.string().default('') });
const indexSchema = z.object({ manifests: z.array(blobSchema).length(1) });
const manifestSchema = z.object({ layers: z.array(blobSchema.extend({ size: z.number() })) });

export interface UnpackedImage {
  readonly folder: string;
  /** Of the manifest: what the tag meant at that moment. */
  readonly digest: string;
  readonly bytes: number;
  /** Files with capabilities in some layer. */
  readonly capabilities: readonly string[];
}

/**
 * Copies a container image (registry, OCI layout, archive) with skopeo, which checks every digest, looks through its layers before any
 * is unpacked, and has umoci unpack them: files deleted in a later layer are gone, owners and capabilities are kept.
 */
export async function unpackImage(
  source: { readonly reference: string; readonly shown: string; readonly loopback: boolean },
  options: MakeOptions,
  run: RunOptions,
): Promise<UnpackedImage> {
  const { dir, maxBytes, say } = options;
  // Without it every file would belong to the one user, and devices and capabilities be lost without a word.
  if (process.getuid?.() !== 0) {
    throw invalid('only root can unpack a container image with its owners', {
      field: '--from',
      remedy: 'run this as root; a tar archive can be imported by anybody',
    });
  }
  // Found missing now, not after the download.
  await runProgram('umoci', ['--version'], run);
  await runProgram('mksquashfs', ['-version'], run);
  const layout = `${dir}/oci`;
  say(`reading ${source.shown}`);
  const insecure = options.plainHttp || source.loopback;
  await runProgram(
    'skopeo',
    [
      ...(options.hasPolicy ? [] : ['--insecure-policy']),
      '--override-os=linux',
      `--override-arch=${options.arch}`,
      'copy',
      '--quiet',
      ...(insecure && source.reference.startsWith('docker://') ? ['--src-tls-verify=false'] : []),
      '--remove-signatures',
      source.reference,
      `oci:${layout}:rootfs`,
    ],
    run,
  );
  const { digest, layers } = await readManifest(layout);
  const unpacked = layers.reduce((sum, { size }) => sum + size, 0);
  if (unpacked > maxBytes) throw tooLarge(source.shown, maxBytes);
  let bytes = 0;
  const capabilities = new Set<string>();
  for (const [index, layer] of layers.entries()) {
    say(`checking layer ${index + 1} of ${layers.length}`);
    const facts = await scanLayer(
      `${layout}/blobs/sha256/${layer.digest.slice(7)}`,
      layer.mediaType,
      source.shown,
      maxBytes - bytes,
      run,
    );
    bytes += facts.bytes;
    for (const path of facts.capabilities) capabilities.add(path);
  }
  say(`unpacking ${layers.length} layers`);
  await runProgram('umoci', ['unpack', '--image', `${layout}:rootfs`, `${dir}/bundle`], run);
  return { folder: `${dir}/bundle/rootfs`, digest, bytes, capabilities: [...capabilities].sort() };
}

async function readManifest(layout: string) {
  const index = indexSchema.parse(JSON.parse(await readFile(`${layout}/index.json`, 'utf8')));
  const [manifest] = index.manifests;
  if (manifest === undefined) throw invalid('the image has no manifest');
  const text = await readFile(`${layout}/blobs/sha256/${manifest.digest.slice(7)}`, 'utf8');
  return { digest: manifest.digest, ...manifestSchema.parse(JSON.parse(text)) };
}

async function scanLayer(path: string, mediaType: string, shown: string, maxBytes: number, run: RunOptions) {
  const what = `a layer of ${shown}`;
  if (/zstd$/.test(mediaType)) {
    throw invalid(`${what} is compressed with zstd, which umoci cannot read`, {
      field: '--from',
      remedy:
        'build the image with gzip layers, or export it as a tar: docker export CONTAINER | anybios image import … --from -',
    });
  }
  const file = createReadStream(path);
  if (!/gzip$/.test(mediaType)) return scanTar(file, what, maxBytes);
  let facts: Awaited<ReturnType<typeof scanTar>> | undefined;
  await runProgram('gzip', ['-dc'], {
    ...run,
    stdin: file,
    output: async (stdout) => {
      facts = await scanTar(stdout, what, maxBytes);
    },
  });
  if (facts === undefined) throw invalid(`${what} cannot be read`);
  return facts;
}
