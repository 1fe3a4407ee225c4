import { AnybiosError, notFound } from '../domain/errors.js';
import { liveMachineOf, type MachineAnswer, machineSchema, readAnswer } from './api-schema.js';
import type { Cli } from './cli.js';
import type { ApiClient } from './client.js';
import { EXIT, Unreachable } from './failure.js';
import { type FollowedEvent, followEvents } from './follow-events.js';
import { liveLines } from './live-view.js';
import { listAll } from './paging.js';
import { Signal } from './signal.js';
import { LiveScreen } from './terminal/live-screen.js';
import { paintState } from './terminal/style.js';
import { printable } from './terminal/text.js';
import { formatDuration } from './terminal/units.js';
import { WatchedBoots } from './watched-boots.js';

export interface WatchOptions {
  /** Ends when every watched boot is over. */
  readonly once: boolean;
  /** Ends after this time, as a failure if boots are still under way. */
  readonly timeoutMs: number | undefined;
}

/** Between two looks at machines that are loading something; the clocks of the live view tick in the same step. */
const LOOK_MS = 1000;
/** The outcome is known before the last events of a boot have come through the stream: they are printed first. */
const QUIET_MS = 300;
const QUIET_LIMIT_MS = 3000;
/** More machines with news than this: one list instead of many questions. */
const ASK_SINGLY = 20;

/**
 * `boot watch`: on a terminal one line a machine, redrawn in place; else one line an event (with --json one object a line, the
 * last one being `{"result"}`). The event stream says *when* to look, the machine's own resource says *what* is true now.
 */
export async function watchBoots(cli: Cli, names: readonly string[], options: WatchOptions): Promise<void> {
  const api = await cli.connect();
  const watched = new WatchedBoots(names);
  const screen = cli.io.stdout.isTTY === true && !cli.json ? new LiveScreen(cli.io.stdout) : undefined;
  const ending = new AbortController();
  const news = new Signal();

  let mustLookAtAll = true;
  let streamError: unknown;
  const opened = new Signal();
  const follow = (async () => {
    try {
      const events = followEvents(api, {
        signal: ending.signal,
        onOpen: () => opened.raise(),
        onLost: (reason) => {
          if (screen === undefined) cli.note(reason);
          else screen.printAbove(reason, linesOf(cli, screen, watched));
        },
      });
      for await (const followed of events) {
        if (!watched.touch(followed.event)) continue;
        if (screen === undefined) printEvent(cli, followed);
        news.raise();
      }
    } catch (error) {
      streamError = error;
    } finally {
      opened.raise();
      news.raise();
    }
  })();

  try {
    await opened.wait(undefined);
    const deadline = options.timeoutMs === undefined ? undefined : Date.now() + options.timeoutMs;
    for (;;) {
      if (streamError !== undefined) throw streamError;
      if (mustLookAtAll) mustLookAtAll = !(await ifReachable(() => lookAtAll(api, watched)));
      await lookAtStale(api, watched);
      screen?.draw(linesOf(cli, screen, watched));
      if (options.once && watched.areOver) {
        if (screen === undefined) await news.quiet(QUIET_MS, QUIET_LIMIT_MS);
        break;
      }
      if (deadline !== undefined && Date.now() >= deadline) break;
      await news.wait(Math.min(LOOK_MS, deadline === undefined ? LOOK_MS : Math.max(1, deadline - Date.now())));
    }
  } finally {
    ending.abort();
    await follow;
  }
  report(cli, watched, options);
}

async function lookAtAll(api: ApiClient, watched: WatchedBoots): Promise<void> {
  if (watched.isOpen) {
    const { rows } = await listAll(api, '/machines', machineSchema);
    for (const machine of rows) watched.put(machine);
    return;
  }
  for (const name of watched.names) {
    const machine = await machineOf(api, name);
    if (machine === undefined) {
      throw notFound(`there is no machine "${name}"`, { remedy: 'see: anybios machine list' });
    }
    watched.put({ ...machine, name });
  }
}

async function lookAtStale(api: ApiClient, watched: WatchedBoots): Promise<void> {
  const stale = watched.takeStale();
  const hasLooked = await ifReachable(async () => {
    if (watched.isOpen && stale.length > ASK_SINGLY) return lookAtAll(api, watched);
    for (const name of stale) {
      const machine = await machineOf(api, name);
      // Approved: what was known by its MAC answers by its name now.
      if (machine === undefined || (watched.isOpen && machine.name !== name)) watched.drop(name);
      if (machine !== undefined) watched.put(watched.isOpen ? machine : { ...machine, name });
    }
  });
  if (!hasLooked) for (const name of stale) watched.touch({ machine: name });
}

/** False = the server does not answer now. That is no reason to stop watching: it is asked again at the next look. */
async function ifReachable(look: () => Promise<void>): Promise<boolean> {
  try {
    await look();
    return true;
  } catch (error) {
    if (error instanceof Unreachable) return false;
    throw error;
  }
}

async function machineOf(api: ApiClient, name: string): Promise<MachineAnswer | undefined> {
  try {
    return readAnswer(machineSchema, await api.get(`/machines/${encodeURIComponent(name)}`), 'machine');
  } catch (error) {
    if (error instanceof AnybiosError && error.code === 'not_found') return undefined;
    throw error;
  }
}

function linesOf(cli: Cli, { width }: LiveScreen, watched: WatchedBoots): readonly string[] {
  const lines = liveLines(watched.machines.map(liveMachineOf), Date.now(), width, cli.style);
  return lines.length > 0 ? lines : [cli.style.dim('no machine is booting; waiting for one')];
}

function printEvent(cli: Cli, { raw, event }: FollowedEvent): void {
  if (cli.json) {
    cli.io.stdout.write(`${JSON.stringify(raw)}\n`);
    return;
  }
  const time = new Date(event.at).toTimeString().slice(0, 8);
  const who = event.machine ?? event.mac ?? '';
  cli.io.stdout.write(`${time}  ${printable(who)}  ${event.kind}  ${printable(event.message)}\n`);
}

function report(cli: Cli, watched: WatchedBoots, { once }: WatchOptions): void {
  const succeeded = watched.haveSucceeded;
  if (once && !succeeded) cli.exitCode = EXIT.failed;
  if (cli.json) {
    const boots = watched.machines.map(({ name, boot }) => ({
      machine: name,
      outcome: boot?.outcome ?? 'none',
      stage: boot?.stage,
      diagnosis: boot?.diagnosis,
    }));
    cli.io.stdout.write(`${JSON.stringify({ result: { succeeded, boots } })}\n`);
    return;
  }
  if (watched.machines.length === 0) cli.say('no machine has booted in this time');
  for (const machine of watched.machines) for (const line of outcomeLines(cli, machine)) cli.say(line);
}

function outcomeLines(cli: Cli, { name, boot }: MachineAnswer): readonly string[] {
  if (boot === undefined) return [`${name}: has never booted`];
  const took = formatDuration(boot.lastStepAt - boot.openedAt);
  if (boot.outcome === 'succeeded') return [`${name}: ${paintState(cli.style, 'succeeded')} after ${took}`];
  const word = boot.outcome === 'running' ? 'still under way' : boot.outcome;
  const head = `${name}: ${paintState(cli.style, boot.outcome, word)} at ${boot.stage} after ${took}`;
  if (boot.diagnosis === undefined)
    return [`${head} (session ${boot.session}; see: anybios boot show ${boot.session})`];
  const { name: diagnosis, message, remedy } = boot.diagnosis;
  return [printable(`${head}: ${diagnosis}: ${message} — remedy: ${remedy}`)];
}
