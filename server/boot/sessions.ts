import { diagnoseSilence } from '../decide/diagnose.js';
import { BOOT_STAGES, type BootSession, type Diagnosis } from '../domain/boot-session.js';
import type { EventSource, Json } from '../domain/event.js';
import type { Ipv4 } from '../domain/ipv4.js';
import type { Mac } from '../domain/mac.js';
import type { Store } from '../domain/ports.js';
import type { State } from '../state/state.js';
import type { BootLog, EventLog } from './event-log.js';
import { patched } from './patched.js';
import { SlowLook } from './slow-look.js';

const STALL_CHECK_MS = 2000;

type Steppable = Omit<BootSession, 'lastStepAt'> & { lastStepAt: number };

/** Whether this patch says nothing new. */
function isSign(session: BootSession, patch: SessionPatch): boolean {
  for (const name in patch) if (session[name as keyof BootSession] !== patch[name as keyof BootSession]) return false;
  return true;
}

export type SessionPatch = { readonly [K in keyof BootSession]?: BootSession[K] | undefined };

/** The open boot of each machine: opens, advances (never back), stalls, closes. The newest of each key is in the state. */
export class Sessions {
  readonly #state: State;
  readonly #store: Pick<Store, 'saveSession'>;
  readonly #events: EventLog;
  readonly #log: BootLog;
  readonly #clock: () => number;
  readonly #newId: () => string;
  readonly #byAddress = new Map<Ipv4, string>();
  readonly #open = new Set<string>();
  readonly #look = new SlowLook();
  /** The claimed session that a newer one replaced, by key: its live OS may well go on (opening revokes nothing). */
  readonly #replaced = new Map<string, BootSession>();
  /** The same for one that has its script and not yet claimed: anybody can send a DISCOVER with its MAC at that moment. */
  readonly #promised = new Map<string, BootSession>();
  #timer: NodeJS.Timeout | undefined;

  constructor(
    state: State,
    store: Pick<Store, 'saveSession'>,
    events: EventLog,
    options: { readonly log: BootLog; readonly clock: () => number; readonly newId: () => string },
  ) {
    this.#state = state;
    this.#store = store;
    this.#events = events;
    this.#log = options.log;
    this.#clock = options.clock;
    this.#newId = options.newId;
    for (const session of state.sessions.values()) {
      if (session.address !== undefined) this.#byAddress.set(session.address, session.key);
      if (session.closedAt === undefined) this.#open.add(session.key);
    }
  }

  start(): void {
    this.#timer = setInterval(() => this.#look.begin(this.#open, (key) => this.#checkStall(key)), STALL_CHECK_MS);
    this.#timer.unref();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#look.end();
  }

  /** The newest session of a machine, open or closed. */
  of(key: string): BootSession | undefined {
    return this.#state.sessions.get(key);
  }

  openOf(key: string): BootSession | undefined {
    const session = this.#state.sessions.get(key);
    return session?.closedAt === undefined ? session : undefined;
  }

  /** The newest boot that its stage 1 has claimed: what it runs, whatever asked DHCP with its MAC since. */
  running(key: string): BootSession | undefined {
    const newest = this.of(key);
    return newest?.claimedAt === undefined ? this.#replaced.get(key) : newest;
  }

  /** The session with this id if it is the newest of its machine, or one before it that opening a newer one did not revoke. */
  claimed(key: string, id: string): BootSession | undefined {
    return [this.of(key), this.#replaced.get(key), this.#promised.get(key)].find((session) => session?.id === id);
  }

  /** Whether this boot has not ended and no other has taken its place; one that a newer DISCOVER replaced may well go on. */
  goesOn(key: string, id: string): boolean {
    const session = this.claimed(key, id);
    return session !== undefined && (session.closedAt === undefined || this.of(key)?.id !== id);
  }

  /** Its machine has claimed it, so it is the one that really boots: again the newest, if a DISCOVER had opened another. */
  resume(session: BootSession): BootSession {
    const { key, id } = session;
    if (this.#promised.get(key)?.id !== id) return session;
    this.#promised.delete(key);
    this.#closeOpen(key);
    this.#put(session);
    return session;
  }

  /** The session whose machine was given this address. */
  byAddress(address: Ipv4): BootSession | undefined {
    const key = this.#byAddress.get(address);
    const session = key === undefined ? undefined : this.#state.sessions.get(key);
    return session?.address === address ? session : undefined;
  }

  /** Closes the one before, as it is, and opens a new one. Revokes nothing. */
  open(start: {
    readonly key: string;
    readonly mac: Mac;
    readonly machine?: string;
    readonly firmware: string;
    readonly arch?: number;
    readonly uuid?: string;
    readonly dhcpMode?: 'proxy';
  }): BootSession {
    const now = this.#clock();
    const newest = this.of(start.key);
    if (newest?.claimedAt !== undefined) this.#replaced.set(start.key, { ...newest, closedAt: newest.closedAt ?? now });
    else if (newest?.scriptFetchedAt !== undefined) this.#promised.set(start.key, newest);
    this.#closeOpen(start.key);
    const session: BootSession = {
      ...start,
      id: this.#newId(),
      openedAt: now,
      lastStepAt: now,
      stage: 'dhcp',
      stages: { dhcp: now },
      outcome: 'running',
      loaderFetches: 0,
      // What ran before goes on until this boot is claimed: opening revokes nothing.
      ...(newest?.images === undefined ? {} : { images: newest.images }),
    };
    this.#put(session);
    return session;
  }

  /** The machine was told to load these versions too; after its boot has ended as well, for systems change while it runs. */
  loads(key: string, images: readonly string[]): void {
    const session = this.#state.sessions.get(key);
    if (session === undefined) return;
    const known = session.images ?? [];
    const more = images.filter((image) => !known.includes(image));
    if (more.length > 0) this.#put({ ...session, images: [...known, ...more] });
  }

  /**
   * One more step of an open session. A later `stage` is entered, an earlier one is ignored (iPXE asks DHCP again). A step after
   * a stall or a failure makes it run again: stage 1 retries.
   */
  step(session: BootSession, patch: SessionPatch, keep = true): BootSession {
    const current: Steppable | undefined = this.#state.sessions.get(session.key);
    if (current === undefined || current.id !== session.id || current.closedAt !== undefined) return session;
    const now = this.#clock();
    if (current.outcome === 'running' && current.diagnosis === undefined && isSign(current, patch)) {
      // Nothing but a sign of life, as most answers of DHCP are: a copy of the session would only keep the memory busy.
      current.lastStepAt = now;
      if (keep) this.#put(current);
      return current;
    }
    const { stage, ...rest } = patch;
    const later = stage !== undefined && BOOT_STAGES.indexOf(stage) > BOOT_STAGES.indexOf(current.stage);
    const next = patched<BootSession>(current, { outcome: 'running', diagnosis: undefined, ...rest, lastStepAt: now });
    if (later) {
      next.stage = stage;
      next.stages = { ...current.stages, [stage]: now };
    }
    this.#put(next, keep || later || next.outcome !== current.outcome);
    return next;
  }

  succeed(session: BootSession, patch: SessionPatch = {}): BootSession {
    if (this.openOf(session.key)?.id !== session.id) return session;
    const done = this.step(session, { ...patch, progress: undefined });
    const closed: BootSession = { ...done, outcome: 'succeeded', closedAt: this.#clock() };
    this.#put(closed);
    const seconds = ((this.#clock() - closed.openedAt) / 1000).toFixed(1);
    this.event(closed, 'server', 'boot.succeeded', `${closed.key} booted in ${seconds} s`, {
      seconds: Number(seconds),
    });
    return closed;
  }

  /** Keeps the session open: the machine may retry. */
  fail(session: BootSession, source: EventSource, diagnosis: Diagnosis): BootSession {
    const failed = this.step(session, { outcome: 'failed', diagnosis, progress: undefined });
    this.event(
      failed,
      source,
      `boot.failed`,
      diagnosis.message,
      { diagnosis: diagnosis.name, remedy: diagnosis.remedy },
      'error',
    );
    return failed;
  }

  event(
    session: BootSession,
    source: EventSource,
    kind: string,
    message: string,
    data: Readonly<Record<string, Json>> = {},
    level: 'info' | 'warning' | 'error' = 'info',
  ): void {
    const { id, machine, mac } = session;
    if (machine === undefined) this.#events.record({ source, kind, level, session: id, mac, message, data });
    else this.#events.record({ source, kind, level, session: id, machine, mac, message, data });
  }

  /** A machine got another key (approved, renamed, removed). */
  rename(from: string, to: string, machine: string | undefined): void {
    const session = this.#state.sessions.get(from);
    if (session === undefined) return;
    this.#state.sessions.delete(from);
    this.#open.delete(from);
    const { machine: _old, ...rest } = session;
    this.#put({ ...rest, key: to, ...(machine === undefined ? {} : { machine }) });
  }

  /** Nobody asks for this machine any more. Its newest session, which may have a nonce. */
  forget(key: string): BootSession | undefined {
    const session = this.#state.sessions.get(key);
    this.#state.sessions.delete(key);
    this.#open.delete(key);
    this.#replaced.delete(key);
    this.#promised.delete(key);
    return session;
  }

  /** All at once: for tests. */
  checkStalls(): void {
    for (const key of this.#open) this.#checkStall(key);
  }

  /** Names what silence means, once per silence. */
  #checkStall(key: string): void {
    const session = this.#state.sessions.get(key);
    if (session === undefined) this.#open.delete(key); // its machine was forgotten
    if (session === undefined || session.outcome !== 'running') return;
    const diagnosis = diagnoseSilence(session, this.#clock());
    if (diagnosis === undefined) return;
    const stalled: BootSession = { ...session, outcome: 'stalled', diagnosis };
    this.#put(stalled);
    this.event(
      stalled,
      'server',
      'boot.stalled',
      diagnosis.message,
      { diagnosis: diagnosis.name, remedy: diagnosis.remedy },
      'warning',
    );
    this.onStalled?.(stalled);
  }

  /** Set by the core: a loader with no next step forgets what was known of Secure Boot. */
  onStalled: ((session: BootSession) => void) | undefined;

  #closeOpen(key: string): void {
    const open = this.openOf(key);
    if (open === undefined) return;
    const outcome = open.outcome === 'running' ? 'stalled' : open.outcome;
    this.#put({ ...open, closedAt: this.#clock(), outcome });
  }

  #put(session: BootSession, keep = true): void {
    this.#state.sessions.set(session.key, session);
    if (session.closedAt === undefined) this.#open.add(session.key);
    else this.#open.delete(session.key);
    if (session.address !== undefined) this.#byAddress.set(session.address, session.key);
    if (keep)
      this.#store
        .saveSession(session)
        .catch((error: unknown) =>
          this.#log.error({ error, session: session.id }, 'the boot session could not be saved'),
        );
  }
}
