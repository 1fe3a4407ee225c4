import { decideImageUse, type ImageHolder, type ImageUser } from '../decide/image-use.js';
import type { ApiDeps } from './api-deps.js';

/** A machine that fell silent so long ago is off, whatever was heard last. */
const SILENT_MS = 24 * 3600 * 1000;

/** Users of every version, by `name:version`. Reads all machines: for the commands of a person, not for the boot path. */
export function imageUsage(deps: Pick<ApiDeps, 'state' | 'boot' | 'clock'>): ReadonlyMap<string, readonly ImageUser[]> {
  const { state } = deps;
  return decideImageUse({
    profiles: state.profiles.values(),
    systems: state.systems.values(),
    holders: holders(deps),
    image: (reference) => state.image(reference),
  });
}

/** Machines that boot, or run in RAM what they loaded and may load a system of it again. */
function* holders({ boot, state, clock }: Pick<ApiDeps, 'state' | 'boot' | 'clock'>): Iterable<ImageHolder> {
  for (const session of state.sessions.values()) {
    const { key, images } = session;
    if (images === undefined || images.length === 0) continue;
    const view = boot.machineView(key);
    if (view === undefined || view.status === 'off' || view.status === 'unmanaged') continue;
    const heard = Math.max(session.lastStepAt, view.observed?.heartbeatAt ?? 0);
    if (clock() - heard < SILENT_MS) yield { machine: key, images };
  }
}
