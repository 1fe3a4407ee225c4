import type { Claim } from '../domain/boot-session.js';
import { parsePublicKey } from '../domain/control-door.js';
import { invalid, unavailable } from '../domain/errors.js';
import { formatIpv4, type Ipv4 } from '../domain/ipv4.js';
import type { Claimants } from './claimants.js';
import { type AnswerLines, count, type Lines, one } from './machine-lines.js';
import type { Observations } from './observations.js';
import type { Sessions } from './sessions.js';

export interface ControlDoorsDeps {
  readonly sessions: Sessions;
  readonly observations: Observations;
  readonly claimants: Claimants;
  readonly clock: () => number;
  /** Public keys of this server that a live OS may let in; empty: jobs are not possible now. */
  readonly keys: () => readonly string[];
}

/** Where live operating systems take jobs (docs/control.md, "The way to the machine"). */
export class ControlDoors {
  readonly #deps: ControlDoorsDeps;

  constructor(deps: ControlDoorsDeps) {
    this.#deps = deps;
  }

  /** A live OS is about to listen. Answers whom it may let in. Throws `unavailable` when this server has no key to come in with. */
  register(claim: Claim, lines: Lines, address: Ipv4): AnswerLines {
    const { observations, sessions, claimants, clock } = this.#deps;
    const keys = this.#deps.keys();
    if (keys.length === 0) throw unavailable('this server has no control key', { remedy: 'see its log' });
    const session = claimants.sessionOf(claim);
    const hostKey = parsePublicKey(one(lines, 'host-key'), 'host-key');
    const port = count(one(lines, 'port'), 'port');
    if (port < 1 || port > 65_535) throw invalid(`${port} is not a port`, { field: 'port' });
    const before = observations.get(session.key)?.control;
    const door = { session: session.id, address, port, hostKey, registeredAt: clock() };
    observations.update(session.key, claim.mac, { control: door });
    // Its sshd asks again after each restart of its own: that is no news.
    if (before?.session !== door.session || before.hostKey !== hostKey || before.port !== port)
      sessions.event(session, 'live', 'live.control', `the live OS takes jobs at ${formatIpv4(address)} port ${port}`, {
        address: formatIpv4(address),
        port,
      });
    return keys.map((key) => ['authorized-key', key] as const);
  }

  /** A machine went down because a job of this boot said so: it is off, not lost. Nothing if it has booted again since. */
  switchedOff(key: string, session: string | undefined): void {
    const { observations } = this.#deps;
    const seen = observations.get(key);
    if (seen?.control === undefined || seen.control.session !== session) return;
    observations.update(key, seen.mac, { upSince: undefined, control: undefined, systems: [] });
  }
}
