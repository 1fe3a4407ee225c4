import type { MachineStatus, Observed } from '../domain/machine.js';
import type { EventLog } from './event-log.js';
import type { Sessions } from './sessions.js';
import { SlowLook } from './slow-look.js';

export interface LostWatchDeps {
  readonly observed: ReadonlyMap<string, Observed>;
  readonly sessions: Sessions;
  readonly events: EventLog;
  readonly statusOf: (key: string) => MachineStatus;
}

const CHECK_MS = 5000;

/** `lost` comes with time alone: this tells it, and that a machine is heard again. After a restart of the server it is told again. */
export class LostWatch {
  readonly #deps: LostWatchDeps;
  readonly #lost = new Set<string>();
  readonly #look = new SlowLook();
  #timer: NodeJS.Timeout | undefined;

  constructor(deps: LostWatchDeps) {
    this.#deps = deps;
  }

  start(): void {
    const { observed } = this.#deps;
    this.#timer = setInterval(() => {
      this.#look.begin(
        observed.keys(),
        (key) => this.#check(key),
        () => this.#forget(),
      );
    }, CHECK_MS);
    this.#timer.unref();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#look.end();
  }

  /** All at once: for tests. */
  check(): void {
    for (const key of this.#deps.observed.keys()) this.#check(key);
    this.#forget();
  }

  #check(key: string): void {
    const upSince = this.#deps.observed.get(key)?.upSince;
    const lost = upSince !== undefined && this.#deps.statusOf(key) === 'lost';
    if (lost && !this.#lost.has(key)) this.#tell(key, 'machine.lost', 'three heartbeats are missing: it is lost');
    if (!lost && this.#lost.has(key) && upSince !== undefined) this.#tell(key, 'machine.heard', 'it is heard again');
    if (lost) this.#lost.add(key);
    else this.#lost.delete(key);
  }

  /** Machines that were removed. */
  #forget(): void {
    for (const key of this.#lost) if (!this.#deps.observed.has(key)) this.#lost.delete(key);
  }

  #tell(key: string, kind: 'machine.lost' | 'machine.heard', message: string): void {
    const session = this.#deps.sessions.running(key);
    this.#deps.events.record({
      source: 'server',
      kind,
      level: kind === 'machine.lost' ? 'warning' : 'info',
      machine: key,
      ...(session === undefined ? {} : { session: session.id, mac: session.mac }),
      message: `${key}: ${message}`,
      data: {},
    });
  }
}
