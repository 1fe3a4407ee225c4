import { netboots } from '../decide/classify.js';
import { opensSession } from '../decide/session-rule.js';
import type { BootSession } from '../domain/boot-session.js';
import type { Json } from '../domain/event.js';
import type { Machine, Observed } from '../domain/machine.js';
import type { DhcpFacts, DhcpStep, Sender } from './contract.js';
import type { EventLog } from './event-log.js';
import type { Observations } from './observations.js';
import type { ProxyMemory } from './proxy-memory.js';
import type { SecureBootMemory } from './secure-boot-memory.js';
import type { Senders } from './senders.js';
import type { Sessions } from './sessions.js';
import { StrangerLimit } from './stranger-limit.js';

export interface DhcpStepsDeps {
  readonly senders: Senders;
  readonly sessions: Sessions;
  readonly observations: Observations;
  readonly events: EventLog;
  readonly proxy: ProxyMemory;
  readonly secureBoot: SecureBootMemory;
  readonly clock: () => number;
}

/** What DHCP packets say of a boot: they open its session, move it on, and land in the timeline. */
export class DhcpSteps {
  readonly #deps: DhcpStepsDeps;
  readonly #strangers: StrangerLimit;

  constructor(deps: DhcpStepsDeps) {
    this.#deps = deps;
    this.#strangers = new StrangerLimit({ clock: deps.clock, record: (event) => deps.events.record(event) });
  }

  take(step: DhcpStep, sender: Sender): void {
    const { senders, observations } = this.#deps;
    const { facts, message } = step;
    const { machine, assignment } = sender;
    if (machine !== undefined) senders.saw(facts.mac, machine);
    const key = machine?.name ?? facts.mac;
    const unlisted = assignment.kind === 'none' && assignment.unlisted;
    const seen = observations.get(key);
    if (netboots(facts) && !unlisted && message !== 'ignored') {
      // Nor is it told of: the limit tells of all of them together.
      if (seen === undefined && machine === undefined && !this.#strangers.admits()) return;
      this.#observe(key, facts, machine, seen);
    }
    if (step.mode !== 'observe') this.#moveOn(key, step, sender, seen);
  }

  #observe(key: string, facts: DhcpFacts, machine: Machine | undefined, seen: Observed | undefined): void {
    const { observations, events } = this.#deps;
    const firmwareArch = facts.client !== 'ipxe' || seen?.arch === undefined ? facts.arch : seen.arch;
    const news =
      seen === undefined ||
      (machine?.macs.length === 0 && seen.mac !== facts.mac) ||
      (firmwareArch !== undefined && seen.arch !== firmwareArch) ||
      (facts.uuid !== undefined && seen.uuid !== facts.uuid);
    const patch: { -readonly [K in keyof Observed]?: Observed[K] } = {};
    // A machine without MACs of its own is known by the one that it showed last.
    if (machine !== undefined && machine.macs.length === 0) patch.mac = facts.mac;
    if (firmwareArch !== undefined) patch.arch = firmwareArch;
    if (facts.uuid !== undefined) patch.uuid = facts.uuid;
    observations.update(key, facts.mac, patch, news);
    if (seen !== undefined || machine !== undefined) return;
    events.record({
      source: 'dhcp',
      kind: 'machine.discovered',
      level: 'info',
      mac: facts.mac,
      message: `${facts.mac} was seen for the first time`,
      data: dataOf(facts),
    });
  }

  /** Opens the session of a boot, moves it on, and tells of the step. */
  #moveOn(key: string, step: DhcpStep, sender: Sender, seen: Observed | undefined): void {
    const { sessions, observations, proxy } = this.#deps;
    const { facts, message } = step;
    const { assignment } = sender;
    let session = sessions.openOf(key);
    const opened = this.#opens(key, step, sender);
    if (opened) session = this.#open(key, step, sender, session);
    const isLocal = assignment.kind !== 'none' && assignment.profile.kind === 'local';
    if (message === 'offer' && isLocal && seen?.unmanaged !== true) {
      observations.update(key, facts.mac, { unmanaged: true, systems: [], upSince: undefined });
    }
    if (session !== undefined && step.diagnosis !== undefined) session = sessions.fail(session, 'dhcp', step.diagnosis);
    if (message === 'offer' && step.proxyStyle !== undefined) proxy.offered(key, facts, step.proxyStyle, session);
    // In full mode every packet ends as an offer, ack, nak or ignored, and is told together with that. The DISCOVERs that begin a
    // boot or its iPXE stand for themselves: they are the first step, and carry what the firmware said of itself.
    const isRequest = message === 'discover' || message === 'request' || message === 'inform';
    const begins =
      opened || (message === 'discover' && facts.client === 'ipxe' && session?.scriptFetchedAt === undefined);
    if (isRequest && step.mode === undefined && !(begins && session !== undefined)) return;
    this.#tell(step, sender, session);
  }

  #opens(key: string, { message, facts }: DhcpStep, { assignment }: Sender): boolean {
    const boots = assignment.kind !== 'none' && assignment.profile.kind !== 'local';
    return (
      message === 'discover' && boots && opensSession(facts.client, this.#deps.sessions.of(key), this.#deps.clock())
    );
  }

  #open(key: string, step: DhcpStep, { machine }: Sender, before: BootSession | undefined): BootSession {
    const { facts } = step;
    if (before?.stage === 'loader') this.#deps.secureBoot.forget(before);
    return this.#deps.sessions.open({
      key,
      mac: facts.mac,
      firmware: firmwareWord(facts),
      ...(step.mode === 'proxy' ? { dhcpMode: step.mode } : {}),
      ...(machine === undefined ? {} : { machine: machine.name }),
      ...(facts.arch === undefined ? {} : { arch: facts.arch }),
      ...(facts.uuid === undefined ? {} : { uuid: facts.uuid }),
    });
  }

  #tell(step: DhcpStep, { machine }: Sender, session: BootSession | undefined): void {
    const { sessions, events } = this.#deps;
    const { facts, message } = step;
    const level = message === 'nak' || message === 'decline' || message === 'ignored' ? 'warning' : 'info';
    if (session === undefined) {
      events.record({
        source: 'dhcp',
        kind: `dhcp.${message}`,
        level,
        ...(machine === undefined ? {} : { machine: machine.name }),
        mac: facts.mac,
        message: step.text,
        data: step.data,
      });
      return;
    }
    const next =
      netboots(facts) && session.outcome !== 'failed'
        ? sessions.step(
            session,
            // With the NIC: an address that was given to another one (same UUID) is no proof for this one.
            step.address === undefined || !tellsAddress(step) ? {} : { address: step.address, mac: facts.mac },
            tellsAddress(step),
          )
        : session;
    sessions.event(next, 'dhcp', `dhcp.${message}`, step.text, step.data, level);
  }
}

/** The address is known by our own ACK; in proxy mode by the REQUEST to the other server, too. */
function tellsAddress({ message, mode }: DhcpStep): boolean {
  return message === 'ack' || (mode === 'proxy' && message === 'request');
}

function firmwareWord(facts: DhcpFacts): string {
  if (facts.client === 'http') return 'uefi-http';
  if (facts.client === 'ipxe') return 'ipxe';
  return facts.arch === 0 ? 'bios' : 'uefi';
}

function dataOf(facts: DhcpFacts): Record<string, Json> {
  return { client: facts.client, arch: facts.arch ?? null, uuid: facts.uuid ?? null };
}
