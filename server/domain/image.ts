import type { Digest } from './digest.js';

export type ImageKind = 'kernel' | 'rootfs' | 'disk';
/** A kernel image has vmlinuz, initrd and modules; a rootfs image has rootfs; a disk image has disk. */
export type ImagePart = 'vmlinuz' | 'initrd' | 'modules' | 'rootfs' | 'disk';
export const IMAGE_PARTS: Readonly<Record<ImageKind, readonly ImagePart[]>> = {
  kernel: ['vmlinuz', 'initrd', 'modules'],
  rootfs: ['rootfs'],
  disk: ['disk'],
};

export interface ImageFile {
  readonly part: ImagePart;
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
}

/** One immutable version of a named image. */
export interface Image {
  readonly name: string;
  readonly version: string;
  readonly kind: ImageKind;
  readonly files: readonly ImageFile[];
  /** Words that move between versions of one name; `stable` is what a bare name means. */
  readonly tags: readonly string[];
  /** Epoch milliseconds. */
  readonly createdAt: number;
  /** Where it was imported from, for people: a file name, a URL, a reference in a registry. */
  readonly source?: string;
}

/** A tag was set, moved, or taken away (`to` absent). */
export interface TagMove {
  readonly name: string;
  readonly tag: string;
  /** Versions. */
  readonly from?: string;
  readonly to?: string;
  readonly by: string;
  /** Epoch milliseconds. */
  readonly at: number;
}

/** `base:1`: how people and records name one version. */
export function versionKey({ name, version }: Pick<Image, 'name' | 'version'>): string {
  return `${name}:${version}`;
}
