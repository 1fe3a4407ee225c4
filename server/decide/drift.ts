import type { BootedAs } from '../domain/boot-session.js';
import type { Drift, MachineStatus, ObservedSystem } from '../domain/machine.js';
import type { RestartPolicy } from '../domain/system.js';
import { rebootDifferences } from './booted-as.js';
import { changedPart } from './system-digest-parts.js';

/** What a machine shall be now. */
export type WantedBoot =
  | { readonly kind: 'boot'; readonly next: BootedAs; readonly systems: readonly WantedSystem[] }
  | {
      readonly kind: 'none';
      readonly reason: string;
      readonly remedy: string;
      /** `wait`: until somebody corrects what is wrong. */
      readonly ends: 'reboot' | 'wait';
    };

export interface WantedSystem {
  readonly name: string;
  /** As a live OS is told it (boot/system-digest.ts). */
  readonly digest: string;
  readonly restart: RestartPolicy;
}

export interface DriftInput {
  readonly name: string;
  readonly status: MachineStatus;
  /** How many systems its role names. */
  readonly desiredSystems: number;
  /** Asked for only where it matters: it is the work of a plan. */
  readonly wanted: () => WantedBoot;
  /** What it was booted as; undefined: not known, or not by a role. */
  readonly booted: BootedAs | undefined;
  readonly observed: readonly ObservedSystem[];
  /** Systems that somebody left out at the boot prompt. */
  readonly leftOut: readonly string[];
}

/**
 * What differs between what a machine shall be and what it is, each with its reason and with what ends it. What is on its way (a
 * boot, a system that starts) is no difference. Needs a reboot for profile or mode: its systems are another live OS's, so they are
 * not compared and not changed.
 */
export function driftOf(input: DriftInput): readonly Drift[] {
  const { name, status, booted } = input;
  if (status === 'off') return input.desiredSystems === 0 ? [] : [OFF];
  if (status === 'lost') return [LOST];
  if ((status !== 'up' && status !== 'unmanaged') || (status === 'unmanaged' && booted === undefined)) return [];
  const wanted = input.wanted();
  if (wanted.kind === 'none') {
    const { reason, ends, remedy } = wanted;
    return [{ what: 'plan', reason: `${reason}: its systems go on as they are`, ends, remedy }];
  }
  const differences = booted === undefined ? [] : rebootDifferences(booted, wanted.next);
  const remedy = `anybios job reboot -m ${name}`;
  const boots = differences.map(({ what, reason }): Drift => ({ what, reason, ends: 'reboot', remedy }));
  if (status === 'unmanaged' || differences.some(({ what }) => what === 'profile' || what === 'mode')) return boots;
  return [...boots, ...systemDrift(input, wanted.systems)];
}

const OFF: Drift = { what: 'off', reason: 'the machine does not run', ends: 'wait', remedy: 'switch it on' };
const LOST: Drift = {
  what: 'lost',
  reason: 'no heartbeat: what it runs is not known',
  ends: 'wait',
  remedy: 'look at its console and its network, or switch it off and on',
};

function systemDrift({ name, observed, leftOut }: DriftInput, wanted: readonly WantedSystem[]): readonly Drift[] {
  const live = 'nothing: it is told with its next heartbeat';
  const drift: Drift[] = [];
  for (const system of wanted) {
    const seen = observed.find((other) => other.name === system.name);
    if (seen !== undefined) {
      const found = ofSystem(system, seen, name);
      if (found !== undefined) drift.push(found);
    } else if (leftOut.includes(system.name))
      drift.push({
        what: 'left-out',
        system: system.name,
        reason: 'somebody left it out at the boot prompt',
        ends: 'reboot',
        remedy: `anybios job reboot -m ${name}`,
      });
    else
      drift.push({ what: 'missing', system: system.name, reason: 'it is not there yet', ends: 'live', remedy: live });
  }
  for (const seen of observed)
    if (!wanted.some((system) => system.name === seen.name))
      drift.push({
        what: 'extra',
        system: seen.name,
        reason: `${seen.state}, and the role does not name it`,
        ends: 'live',
        remedy: live,
      });
  return drift;
}

function ofSystem(wanted: WantedSystem, seen: ObservedSystem, machine: string): Drift | undefined {
  const { name: system } = wanted;
  const live = 'nothing: it is told with its next heartbeat';
  const part = seen.digest === undefined ? undefined : changedPart(seen.digest, wanted.digest);
  if (part === 'definition')
    return { what: part, system, reason: 'it is composed from an older definition', ends: 'live', remedy: live };
  if (part === 'limits') return { what: part, system, reason: 'its limits are older', ends: 'live', remedy: live };
  const why = seen.message === undefined || seen.message === '' ? '' : `: ${seen.message}`;
  const job = (kind: string): string => `anybios job ${kind} ${system} -m ${machine}`;
  if (seen.state === 'failed')
    return {
      what: 'failed',
      system,
      reason: `it does not run${why}`,
      ends: 'job',
      remedy: `${job('logs')}; ${job('restart')}`,
    };
  if (seen.state === 'paused')
    return { what: 'paused', system, reason: `it stands still${why}`, ends: 'job', remedy: job('resume') };
  // One that is not started again and ended well has done its work; how it ended is in its last report.
  if (seen.state === 'stopped' && (wanted.restart === 'always' || STOPPED_BY_JOB.test(seen.message ?? '')))
    return { what: 'stopped', system, reason: `it does not run${why}`, ends: 'job', remedy: job('start') };
  if (part === 'images')
    return {
      what: 'image',
      system,
      reason: 'a tag names another version of its image now',
      ends: 'job',
      remedy: `anybios job refresh -m ${machine}`,
    };
  return undefined;
}

const STOPPED_BY_JOB = /^stopped by a job/;
