import type { Claim } from '../domain/boot-session.js';
import { notFound } from '../domain/errors.js';
import type { FileData } from '../domain/file-data.js';
import { formatIpv4 } from '../domain/ipv4.js';
import type { Claimants } from './claimants.js';
import type { AnswerLines } from './machine-lines.js';
import type { Planner } from './planner.js';
import { systemLines } from './system-lines.js';

export interface RenderedFile {
  /** Absolute path inside the system. */
  readonly path: string;
  readonly text: string;
}

/** Renders one file of a system; throws `invalid`. */
export type RenderText = (name: string, template: string, data: object) => string;

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

  /** What the live OS needs to start one of its systems. Throws `not_found` for a system that is not this machine's. */
  system(claim: Claim, name: string): AnswerLines {
    return systemLines(this.#bootable(claim, name), this.#claimants.machineOf(claim)?.disks);
  }

  /** The systems that this machine shall run now, in start order. */
  names(claim: Claim): readonly string[] {
    const plan = this.#claimants.planOf(claim, this.#claimants.sessionOf(claim));
    return plan.systems.map(({ system }) => system.name);
  }

  /** The files of a system, rendered for this machine. */
  systemFiles(claim: Claim, name: string): readonly RenderedFile[] {
    const { system, params } = this.#bootable(claim, name);
    const machine = this.#claimants.machineOf(claim);
    const session = this.#claimants.sessionOf(claim);
    const data: FileData = {
      machine: {
        name: machine?.name ?? claim.mac,
        mac: claim.mac,
        macs: [...(machine?.macs ?? [claim.mac])],
        address: session.address === undefined ? '' : formatIpv4(session.address),
        labels: { ...machine?.labels },
      },
      role: { name: machine?.role ?? '' },
      system: { name: system.name },
      params: { ...params },
      server: { url: this.#planner.identity.url, address: formatIpv4(this.#planner.identity.address) },
    };
    return Object.entries(system.files).map(([path, text]) => ({
      path,
      text: this.#renderText(`systems[${name}].files[${path}]`, text, data),
    }));
  }

  #bootable(claim: Claim, name: string) {
    const plan = this.#claimants.planOf(claim, this.#claimants.sessionOf(claim));
    const found = plan.systems.find((s) => s.system.name === name);
    if (found === undefined) throw notFound(`system ${name} is not assigned to this machine`, { field: 'system' });
    this.#claimants.loads(claim, plan);
    return { ...found, params: plan.params };
  }
}
