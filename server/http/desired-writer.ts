import { commandLineFault } from '../decide/command-line.js';
import { applyTo } from '../desired/diff-desired.js';
import type { SiteContext } from '../desired/site-file.js';
import type { Change, DesiredState } from '../domain/desired.js';
import type { ApiDeps } from './api-deps.js';
import { Serial } from './serial.js';

export type WriterDeps = Pick<ApiDeps, 'state' | 'store' | 'boot' | 'subnets' | 'templateFault' | 'bootUrl'>;

/** What was changed, and what it was changed from. */
export interface Changed {
  readonly before: DesiredState;
  readonly changes: readonly Change[];
}

/**
 * The one way by which the desired state changes, whoever asks: check against the state as it is, store (all or nothing), then
 * memory, then the boot core. One at a time, so that two requests cannot each be right and together wrong.
 */
export class DesiredWriter {
  readonly #deps: WriterDeps;
  readonly #serial = new Serial();

  constructor(deps: WriterDeps) {
    this.#deps = deps;
  }

  current(): DesiredState {
    const { written, roles, systems } = this.#deps.state;
    return { machines: [...written.values()], roles: [...roles.values()], systems: [...systems.values()] };
  }

  /** What a new value is checked against. */
  context(current: DesiredState, prune = false): SiteContext {
    const { state, subnets, templateFault, bootUrl } = this.#deps;
    return {
      profiles: state.profiles,
      current,
      image: (reference) => state.image(reference),
      subnets,
      templateFault,
      commandLineFault: (role, profile) => commandLineFault(role, profile, bootUrl),
      prune,
    };
  }

  /** `plan` reads the state and says what must change, or throws; nothing else changes in between. */
  change(by: string, plan: (current: DesiredState) => readonly Change[]): Promise<Changed> {
    return this.#serial.run(async () => {
      const { store, state, boot } = this.#deps;
      const before = this.current();
      const changes = plan(before);
      if (changes.length === 0) return { before, changes };
      boot.refuseChanges(changes, applyTo(before, changes));
      await store.applyDesired(changes, by);
      state.applyChanges(changes);
      await boot.desiredChanged(changes, by);
      return { before, changes };
    });
  }
}
