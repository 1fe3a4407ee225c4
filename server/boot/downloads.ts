import type { Claim } from '../domain/boot-session.js';
import { invalid } from '../domain/errors.js';
import type { Claimants } from './claimants.js';
import type { DownloadQueue } from './download-queue.js';
import { type AnswerLines, count, type Lines, one } from './machine-lines.js';
import type { Planner } from './planner.js';
import type { Sessions } from './sessions.js';

/** Smaller files are over before a queue is worth its question: the live OS `micro`, the template `base`. */
export const LARGE_DOWNLOAD_BYTES = 4 << 20;

/** `POST /agent/v1/turn`: stage 1 and the live OS ask before each large download (docs/booting.md, "The queue of downloads"). */
export class Downloads {
  readonly #claimants: Claimants;
  readonly #planner: Planner;
  readonly #sessions: Sessions;
  readonly #queue: DownloadQueue;

  constructor(claimants: Claimants, planner: Planner, sessions: Sessions, queue: DownloadQueue) {
    this.#claimants = claimants;
    this.#planner = planner;
    this.#sessions = sessions;
    this.#queue = queue;
  }

  /** `go`, or its place in the queue and when to ask again. Throws `invalid` for words that are not in the protocol. */
  turn(claim: Claim, lines: Lines): AnswerLines {
    const file = one(lines, 'file');
    if (file.length > 255) throw invalid('the name of the file is too long', { field: 'file' });
    const bytes = count(one(lines, 'bytes'), 'bytes');
    const session = this.#claimants.sessionOf(claim);
    if (bytes < LARGE_DOWNLOAD_BYTES) return [['turn', 'go']];
    const subnet = this.#planner.subnetOf(session.address);
    const { turn, news, waitedMs, running, waiting } = this.#queue.ask(session.key, session.id, subnet);
    if (turn.kind === 'go') {
      const seconds = Math.round(waitedMs / 1000);
      const next = this.#sessions.step(session, { progress: undefined }, false);
      if (news)
        this.#sessions.event(
          next,
          'http',
          'download.turn',
          `${file}: its turn has come after ${seconds} s in the queue`,
          {
            file,
            seconds,
            running,
          },
        );
      return [['turn', 'go']];
    }
    const { place, seconds } = turn;
    const progress = { file, bytes: 0, total: bytes, place, waiting };
    const next = this.#sessions.step(session, { progress }, false);
    if (news)
      this.#sessions.event(
        next,
        'http',
        'download.waiting',
        `${file}: waits for its turn, place ${place} of ${waiting}; ${running === 1 ? '1 machine is' : `${running} machines are`} loading`,
        { file, place, waiting, running },
      );
    return [
      ['turn', 'wait'],
      ['place', place],
      ['waiting', waiting],
      ['running', running],
      ['seconds', seconds],
    ];
  }
}
