import type { BootPlan } from '../decide/boot-plan.js';
import type { BootableSystem } from '../decide/system-plan.js';
import type { Claim } from '../domain/boot-session.js';
import { notFound } from '../domain/errors.js';
import type { FileData } from '../domain/file-data.js';
import { formatIpv4, type Ipv4 } from '../domain/ipv4.js';
import type { Mac } from '../domain/mac.js';
import type { Machine } from '../domain/machine.js';
import type { ServerIdentity } from '../domain/site.js';
import type { Claimants } from './claimants.js';
import type { AnswerLines } from './machine-lines.js';
import type { Planner } from './planner.js';
import { systemDigest } from './system-digest.js';
import { systemLines } from './system-lines.js';

export interface RenderedFile {
  /** Absolute path inside the system. */
  readonly path: string;
  readonly text: string;
}

/** Renders one file of a system; throws `invalid`. */
export type RenderText = (name: string, template: string, data: object) => string;

/** For whom a system is defined. */
export interface DefinitionFor {
  readonly machine: Machine | undefined;
  readonly mac: Mac;
  /** The one it has in this boot. */
  readonly address: Ipv4 | undefined;
  readonly server: ServerIdentity;
  readonly renderText: RenderText;
}

/** A system as one machine is told it. */
export interface DefinedSystem {
  readonly lines: AnswerLines;
  readonly files: readonly RenderedFile[];
  /** Changes with lines and files (boot/system-digest.ts). */
  readonly digest: string;
}

/** Throws `invalid` for a template that cannot be rendered for this machine. */
export function defineSystem(
  planned: BootableSystem,
  params: Extract<BootPlan, { kind: 'boot' }>['params'],
  { machine, mac, address, server, renderText }: DefinitionFor,
): DefinedSystem {
  const { system } = planned;
  // Of a role that a spare has taken over, all that has a name is as it was: only its network cards are its own.
  const itsAddress = machine?.standsFor?.address ?? address;
  const data: FileData = {
    machine: {
      name: machine?.standsFor?.name ?? machine?.name ?? mac,
      mac,
      macs: [...(machine?.macs ?? [mac])],
      address: itsAddress === undefined ? '' : formatIpv4(itsAddress),
      labels: { ...(machine?.standsFor ?? machine)?.labels },
    },
    role: { name: machine?.role ?? '' },
    system: { name: system.name },
    params: { ...params },
    server: { url: server.url, address: formatIpv4(server.address) },
  };
  const files = Object.entries(system.files).map(([path, text]) => ({
    path,
    text: renderText(`systems[${system.name}].files[${path}]`, text, data),
  }));
  const lines = systemLines(planned, machine?.disks);
  return { lines, files, digest: systemDigest(system, lines, files) };
}

/** What the live OS is told of the systems that its machine's role names. */
export class SystemDefinitions {
  readonly #claimants: Claimants;
  readonly #planner: Planner;
  readonly #renderText: RenderText;

  constructor(claimants: Claimants, planner: Planner, renderText: RenderText) {
    this.#claimants = claimants;
    this.#planner = planner;
    this.#renderText = renderText;
  }

  /** The systems that this machine shall run now, in start order, each with its digest. */
  list(claim: Claim): AnswerLines {
    const plan = this.#plan(claim);
    return plan.systems.map((planned) => [
      'system',
      `${planned.system.name} ${this.#define(claim, planned, plan.params).digest}`,
    ]);
  }

  /** What the live OS needs to start one of its systems. Throws `not_found` for a system that is not this machine's. */
  system(claim: Claim, name: string): AnswerLines {
    const { lines, digest } = this.#defined(claim, name);
    return [...lines, ['digest', digest]];
  }

  /** The files of a system, rendered for this machine. */
  systemFiles(claim: Claim, name: string): readonly RenderedFile[] {
    return this.#defined(claim, name).files;
  }

  #defined(claim: Claim, name: string): DefinedSystem {
    const plan = this.#plan(claim);
    const found = plan.systems.find((s) => s.system.name === name);
    if (found === undefined) throw notFound(`system ${name} is not assigned to this machine`, { field: 'system' });
    this.#claimants.loads(claim, plan);
    return this.#define(claim, found, plan.params);
  }

  #plan(claim: Claim): Extract<BootPlan, { kind: 'boot' }> {
    return this.#claimants.planOf(claim, this.#claimants.sessionOf(claim));
  }

  #define(claim: Claim, planned: BootableSystem, params: Readonly<Record<string, string>>): DefinedSystem {
    return defineSystem(planned, params, {
      machine: this.#claimants.machineOf(claim),
      mac: claim.mac,
      address: this.#claimants.sessionOf(claim).address,
      server: this.#planner.identity,
      renderText: this.#renderText,
    });
  }
}
