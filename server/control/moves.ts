import type { JobEvent } from '../decide/job-step.js';
import { hasMoved, type MovePlan, planMove, storagesOf } from '../decide/move.js';
import type { ControlDoor } from '../domain/control-door.js';
import { conflict, unavailable } from '../domain/errors.js';
import type { NewEvent } from '../domain/event.js';
import { isOpen, type JobOrder, type MoveProgress } from '../domain/job.js';
import type { State } from '../state/state.js';
import { ConnectionSlots } from './connection-slots.js';
import { type Ask, discardCopies, MoveSteps } from './move-steps.js';
import { type OpenJob, takeCare } from './open-job.js';
import type { SshClient } from './ssh-session.js';

export interface MovesDeps {
  readonly state: Pick<
    State,
    'written' | 'roles' | 'systems' | 'profiles' | 'holdings' | 'observed' | 'sessions' | 'isMoving' | 'setMoving'
  >;
  /** Undefined: this server has no key to enter machines with. */
  readonly ssh: SshClient | undefined;
  /** Epoch ms. */
  readonly clock: () => number;
  /** Gives the role to the other machine in the desired state. Throws `conflict` when that is not as planned any more. */
  readonly moveRole: (plan: MovePlan, by: string) => Promise<void>;
  readonly record: (event: Omit<NewEvent, 'at'>) => void;
  readonly step: (open: OpenJob, event: JobEvent) => Promise<void>;
  /** One is over: somebody else may be next on this machine. */
  readonly done: (machine: string) => void;
}

/** A machine that has missed three heartbeats is not begun with. */
const SILENT_MS = 32_000;
/** At once: each fills a disk and a network. */
const MOVES_AT_ONCE = 2;

/** Jobs of kind `move` (ADR 16): a role goes to another machine with what its systems have written there on labelled disks. */
export class Moves {
  readonly #deps: MovesDeps;
  readonly #slots = new ConnectionSlots(MOVES_AT_ONCE);
  readonly #busy = new Set<Promise<void>>();
  /** Machines of moves that have begun. */
  readonly #involved = new Set<string>();
  #closed = false;

  constructor(deps: MovesDeps) {
    this.#deps = deps;
  }

  /** Throws with the reason why this role cannot move now; nothing was touched. */
  plan({ machine, to = '' }: Pick<JobOrder, 'machine' | 'to'>): MovePlan {
    const { state } = this.#deps;
    const plan = planMove({
      from: machine,
      to,
      machines: state.written,
      roles: state.roles,
      systems: state.systems,
      holdings: state.holdings,
      isMoving: (name) => state.isMoving(name) || this.#involved.has(name),
    });
    this.#door(machine);
    this.#door(to);
    const rootfs = state.profiles.get(plan.profile)?.rootfs?.split(':')[0];
    const loaded = state.sessions.get(to)?.images ?? [];
    if (!loaded.some((version) => version.split(':')[0] === rootfs))
      throw conflict(`${to} has not booted the live OS of profile ${plan.profile}`, {
        field: 'to',
        remedy: `make it a spare of role ${plan.role}, or give it a role of that profile without systems, and reboot it`,
      });
    return plan;
  }

  /** Begins with it when there is room; else it waits. */
  offer(open: OpenJob): void {
    if (this.#closed || open.busy || !isOpen(open.job)) return;
    takeCare(
      open,
      this.#busy,
      () => this.#run(open),
      () => {
        if (!this.#closed) this.#deps.done(open.job.machine);
      },
    );
  }

  /** A server that starts finds it begun: the role has changed hands, or nothing has. The source runs its systems again by itself. */
  async resume(open: OpenJob): Promise<void> {
    const { machine, to = '', id, move } = open.job;
    if (move === undefined) return;
    const { state, step, clock } = this.#deps;
    const moved = hasMoved(move.role, state.written.get(machine), state.written.get(to));
    const message = moved
      ? `role ${move.role} is on ${to} now; what it wrote on ${machine} lies there too`
      : `the server was restarted in the middle: nothing has moved, ${machine} runs its systems again`;
    await step(open, { kind: 'answered', at: clock(), result: { state: moved ? 'done' : 'failed', message } });
    const role = state.roles.get(move.role);
    // A role that is gone meanwhile: the next move to that machine clears what is left.
    const storages = moved || role === undefined ? [] : storagesOf(role, state.systems);
    const clearing = discardCopies(id, storages, this.#ask(to)).catch((error: unknown) => this.#left(to, error));
    this.#busy.add(clearing);
    void clearing.finally(() => this.#busy.delete(clearing));
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#slots.close();
    await Promise.all(this.#busy);
  }

  async #run(open: OpenJob): Promise<void> {
    const release = await this.#slots.take('moves');
    try {
      if (release !== undefined && !this.#closed && isOpen(open.job)) await this.#move(open);
    } catch (error) {
      if (this.#closed) return;
      const message = reasonOf(error);
      await this.#deps.step(open, { kind: 'answered', at: this.#deps.clock(), result: { state: 'failed', message } });
    } finally {
      release?.();
    }
  }

  async #move(open: OpenJob): Promise<void> {
    const { state, step, clock, moveRole, record } = this.#deps;
    const { id, by } = open.job;
    const plan = this.plan(open.job);
    const { from, to, role } = plan;
    const progress: MoveProgress = { phase: 'checking', role, bytes: 0, totalBytes: 0 };
    const aborted = new AbortController();
    open.connection = { write: () => false, close: () => aborted.abort() };
    const steps = new MoveSteps({
      id,
      plan,
      source: this.#ask(from, aborted.signal),
      target: this.#ask(to, aborted.signal),
      tell: (text) => open.output.append(Buffer.from(`${text}\n`)),
      progress: (more) => step(open, { kind: 'moving', at: clock(), move: { ...progress, ...open.job.move, ...more } }),
    });
    let begun = false;
    this.#involved.add(from).add(to);
    try {
      await step(open, { kind: 'sending', at: clock(), session: this.#door(from).session });
      await step(open, { kind: 'entered', at: clock() });
      await steps.check();
      begun = true;
      state.setMoving(from, to);
      await steps.stop();
      const copied = await steps.copy();
      aborted.signal.throwIfAborted();
      // From here on it is finished, whoever cancels it.
      await steps.progress({ phase: 'placing' });
      open.connection = undefined;
      await steps.take();
      await moveRole(plan, by).catch((error: unknown) => {
        // What went wrong after the roles had changed does not take them back.
        if (!hasMoved(role, state.written.get(from), state.written.get(to))) throw error;
      });
      const message = `role ${role} is on ${to} now`;
      await step(open, { kind: 'answered', at: clock(), result: { state: 'done', message } });
      record({
        source: 'server',
        kind: 'role.moved',
        level: 'info',
        machine: to,
        message: `${to} has role ${role} of ${from} now, with what its systems have written; asked by ${by}`,
        data: { job: id, role, from, to, by, copied: copied.map(({ text }) => text) },
      });
    } catch (error) {
      if (begun) await this.#undo(plan, id);
      throw error;
    } finally {
      // The source, and then its role's new machine, are told with their next heartbeats what they run.
      state.setMoving(from, undefined);
      this.#involved.delete(from);
      this.#involved.delete(to);
    }
    await steps.putAside().catch((error: unknown) => this.#left(from, error));
  }

  /** The copy goes; its source was never touched. */
  async #undo({ to, storages }: MovePlan, id: string): Promise<void> {
    if (this.#closed) return;
    await discardCopies(id, storages, this.#ask(to)).catch((error: unknown) => this.#left(to, error));
  }

  #left(machine: string, error: unknown): void {
    this.#deps.record({
      source: 'server',
      kind: 'move.left-over',
      level: 'warning',
      machine,
      message: `what is left of a move on ${machine} could not be cleared away: ${reasonOf(error)}`,
      data: {},
    });
  }

  #ask(machine: string, signal?: AbortSignal): Ask {
    return {
      machine,
      open: (options) => {
        const { ssh } = this.#deps;
        if (ssh === undefined) throw unavailable('this server has no key to enter its machines');
        return ssh.open(this.#door(machine), options);
      },
      ...(signal === undefined ? {} : { signal }),
      disk: (label) => this.#deps.state.written.get(machine)?.disks?.[label],
    };
  }

  /** Throws `unavailable` for a machine that does not answer. */
  #door(machine: string): ControlDoor {
    const { state, clock } = this.#deps;
    const observed = state.observed.get(machine);
    const door = observed?.control;
    const remedy = `see: anybios machine show ${machine}`;
    if (door === undefined) throw unavailable(`machine ${machine} takes no jobs now`, { remedy });
    const silent = clock() - Math.max(observed?.heartbeatAt ?? 0, door.registeredAt);
    if (silent > SILENT_MS)
      throw unavailable(`machine ${machine} has not been heard for ${Math.round(silent / 1000)} s`, { remedy });
    return door;
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
