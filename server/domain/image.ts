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
}
