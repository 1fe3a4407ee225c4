import type { Evidence } from '../decide/identify.js';
import type { Ipv4 } from '../domain/ipv4.js';
import type { Mac } from '../domain/mac.js';
import type { Machine } from '../domain/machine.js';
import { andThen, type MaybePromise } from '../domain/maybe-promise.js';
import type { State } from '../state/state.js';
import { BootOffers } from './boot-offers.js';
import type { Claims } from './claims.js';
import type {
  BootFile,
  BootOffer,
  BootSubnet,
  DhcpBoot,
  DhcpFacts,
  DhcpStep,
  FileBoot,
  Requester,
  Sender,
  TransferReport,
} from './contract.js';
import { DhcpSteps } from './dhcp-steps.js';
import type { DownloadQueue } from './download-queue.js';
import type { BootLog, EventLog } from './event-log.js';
import { MachineScript } from './machine-script.js';
import { createNameSpace, type NameSpaceDeps } from './name-space.js';
import type { Observations } from './observations.js';
import type { Planner } from './planner.js';
import { ProxyMemory } from './proxy-memory.js';
import type { RenderProfile } from './scripts.js';
import { SecureBootMemory } from './secure-boot-memory.js';
import { Senders } from './senders.js';
import type { Sessions } from './sessions.js';
import { Transfers } from './transfers.js';

export interface BootDeps {
  readonly state: State;
  readonly sessions: Sessions;
  readonly observations: Observations;
  readonly claims: Claims;
  readonly planner: Planner;
  readonly events: EventLog;
  readonly downloadQueue: DownloadQueue;
  readonly log: BootLog;
  readonly clock: () => number;
  readonly renderProfile: RenderProfile;
  /** Who has this address on the wire now, if the kernel knows. */
  readonly neighbour?: ((address: Ipv4) => Mac | undefined) | undefined;
  readonly files: Omit<NameSpaceDeps, 'identity' | 'script'>;
}

/** The core between the packet shells and the state: who is this, what does it get, what has it done. */
export class Boot implements DhcpBoot, FileBoot {
  readonly #planner: Planner;
  readonly #senders: Senders;
  readonly #offers: BootOffers;
  readonly #dhcp: DhcpSteps;
  readonly #transfers: Transfers;
  readonly #lookup: (name: string, requester: Requester) => MaybePromise<BootFile>;

  constructor(deps: BootDeps) {
    const { sessions, observations, planner } = deps;
    const senders = new Senders(deps.state);
    const proxy = new ProxyMemory(observations, sessions);
    const secureBoot = new SecureBootMemory(observations, sessions);
    const script = new MachineScript({ ...deps, senders });
    this.#planner = planner;
    this.#senders = senders;
    this.#offers = new BootOffers({ observations, planner, proxy });
    this.#dhcp = new DhcpSteps({ ...deps, senders, proxy, secureBoot });
    this.#transfers = new Transfers({ ...deps, proxy });
    this.#lookup = createNameSpace({
      ...deps.files,
      identity: planner.identity,
      script: (mac, loader, requester) => script.render(mac, loader, requester),
    });
    sessions.onStalled = (session) => {
      if (session.stage === 'loader') secureBoot.forget(session);
    };
  }

  machineOf(evidence: Evidence): Machine | undefined {
    return this.#senders.machineOf(evidence);
  }

  senderOf(facts: DhcpFacts): Sender {
    const machine = this.#senders.machineOf(facts);
    const assignment = this.#planner.assignment(facts.mac, machine);
    const role = assignment.kind === 'role' ? assignment.role : undefined;
    const impostorOf = machine === undefined ? this.#senders.impostorOf(facts.mac) : undefined;
    const sender = { machine, role, assignment };
    return impostorOf === undefined ? sender : { ...sender, impostorOf };
  }

  bootOffer(facts: DhcpFacts, subnet: BootSubnet, sender = this.senderOf(facts)): BootOffer {
    return this.#offers.offerFor(facts, sender, subnet);
  }

  step(step: DhcpStep, sender = this.senderOf(step.facts)): void {
    this.#dhcp.take(step, sender);
  }

  resolve(name: string, requester: Requester): MaybePromise<BootFile> {
    return andThen(this.#lookup(name, requester), (file) => {
      if (file.kind === 'none') this.#transfers.refused(file, requester);
      return file;
    });
  }

  refused(requester: Requester, name: string, reason: string): void {
    this.#transfers.refusedName(requester, name, reason);
  }

  transfer(report: TransferReport): void {
    this.#transfers.took(report);
  }
}
