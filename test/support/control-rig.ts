import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Jobs } from '../../server/control/jobs.js';
import { type ControlKey, ensureControlKey } from '../../server/control/server-key.js';
import { SshClient } from '../../server/control/ssh-session.js';
import { moveChanges } from '../../server/decide/move.js';
import type { ControlDoor } from '../../server/domain/control-door.js';
import { isOpen, type Job } from '../../server/domain/job.js';
import { type Mac, parseMac } from '../../server/domain/mac.js';
import type { Machine } from '../../server/domain/machine.js';
import { DesiredWriter } from '../../server/http/desired-writer.js';
import { startCore, type TestCore } from './boot-core.js';

/** The real jobs over the real store and the real ssh, with made-up machines; the clock is the real one. */
export interface ControlRig {
  readonly core: TestCore;
  readonly key: ControlKey;
  readonly ssh: SshClient;
  jobs: Jobs;
  /** The machine's live OS has registered its door, and was heard last at that time. */
  open(machine: string, door: ControlDoor): void;
  /** The jobs of the server end and begin again, as when it is restarted. */
  restart(): Promise<void>;
  ended(id: string, seconds?: number): Promise<{ readonly job: Job; readonly output: string }>;
  until<T>(what: string, look: () => Promise<T | undefined> | T | undefined, seconds?: number): Promise<T>;
  close(): Promise<void>;
}

export const macOf = (number: number): Mac =>
  parseMac(
    `52:54:00:01:${(number >> 8).toString(16).padStart(2, '0')}:${(number & 255).toString(16).padStart(2, '0')}`,
  );

export async function startRig(machines: readonly Machine[], expirySeconds = 3600): Promise<ControlRig> {
  const folder = mkdtempSync(join(tmpdir(), 'anybios-control-'));
  const core = await startCore({ machines, now: Date.now() });
  const key = await ensureControlKey(folder);
  let ids = 0;
  const { state, store } = core;
  const writer = new DesiredWriter({
    state,
    store,
    boot: core.views,
    subnets: [],
    templateFault: () => undefined,
    bootUrl: 'http://10.77.0.1:8080',
  });
  const make = (ssh: SshClient): Jobs =>
    new Jobs({
      store: core.store,
      state: core.state,
      record: (event) => core.events.record(event),
      ssh,
      clock: Date.now,
      newId: () => `made-${++ids}`,
      expirySeconds,
      switchedOff: (machine, session) => core.doors.switchedOff(machine, session),
      moveRole: async (plan, by) => {
        await writer.change(by, (desired) => moveChanges(plan, desired));
      },
      log: { error: (data, message) => console.error(message, data) },
    });
  let ssh = new SshClient(key.path);
  const until: ControlRig['until'] = async (what, look, seconds = 30) => {
    const end = Date.now() + seconds * 1000;
    for (;;) {
      const found = await look();
      if (found !== undefined) return found;
      if (Date.now() > end) throw new Error(`waiting for ${what}: the time is over`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  const rig: ControlRig = {
    core,
    key,
    ssh,
    jobs: make(ssh),
    open: (name, door) => {
      const machine = core.state.machines.get(name);
      const mac = machine?.macs[0];
      if (mac === undefined) throw new Error(`no machine ${name}`);
      const now = Date.now();
      core.state.observed.set(name, {
        key: name,
        mac,
        waiting: false,
        firstSeenAt: now,
        lastSeenAt: now,
        systems: [],
        unmanaged: false,
        upSince: now,
        heartbeatAt: door.registeredAt,
        control: door,
      });
    },
    restart: async () => {
      await rig.jobs.close();
      ssh = new SshClient(key.path);
      rig.jobs = make(ssh);
      await rig.jobs.start();
    },
    ended: (id, seconds) =>
      until(
        `the end of job ${id}`,
        async () => {
          const found = await rig.jobs.get(id);
          return isOpen(found.job) ? undefined : found;
        },
        seconds,
      ),
    until,
    close: async () => {
      await rig.jobs.close();
      await core.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  await rig.jobs.start();
  return rig;
}
