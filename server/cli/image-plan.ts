import { type Digest, parseDigest } from '../domain/digest.js';
import { invalid } from '../domain/errors.js';
import { IMAGE_PARTS, type ImageKind, type ImagePart } from '../domain/image.js';

export interface ImportOptions {
  readonly rootfs?: string;
  readonly disk?: string;
  readonly kernel?: string;
  readonly initrd?: string;
  readonly modules?: string;
  /** A root file system that is made first. */
  readonly from?: string;
  readonly tag?: readonly string[];
  readonly sha256?: string;
  readonly maxSize?: string;
  readonly arch?: string;
  readonly plainHttp?: boolean;
  readonly keepDevices?: boolean;
  readonly timeout?: string;
}

/** Where each part comes from: a path, `-` for standard input, or a URL that the server downloads. */
export interface PlannedPart {
  readonly part: ImagePart;
  readonly option: string;
  readonly path: string;
}

export interface ImportPlan {
  readonly name: string;
  /** Absent: made from the digests, so that the same files get the same version. */
  readonly version: string | undefined;
  readonly kind: ImageKind;
  readonly parts: readonly PlannedPart[];
  /** `--from`: the one part is made of this. */
  readonly from?: string;
  /** Of the one file. */
  readonly expected?: Digest;
}

const OPTION_OF: Readonly<Record<ImagePart, 'rootfs' | 'disk' | 'kernel' | 'initrd' | 'modules'>> = {
  rootfs: 'rootfs',
  disk: 'disk',
  vmlinuz: 'kernel',
  initrd: 'initrd',
  modules: 'modules',
};
const SIZES: Readonly<Record<string, number>> = { '': 1, K: 1 << 10, M: 1 << 20, G: 1 << 30, T: 1024 * (1 << 30) };

/** What the arguments ask for. Throws `invalid` naming the option that is missing or too much. */
export function planImport(reference: string, options: ImportOptions): ImportPlan {
  const [name = '', version, ...rest] = reference.split(':');
  if (name === '' || version === '' || rest.length > 0) {
    throw invalid(`"${reference}" is not an image`, { field: 'NAME', remedy: 'write NAME or NAME:VERSION' });
  }
  const isKernel = (options.kernel ?? options.initrd ?? options.modules) !== undefined;
  const given = [options.rootfs, options.disk, options.from, isKernel ? 'kernel' : undefined];
  if (given.filter((value) => value !== undefined).length !== 1) {
    throw invalid('say what to import', {
      remedy: 'one of --from SOURCE, --rootfs FILE, --disk FILE, or --kernel VMLINUZ --initrd FILE --modules FILE',
    });
  }
  const kind: ImageKind = isKernel ? 'kernel' : options.disk === undefined ? 'rootfs' : 'disk';
  const expected = options.sha256 === undefined ? undefined : parseDigest(options.sha256.toLowerCase(), '--sha256');
  if (expected !== undefined && isKernel) {
    throw invalid('--sha256 is of one file, a kernel image has three', { field: '--sha256', remedy: 'leave it out' });
  }
  const base = { name, version, kind, ...(expected === undefined ? {} : { expected }) };
  if (options.from !== undefined) return { ...base, parts: [], from: options.from };
  const parts = IMAGE_PARTS[kind].map((part): PlannedPart => {
    const option = OPTION_OF[part];
    const path = options[option];
    if (path === undefined) {
      throw invalid(`a ${kind} image needs --${option}`, {
        field: `--${option}`,
        remedy: 'a kernel image is one version of three files: --kernel, --initrd and --modules',
      });
    }
    if (path === '-' && kind === 'kernel') {
      throw invalid('only --rootfs, --disk and --from can come from standard input', {
        field: `--${option}`,
        remedy: 'name a file',
      });
    }
    return { part, option: `--${option}`, path };
  });
  return { ...base, parts };
}

export function isUrl(path: string): boolean {
  return /^https?:\/\//i.test(path);
}

/** Reads `500M`, `16G`, or bytes. Throws `invalid`. */
export function parseSize(text: string, option: string): number {
  const match = /^(\d{1,12})([KMGT]?)(?:i?B)?$/i.exec(text.trim());
  const bytes = Number(match?.[1]) * (SIZES[(match?.[2] ?? '').toUpperCase()] ?? 1);
  if (match === null || bytes === 0) {
    throw invalid(`"${text}" is not a size`, {
      field: option,
      remedy: 'write bytes, or a number with K, M, G or T: 16G',
    });
  }
  return bytes;
}
