import type { Digest } from '../domain/digest.js';
import { versionKey } from '../domain/image.js';
import type { State } from '../state/state.js';
import type { EventLog } from './event-log.js';

/**
 * A file of an image is not what its digest says: it is served to nobody, and boots that need it are told so. Or the same bytes were
 * imported again. Tells it to the state and to the events.
 */
export function markDamaged(state: State, events: Pick<EventLog, 'record'>, digest: Digest, damaged: boolean): void {
  state.markDamaged(digest, damaged);
  const image = state.imageByDigest(digest);
  const part = image?.files.find((file) => file.digest === digest)?.part ?? 'file';
  const name = image === undefined ? null : versionKey(image);
  const what = name === null ? `file ${digest.slice(0, 12)}` : `image ${name} (${part})`;
  const data = { digest, image: name };
  if (damaged) {
    const message = `${what} is damaged on the disk and not served any more: import the same files again`;
    events.record({ source: 'server', kind: 'image.damaged', level: 'error', message, data });
  } else if (name !== null) {
    // One that was removed is not whole, but gone.
    events.record({ source: 'server', kind: 'image.healed', level: 'info', message: `${what} is whole again`, data });
  }
}
