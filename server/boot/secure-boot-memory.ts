import type { BootSession } from '../domain/boot-session.js';
import type { Observations } from './observations.js';
import type { Sessions } from './sessions.js';

/** Forgets a report of Secure Boot that may not be true any more. */
export class SecureBootMemory {
  readonly #observations: Observations;
  readonly #sessions: Sessions;

  constructor(observations: Observations, sessions: Sessions) {
    this.#observations = observations;
    this.#sessions = sessions;
  }

  /** A loader that was fetched and did nothing more: Secure Boot may have been turned on since. */
  forget(session: BootSession): void {
    if (this.#observations.get(session.key)?.secureBoot === undefined) return;
    this.#observations.update(session.key, session.mac, { secureBoot: undefined });
    this.#sessions.event(
      session,
      'server',
      'machine.secure-boot-forgotten',
      'a loader was fetched with no next step: what was known of Secure Boot is forgotten',
    );
  }
}
