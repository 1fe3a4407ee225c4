import type { Digest } from '../domain/digest.js';
import { conflict, notFound } from '../domain/errors.js';
import type { Json } from '../domain/event.js';
import { type Image, versionKey } from '../domain/image.js';
import type { ApiDeps } from './api-deps.js';
import { ImageTasks } from './image-tasks.js';
import { Serial } from './serial.js';

export type ImageDeps = Pick<ApiDeps, 'images' | 'state' | 'store' | 'events' | 'clock' | 'boot' | 'damageChanged'>;

/** A file that was uploaded, or asked for, is not garbage for so long: the request that makes an image of it comes next. */
export const FILE_QUIET_MS = 3600 * 1000;

/** What the routes of images share. */
export class ImageContext {
  readonly deps: ImageDeps;
  readonly tasks: ImageTasks;
  /** Whatever changes images runs through it, one after the other; so does `gc`, which cannot meet a half-made image. */
  readonly serial = new Serial();
  readonly #pins = new Map<Digest, number>();

  constructor(deps: ImageDeps) {
    this.deps = deps;
    this.tasks = new ImageTasks(deps.clock);
  }

  /** Throws `not_found`. */
  image(name: string, version: string): Image {
    const found = this.deps.state.images.get(name)?.get(version);
    if (found !== undefined) return found;
    throw notFound(`there is no image ${name}:${version}`, { remedy: 'see: anybios image list' });
  }

  all(): Image[] {
    return Array.from(this.deps.state.images.values(), (versions) => Array.from(versions.values())).flat();
  }

  /** Somebody is about to make an image of this file. */
  pin(digest: Digest): void {
    this.#pins.set(digest, this.deps.clock() + FILE_QUIET_MS);
  }

  isPinned(digest: Digest): boolean {
    const until = this.#pins.get(digest);
    if (until === undefined) return false;
    if (until > this.deps.clock()) return true;
    this.#pins.delete(digest);
    return false;
  }

  /** Files of this digest are needed by an image that is there. */
  isNeeded(digest: Digest): boolean {
    return this.deps.state.imageByDigest(digest) !== undefined;
  }

  refuseVersionAsTag(name: string, tag: string): void {
    if (this.deps.state.images.get(name)?.has(tag) === true) {
      throw conflict(`"${tag}" is a version of ${name}`, { field: 'tag', remedy: 'choose another word for the tag' });
    }
  }

  /**
   * Out of the memory first, so that from this moment no boot can be told to load it, then out of the store. When the store fails it
   * is there again.
   */
  async removeVersion(doomed: Image, by: string): Promise<void> {
    const { state, store, clock } = this.deps;
    state.removeImage(doomed.name, doomed.version);
    try {
      await store.removeImage(doomed.name, doomed.version, { by, at: clock() });
    } catch (error) {
      state.putImage(doomed);
      throw error;
    }
    this.note('image.removed', `image ${versionKey(doomed)} was removed`, by, doomed);
  }

  note(
    kind: string,
    message: string,
    by: string,
    image: Pick<Image, 'name' | 'version'>,
    data: Readonly<Record<string, Json>> = {},
  ): void {
    const { name, version } = image;
    this.deps.events.record({ source: 'api', kind, level: 'info', message, data: { name, version, by, ...data } });
  }
}
