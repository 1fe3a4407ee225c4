import { type Image, versionKey } from '../domain/image.js';
import type { Profile } from '../domain/profile.js';
import type { System } from '../domain/system.js';

/** Who needs a version of an image now. */
export interface ImageUser {
  readonly kind: 'profile' | 'system' | 'machine';
  readonly name: string;
}

/** A machine that boots, or runs what it was given: versions as `name:version`. */
export interface ImageHolder {
  readonly machine: string;
  readonly images: readonly string[];
}

export interface ImageUseInput {
  readonly profiles: Iterable<Profile>;
  readonly systems: Iterable<System>;
  readonly holders: Iterable<ImageHolder>;
  /** What a reference means now. */
  readonly image: (reference: string) => Image | undefined;
}

/**
 * Users by `name:version`. A system counts whether or not a role starts it, a profile whether or not a role names it: both can be
 * assigned at any moment. A machine counts for what it was told to load, which a tag that moved since does not change.
 */
export function decideImageUse(input: ImageUseInput): ReadonlyMap<string, readonly ImageUser[]> {
  const users = new Map<string, ImageUser[]>();
  const add = (key: string, user: ImageUser): void => {
    const known = users.get(key) ?? [];
    if (known.some(({ kind, name }) => kind === user.kind && name === user.name)) return;
    users.set(key, [...known, user]);
  };
  const addReference = (reference: string | undefined, user: ImageUser): void => {
    const image = reference === undefined ? undefined : input.image(reference);
    if (image !== undefined) add(versionKey(image), user);
  };
  for (const { name, kernel, rootfs } of input.profiles) {
    addReference(kernel, { kind: 'profile', name });
    addReference(rootfs, { kind: 'profile', name });
  }
  for (const system of input.systems) {
    for (const reference of systemReferences(system)) addReference(reference, { kind: 'system', name: system.name });
  }
  for (const { machine, images } of input.holders)
    for (const key of images) add(key, { kind: 'machine', name: machine });
  return users;
}

/** Every image that a system is made of. A VM from a template is started with the shared kernel unless it names another. */
export function systemReferences({ kind, image, layer, disk, kernel }: System): readonly string[] {
  const shared = kind === 'vm' && image !== undefined ? 'kernel' : undefined;
  return [image, layer, disk, kernel ?? shared].filter((reference) => reference !== undefined);
}

/** `system web, system db and 998 more`. */
export function usersText(users: readonly ImageUser[]): string {
  const shown = users.slice(0, 5).map(({ kind, name }) => `${kind} ${name}`);
  const more = users.length - shown.length;
  return `${shown.join(', ')}${more === 0 ? '' : ` and ${more} more`}`;
}
