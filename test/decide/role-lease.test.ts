import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decideHolder, type HolderInput } from '../../server/decide/holder.js';
import {
  beforeGrant,
  granted,
  heard,
  leaseHeartbeatSeconds,
  leaseIsOver,
  marginSeconds,
  recordOf,
  saidStopped,
  type Tenure,
  tenureAtStart,
  unknownTenure,
} from '../../server/decide/role-lease.js';
import type { RoleLease } from '../../server/domain/standby.js';

const record = (over: Partial<RoleLease> = {}): RoleLease => ({
  machine: 'a',
  bounded: true,
  seconds: 120,
  off: false,
  ...over,
});
const grant = (tenure: Tenure, seconds: number, now: number, uptime = now, session = 's'): Tenure =>
  granted(tenure, beforeGrant(tenure, seconds, now), { seconds, uptime, session }, now);

describe('the bound', () => {
  test.each([
    [20, 10, 5],
    [40, 10, 10],
    [120, 30, 10],
    [3600, 900, 10],
  ])('lease %i s: margin %i s, a heartbeat each %i s', (lease, margin, heartbeat) => {
    expect([marginSeconds(lease), leaseHeartbeatSeconds(lease, 10)]).toEqual([margin, heartbeat]);
  });

  const OVER: Readonly<Record<string, readonly [tenure: Tenure, now: number, over: boolean]>> = {
    'lease and margin after the last answer': [grant(unknownTenure('a', 0), 120, 1000), 151_000, true],
    'a moment before': [grant(unknownTenure('a', 0), 120, 1000), 150_999, false],
    'a longer one granted before a shorter one': [
      grant(grant(unknownTenure('a', 0), 120, 0), 20, 1000),
      140_000,
      false,
    ],
    'a server that starts waits a whole one': [tenureAtStart(record(), 5000), 154_999, false],
    'and not longer': [tenureAtStart(record(), 5000), 155_000, true],
    'nobody knows whether it stops by itself': [unknownTenure('a', 0), 1e12, false],
    'it is said to be off': [{ ...unknownTenure('a', 0), off: true }, 0, true],
    'it says that it runs nothing': [saidStopped(grant(unknownTenure('a', 0), 120, 0, 50), 60, 's'), 100, true],
    'what it said before its last lease': [saidStopped(grant(unknownTenure('a', 0), 120, 0, 50), 40, 's'), 100, false],
    'what an earlier boot of it said': [saidStopped(grant(unknownTenure('a', 0), 120, 0, 50), 60, 'r'), 100, false],
    'it was heard since': [heard(grant(unknownTenure('a', 0), 120, 0), 149_000), 150_000, true],
  };
  test.each(Object.entries(OVER))('%s', (_name, [tenure, now, over]) => {
    expect(leaseIsOver(tenure, now)).toBe(over);
  });

  test('a longer lease stays on record until a shorter one ends later', () => {
    const long = grant(unknownTenure('a', 0), 120, 0);
    expect(beforeGrant(long, 20, 1000).seconds).toBe(120);
    expect(beforeGrant(long, 20, 120_000).seconds).toBe(20);
  });
});

describe('who holds it', () => {
  const input = (over: Partial<HolderInput> = {}): HolderInput => ({
    holder: 'a',
    handing: undefined,
    tenure: grant(unknownTenure('a', 0), 120, 0),
    heartbeatSeconds: 10,
    candidates: [{ name: 'b', unfit: 'is not up' }, { name: 'c' }, { name: 'd' }],
    countedFrom: 0,
    now: 150_000,
    ...over,
  });
  const handing = { to: 'd', by: 'admin', at: 0 };
  const ROWS: Readonly<Record<string, readonly [Partial<HolderInput>, string]>> = {
    'silent, and its lease is over: the first spare that is fit': [{}, 'move c'],
    'its lease is not over yet': [{ now: 149_999 }, 'keep'],
    'its lease is over, and it is heard: it will get it again': [
      { tenure: heard(grant(unknownTenure('a', 0), 120, 0), 149_000) },
      'keep',
    ],
    'silence is not counted before the server listens': [{ countedFrom: 140_000 }, 'keep'],
    'no spare is fit': [{ candidates: [{ name: 'b', unfit: 'is not up' }] }, 'no-spare'],
    'there is none': [{ candidates: [] }, 'no-spare'],
    'off is not waited for': [{ tenure: { ...unknownTenure('a', 0), off: true }, now: 10 }, 'move c'],
    'handed over, still with a lease': [{ handing, now: 1000 }, 'keep'],
    'handed over, and it says that it runs nothing': [
      { handing, tenure: saidStopped(grant(unknownTenure('a', 0), 120, 0, 1), 2, 's'), now: 1000 },
      'move d',
    ],
    'handed over, and silent: when the lease is over': [{ handing }, 'move d'],
  };
  test.each(Object.entries(ROWS))('%s', (_name, [over, wanted]) => {
    const decision = decideHolder(input(over));
    expect(decision.kind === 'move' ? `move ${decision.to}` : decision.kind).toBe(wanted);
  });
});

/*
 * Two machines, one role, one server that is killed and started at will, whose wall clock jumps (nothing reads it), and a network that
 * loses and delays questions and answers. The machines do what boot-assets/live/lib/lease.sh does.
 */
describe('never two at once', () => {
  const LEASE = 20;
  const STOPPING_MS = 5000;
  type Name = 'a' | 'b';
  const names: readonly Name[] = ['a', 'b'];

  class Site {
    now = 0;
    // What is on disk.
    holder: Name = 'a';
    handing: Name | undefined;
    readonly disk = new Map<Name, RoleLease>();
    // In the memory of the server; undefined = it is down.
    server: { tenures: Map<Name, Tenure>; startedAt: number; heardAt: Map<Name, number> } | undefined;
    life = 0;
    /** Machines whose cable is out. */
    readonly cut = new Set<Name>();
    // On the machines: until when (their own clocks run on a little differently), and when the last process was really gone.
    readonly until = new Map<Name, number>(names.map((name) => [name, 0]));
    readonly wire: { at: number; run: () => void }[] = [];

    constructor() {
      this.start();
    }

    start(): void {
      this.life += 1;
      const tenures = new Map(Array.from(this.disk, ([name, one]) => [name, tenureAtStart(one, this.now)]));
      this.server ??= { tenures, startedAt: this.now, heardAt: new Map() };
    }

    /** Its systems may run: within the lease, or still being stopped. */
    runs(name: Name): boolean {
      return this.now < (this.until.get(name) ?? 0) + STOPPING_MS && (this.until.get(name) ?? 0) > 0;
    }

    beat(name: Name, there: number, back: number, lost: boolean): void {
      const sent = this.now;
      const word = this.now < (this.until.get(name) ?? 0) || this.runs(name) ? 'held' : 'none';
      if (word === 'none') this.until.set(name, 0);
      if (this.cut.has(name)) return;
      this.wire.push({
        at: sent + there,
        run: () => {
          const { server, life } = this;
          if (server === undefined) return;
          server.heardAt.set(name, this.now);
          let tenure = heard(server.tenures.get(name) ?? unknownTenure(name, server.startedAt), this.now);
          if (word === 'none') tenure = saidStopped(tenure, sent, 's');
          server.tenures.set(name, tenure);
          let seconds = 0;
          if (this.holder === name && this.handing === undefined) {
            const saved = beforeGrant(tenure, LEASE, this.now);
            this.disk.set(name, saved);
            server.tenures.set(name, granted(tenure, saved, { seconds: LEASE, uptime: sent, session: 's' }, this.now));
            seconds = LEASE;
          }
          if (lost) return;
          this.wire.push({
            at: this.now + back,
            run: () => {
              // A question that took longer than 10 s was given up; one of a server that was killed has no answer.
              if (life !== this.life || this.now - sent > 10_000 || this.cut.has(name)) return;
              if (seconds > 0) this.until.set(name, Math.max(this.until.get(name) ?? 0, sent + seconds * 1000));
              else if ((this.until.get(name) ?? 0) > this.now) this.until.set(name, this.now);
            },
          });
        },
      });
    }

    look(): void {
      const { server } = this;
      if (server === undefined) return;
      const other: Name = this.holder === 'a' ? 'b' : 'a';
      const tenure = server.tenures.get(this.holder) ?? unknownTenure(this.holder, server.startedAt);
      const otherTenure = server.tenures.get(other);
      const fresh = this.now - (server.heardAt.get(other) ?? -1e9) < 17_000;
      const idle = otherTenure === undefined || leaseIsOver(otherTenure, this.now);
      const decision = decideHolder({
        holder: this.holder,
        handing: this.handing === undefined ? undefined : { to: this.handing, by: 'somebody', at: 0 },
        tenure,
        heartbeatSeconds: 5,
        candidates: [{ name: other, ...(fresh && idle ? {} : { unfit: 'is not up' }) }],
        countedFrom: server.startedAt,
        now: this.now,
      });
      if (decision.kind !== 'move') return;
      this.holder = decision.to === 'a' ? 'a' : 'b';
      this.handing = undefined;
      const saved: RoleLease = { machine: this.holder, bounded: true, seconds: 0, off: false };
      this.disk.set(this.holder, saved);
      server.tenures.set(this.holder, { ...tenureAtStart(saved, this.now), until: this.now });
    }

    handOver(): void {
      if (this.server === undefined || this.handing !== undefined) return;
      const to: Name = this.holder === 'a' ? 'b' : 'a';
      if (this.server.heardAt.has(to)) this.handing = to;
    }

    pass(ms: number): void {
      const end = this.now + ms;
      for (;;) {
        this.wire.sort((x, y) => x.at - y.at);
        const next = this.wire[0];
        if (next === undefined || next.at > end) break;
        this.wire.shift();
        this.now = Math.max(this.now, next.at);
        next.run();
        this.check();
      }
      this.now = end;
      this.check();
    }

    check(): void {
      const running = names.filter((name) => this.runs(name));
      if (running.length > 1) throw new Error(`both run at ${this.now} ms`);
    }
  }

  const delay = fc.oneof(
    { weight: 8, arbitrary: fc.integer({ min: 1, max: 300 }) },
    { weight: 1, arbitrary: fc.integer({ min: 300, max: 40_000 }) },
  );
  const pass = fc.record({
    kind: fc.constant('pass' as const),
    seconds: fc.integer({ min: 1, max: 40 }),
    delays: fc.array(fc.record({ there: delay, back: delay, lost: fc.boolean() }), { minLength: 1, maxLength: 5 }),
  });
  const step = fc.oneof(
    { weight: 6, arbitrary: pass },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('cut' as const), name: fc.constantFrom(...names) }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('mend' as const), name: fc.constantFrom(...names) }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('kill', 'start', 'restart', 'hand-over') }) },
  );

  test('whatever is lost, late, cut or killed', () => {
    let moves = 0;
    fc.assert(
      fc.property(fc.array(step, { minLength: 10, maxLength: 80 }), (steps) => {
        const site = new Site();
        let holder = site.holder;
        const second = (at: number, delays: readonly { there: number; back: number; lost: boolean }[]): void => {
          for (const [index, name] of names.entries()) {
            const { there, back, lost } = delays[(at + index) % delays.length] ?? { there: 1, back: 1, lost: false };
            // A heartbeat each 5 s, those of the two at different times.
            if ((Math.round(site.now / 1000) + 2 * index) % 5 === 0) site.beat(name, there, back, lost);
          }
          site.pass(1000);
          site.look();
          if (site.holder !== holder) moves += 1;
          holder = site.holder;
        };
        for (const one of steps) {
          if ('seconds' in one) for (let at = 0; at < one.seconds; at++) second(at, one.delays);
          else if (one.kind === 'cut' && 'name' in one) site.cut.add(one.name);
          else if (one.kind === 'mend' && 'name' in one) site.cut.delete(one.name);
          else if (one.kind === 'hand-over') site.handOver();
          if (one.kind === 'kill' || one.kind === 'restart') site.server = undefined;
          if (one.kind === 'start' || one.kind === 'restart') site.start();
        }
      }),
      { numRuns: 1000 },
    );
    // A property that holds because nothing ever happens would be worth nothing.
    expect(moves).toBeGreaterThan(200);
  });

  test('it finds a margin that is too short', () => {
    // The same site, with machines that take longer to stop than the margin allows: the property must fail.
    const site = new Site();
    site.beat('a', 1, 1, false);
    site.pass(10);
    site.until.set('a', site.now + 31_000);
    for (let second = 0; second < 40; second++) {
      site.beat('b', 1, 1, false);
      expect(() => site.pass(0)).not.toThrow();
      site.look();
      if (site.holder === 'b') break;
      site.pass(1000);
    }
    site.beat('b', 1, 1, false);
    expect(() => site.pass(10)).toThrow('both run');
  });

  test('what is durable is what a start needs', () => {
    const tenure = grant(unknownTenure('a', 0), 120, 0);
    expect(tenureAtStart(recordOf(tenure), 0).until).toBe(tenure.until);
  });
});
