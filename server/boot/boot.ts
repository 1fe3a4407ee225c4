import type { Assignment } from '../decide/assignment.js';
import { CHAINLOAD_LOOP_FETCHES, diagnoseLoop } from '../decide/diagnose.js';
import { type Evidence, identify } from '../decide/identify.js';
import { chooseLoader, LOADER_FILES, type LoaderChoice, type LoaderSetting } from '../decide/loader.js';
import type { BootFileSetting } from '../decide/own-boot-file.js';
import { afterOffer, type StyleMemory, usualStyle } from '../decide/proxy-style.js';
import { opensSession } from '../decide/session-rule.js';
import type { BootSession } from '../domain/boot-session.js';
import type { Digest } from '../domain/digest.js';
import type { Json } from '../domain/event.js';
import { formatIpv4, type Ipv4 } from '../domain/ipv4.js';
import { type Mac, macDashed } from '../domain/mac.js';
import type { Machine, ProxyStyle } from '../domain/machine.js';
import type { Loader, Role } from '../domain/role.js';
import type { State } from '../state/state.js';
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
  TransferReport,
} from './contract.js';
import type { BootLog, EventLog } from './event-log.js';
import { createNameSpace, isRoutineMiss, type NameSpaceDeps } from './name-space.js';
import type { Observations } from './observations.js';
import type { Planner } from './planner.js';
import { errorScript, type RenderProfile, type ScriptLoader, scriptData } from './scripts.js';
import { SeenCards } from './seen-cards.js';
import type { Sessions } from './sessions.js';

export interface BootDeps {
  readonly state: State;
  readonly sessions: Sessions;
  readonly observations: Observations;
  readonly claims: Claims;
  readonly planner: Planner;
  readonly events: EventLog;
  readonly log: BootLog;
  readonly clock: () => number;
  readonly renderProfile: RenderProfile;
  /** Who has this address on the wire now, if the kernel knows. */
  readonly neighbour?: ((address: Ipv4) => Mac | undefined) | undefined;
  readonly files: Omit<NameSpaceDeps, 'identity' | 'script'>;
}

/** First-stage loaders of this server: their fetch is the `loader` stage. grubx64.efi is the second half of shim's. */
const FIRST_LOADERS: ReadonlySet<string> = new Set(Object.values(LOADER_FILES));

/** The core between the packet shells and the state: who is this, what does it get, what has it done. */
export class Boot implements DhcpBoot, FileBoot {
  readonly #deps: BootDeps;
  readonly #cards: SeenCards;
  readonly #lookup: (name: string, requester: Requester) => Promise<BootFile>;
  /** The style of the last offer in proxy mode, and how many of it were made since a loader was fetched. */
  readonly #proxyOffers = new Map<string, { readonly style: ProxyStyle; readonly count: number }>();

  constructor(deps: BootDeps) {
    this.#deps = deps;
    this.#cards = new SeenCards(deps.state);
    this.#lookup = createNameSpace({
      ...deps.files,
      identity: deps.planner.identity,
      script: (mac, loader, requester) => this.#script(mac, loader, requester),
    });
    deps.sessions.onStalled = (session) => {
      if (session.stage === 'loader') this.#forgetSecureBoot(session);
    };
  }

  machineOf(evidence: Evidence): Machine | undefined {
    const { state } = this.#deps;
    const machine = identify(evidence, state);
    if (machine !== undefined || state.machineByMac(evidence.mac) !== undefined) return machine;
    // A name in a URL and a renewal say only the MAC: the machine that its last boot was told to be, by port or id.
    if (evidence.client !== undefined && evidence.renewing !== true) return undefined;
    return this.#cards.machineOf(evidence.mac);
  }

  /** The role whose DHCP options it gets: its own, or the one of unknown machines. */
  roleOf(facts: DhcpFacts): Role | undefined {
    const assignment = this.#deps.planner.assignment(facts.mac, this.machineOf(facts));
    return assignment.kind === 'role' ? assignment.role : undefined;
  }

  bootOffer(facts: DhcpFacts, subnet: BootSubnet): BootOffer {
    const { planner } = this.#deps;
    if (facts.client === 'os' || facts.client === 'bootp')
      return { kind: 'none', reason: 'not a netboot client: addresses only' };
    const machine = this.machineOf(facts);
    const assignment = planner.assignment(facts.mac, machine);
    if (assignment.kind === 'none') return { kind: 'none', reason: assignment.reason };
    const url = `${planner.identity.url}/boot/ipxe/${macDashed(facts.mac)}`;
    if (facts.client === 'ipxe')
      return { kind: 'script', url, reason: `iPXE asks: the script of ${machine?.name ?? facts.mac}` };
    if (assignment.profile.kind === 'local')
      return { kind: 'none', reason: `${assignment.reason}; profile ${assignment.profile.name}: its own disk` };
    const choice = this.#chooseLoader(facts, machine, assignment, subnet);
    if (choice.kind === 'none') return choice;
    // HTTP firmware wants a whole URL that ends in .efi (docs/hardware.md: OVMF); TFTP firmware a bare name at the root.
    const file = choice.transport === 'http' ? this.#urlOf(choice.file) : choice.file;
    const offer = {
      kind: 'loader',
      file,
      loader: choice.loader,
      reason: `${assignment.reason}; ${choice.reason}`,
    } as const;
    if (subnet.mode === 'full' || facts.client !== 'pxe') return offer;
    return { ...offer, proxyStyle: this.#styleOf(machine?.name ?? facts.mac, facts).style };
  }

  #styleOf(key: string, facts: DhcpFacts): StyleMemory {
    const seen = this.#deps.observations.get(key);
    return {
      style: seen?.proxyStyle ?? usualStyle(facts.arch),
      proven: seen?.proxyStyleProven === true,
      offers: this.#proxyOffers.get(key)?.count ?? 0,
    };
  }

  /** Counts the offer; after too many that led nowhere the next one is of the other style. */
  #proxyOffered(key: string, facts: DhcpFacts, style: ProxyStyle, session: BootSession | undefined): void {
    const { memory, switched } = afterOffer({ ...this.#styleOf(key, facts), style });
    this.#proxyOffers.set(key, { style, count: memory.offers });
    if (!switched) return;
    this.#deps.observations.update(key, facts.mac, { proxyStyle: memory.style, proxyStyleProven: undefined });
    if (session !== undefined)
      this.#deps.sessions.event(
        session,
        'dhcp',
        'dhcp.proxy-style',
        `no boot loader was fetched after the offers of style ${style}: the next one is of style ${memory.style}`,
        { style: memory.style },
      );
  }

  /** It fetches a loader, so it has understood the offer. */
  #proxyFetched(session: BootSession): void {
    const offered = this.#proxyOffers.get(session.key);
    if (session.dhcpMode !== 'proxy' || offered === undefined) return;
    this.#proxyOffers.delete(session.key);
    const seen = this.#deps.observations.get(session.key);
    if (seen?.proxyStyle === offered.style && seen.proxyStyleProven === true) return;
    this.#deps.observations.update(session.key, session.mac, { proxyStyle: offered.style, proxyStyleProven: true });
  }

  /** The nearest setting of machine, role, profile and subnet wins; `auto` looks at what is known of Secure Boot. */
  #chooseLoader(
    facts: DhcpFacts,
    machine: Machine | undefined,
    assignment: Exclude<Assignment, { kind: 'none' }>,
    subnet: BootSubnet,
  ): LoaderChoice {
    const bootFiles: readonly BootFileSetting[] = [
      { source: 'machine', files: machine?.bootFiles },
      { source: 'profile', files: assignment.profile.bootFiles },
      { source: 'subnet', files: subnet.bootFiles },
    ];
    const settings: readonly (readonly [LoaderSetting['source'], Loader | undefined])[] = [
      ['machine', machine?.loader],
      ['role', assignment.kind === 'role' ? assignment.role.loader : undefined],
      ['profile', assignment.profile.loader],
      ['subnet', subnet.loader],
    ];
    const [source, loader] = settings.find(([, value]) => value !== undefined) ?? ['default', undefined];
    const secureBoot = this.#deps.observations.get(machine?.name ?? facts.mac)?.secureBoot;
    const { mode } = subnet;
    return chooseLoader({ facts, mode, setting: { source, loader: loader ?? 'auto' }, bootFiles, secureBoot });
  }

  /** Shipped loaders lie under /boot, the site's own files under /files; a whole URL is given as it is. */
  #urlOf(file: string): string {
    if (file.includes('://')) return file;
    const { url } = this.#deps.planner.identity;
    return FIRST_LOADERS.has(file) ? `${url}/boot/${file}` : `${url}/files/${file.replace(/^\/+/, '')}`;
  }

  /** The first file of a boot: a shipped loader, or one that somebody set for this machine. */
  #isLoader(name: string, last: string, session: BootSession): boolean {
    if (FIRST_LOADERS.has(last)) return true;
    const { state, planner } = this.#deps;
    const machine = session.machine === undefined ? undefined : state.machines.get(session.machine);
    const assignment = planner.assignment(session.mac, machine);
    const settings = [
      machine?.bootFiles,
      assignment.kind === 'none' ? undefined : assignment.profile.bootFiles,
      planner.subnetOf(session.address)?.bootFiles,
    ];
    const asked = name.replace(/^\/+/, '');
    return settings.some((files) =>
      Object.values(files ?? {}).some((file) => asked === file.replace(/^\/+/, '') || asked === `files/${file}`),
    );
  }

  step(step: DhcpStep): void {
    const { sessions, observations, planner, events } = this.#deps;
    const { facts, message } = step;
    const machine = this.machineOf(facts);
    if (machine !== undefined) this.#cards.saw(facts.mac, machine);
    const key = machine?.name ?? facts.mac;
    const assignment = planner.assignment(facts.mac, machine);
    const netboots = facts.client === 'pxe' || facts.client === 'http' || facts.client === 'ipxe';
    const unlisted = assignment.kind === 'none' && assignment.unlisted;
    const seen = observations.get(key);
    if (netboots && !unlisted && message !== 'ignored') {
      const firmwareArch = facts.client !== 'ipxe' || seen?.arch === undefined ? facts.arch : seen.arch;
      const news =
        seen === undefined ||
        (machine?.macs.length === 0 && seen.mac !== facts.mac) ||
        (firmwareArch !== undefined && seen.arch !== firmwareArch) ||
        (facts.uuid !== undefined && seen.uuid !== facts.uuid);
      observations.update(
        key,
        facts.mac,
        {
          // A machine without MACs of its own is known by the one that it showed last.
          ...(machine !== undefined && machine.macs.length === 0 ? { mac: facts.mac } : {}),
          ...(firmwareArch === undefined ? {} : { arch: firmwareArch }),
          ...(facts.uuid === undefined ? {} : { uuid: facts.uuid }),
        },
        news,
      );
      if (seen === undefined && machine === undefined) {
        events.record({
          source: 'dhcp',
          kind: 'machine.discovered',
          level: 'info',
          mac: facts.mac,
          message: `${facts.mac} was seen for the first time`,
          data: dataOf(facts),
        });
      }
    }
    if (step.mode === 'observe') return;
    const boots = assignment.kind !== 'none' && assignment.profile.kind !== 'local';
    let session = sessions.openOf(key);
    let opened = false;
    if (message === 'discover' && boots && opensSession(facts.client, sessions.of(key), this.#now())) {
      if (session?.stage === 'loader') this.#forgetSecureBoot(session);
      opened = true;
      session = sessions.open({
        key,
        mac: facts.mac,
        firmware: firmwareWord(facts),
        ...(step.mode === 'proxy' ? { dhcpMode: step.mode } : {}),
        ...(machine === undefined ? {} : { machine: machine.name }),
        ...(facts.arch === undefined ? {} : { arch: facts.arch }),
        ...(facts.uuid === undefined ? {} : { uuid: facts.uuid }),
      });
    }
    if (
      message === 'offer' &&
      assignment.kind !== 'none' &&
      assignment.profile.kind === 'local' &&
      seen?.unmanaged !== true
    ) {
      observations.update(key, facts.mac, { unmanaged: true, systems: [], upSince: undefined });
    }
    if (session !== undefined && step.diagnosis !== undefined) session = sessions.fail(session, 'dhcp', step.diagnosis);
    if (message === 'offer' && step.proxyStyle !== undefined) this.#proxyOffered(key, facts, step.proxyStyle, session);
    // In full mode every packet ends as an offer, ack, nak or ignored, and is told together with that. The DISCOVERs that begin a
    // boot or its iPXE stand for themselves: they are the first step, and carry what the firmware said of itself.
    const isRequest = message === 'discover' || message === 'request' || message === 'inform';
    const begins =
      opened || (message === 'discover' && facts.client === 'ipxe' && session?.scriptFetchedAt === undefined);
    if (isRequest && step.mode === undefined && !(begins && session !== undefined)) return;
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
      netboots && session.outcome !== 'failed'
        ? sessions.step(
            session,
            // With the NIC: an address that was given to another one (same UUID) is no proof for this one.
            step.address === undefined || !tellsAddress(step) ? {} : { address: step.address, mac: facts.mac },
            tellsAddress(step),
          )
        : session;
    sessions.event(next, 'dhcp', `dhcp.${message}`, step.text, step.data, level);
  }

  async resolve(name: string, requester: Requester): Promise<BootFile> {
    const file = await this.#lookup(name, requester);
    if (file.kind === 'none') this.#refused(file, requester);
    return file;
  }

  refused(requester: Requester, name: string, reason: string): void {
    this.#refused({ kind: 'none', name: name.slice(0, 100), code: 'invalid', reason }, requester);
  }

  transfer(report: TransferReport): void {
    const { sessions, state } = this.#deps;
    const session = sessions.byAddress(report.requester.address);
    if (session === undefined || session.closedAt !== undefined) {
      if (report.phase === 'failed') this.refused(report.requester, report.name, report.reason ?? 'broke off');
      return;
    }
    const base = report.name.replace(/\/+$/, '').split('/');
    const last = (base.at(-1) ?? '').toLowerCase();
    const digest = base.find((segment) => /^[0-9a-f]{64}$/.test(segment));
    const isLoader = this.#isLoader(report.name, last, session);
    const isKernel = digest !== undefined && state.imageByDigest(digest as Digest)?.kind === 'kernel';
    const stage = isKernel ? 'kernel' : isLoader ? 'loader' : undefined;
    const { protocol } = report.requester;
    if (report.phase === 'progress') {
      sessions.step(
        session,
        {
          ...(stage === undefined ? {} : { stage }),
          progress: { file: last, bytes: report.bytes, total: report.total },
        },
        false,
      );
      return;
    }
    if (isLoader && report.phase !== 'failed') this.#proxyFetched(session);
    const fetched = isLoader && report.phase === 'sent' ? session.loaderFetches + 1 : session.loaderFetches;
    const next = sessions.step(session, {
      ...(stage === undefined ? {} : { stage }),
      loaderFetches: fetched,
      progress: undefined,
    });
    const speed = report.milliseconds > 0 ? report.bytes / report.milliseconds / 1000 : 0;
    const words: Record<typeof report.phase, string> = {
      started: `sending ${last}`,
      sent: `sent ${last}: ${report.bytes} bytes in ${report.milliseconds} ms (${speed.toFixed(1)} MB/s)`,
      probed: `${last}: the firmware asked for the size only`,
      failed: `${last} broke off after ${report.bytes} of ${report.total} bytes: ${report.reason ?? 'no reason'}`,
    };
    const data = { file: report.name, bytes: report.bytes, total: report.total, milliseconds: report.milliseconds };
    sessions.event(
      next,
      protocol,
      `${protocol}.${report.phase}`,
      words[report.phase],
      data,
      report.phase === 'failed' ? 'warning' : 'info',
    );
    if (fetched >= CHAINLOAD_LOOP_FETCHES && fetched > session.loaderFetches) {
      const loop = diagnoseLoop(next);
      if (loop !== undefined) sessions.fail(next, protocol, loop);
    }
  }

  /** The script of one machine. The nonce goes only to the address that was given to this very NIC in this session. */
  async #script(mac: Mac, loader: ScriptLoader, requester: Requester): Promise<string> {
    const { planner, sessions, claims, renderProfile } = this.#deps;
    const machine = this.machineOf({ mac });
    const key = machine?.name ?? mac;
    const assignment = planner.assignment(mac, machine);
    const open = sessions.openOf(key);
    const own = this.#ownSession(open, mac, requester.address);
    const nonce = own === undefined ? undefined : await claims.nonceFor(own);
    const plan = planner.plan(mac, machine, { address: open?.address, session: own?.id, nonce }, assignment);
    let text: string;
    if (plan.kind === 'none' || assignment.kind === 'none') {
      const reason = plan.kind === 'none' ? plan.reason : assignment.reason;
      if (own !== undefined)
        sessions.fail(sessions.step(own, { stage: 'script' }), requester.protocol, {
          name: 'nothing-to-boot',
          message: reason,
          remedy: plan.kind === 'none' ? plan.remedy : '',
        });
      return errorScript(loader, plan.name, reason);
    }
    try {
      text = renderProfile(
        assignment.profile.name,
        loader,
        scriptData(plan, assignment, mac, machine, planner.identity, own?.id),
      );
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      if (own !== undefined)
        sessions.fail(own, requester.protocol, {
          name: 'template-failed',
          message: reason,
          remedy: 'correct the profile’s template',
        });
      return errorScript(loader, plan.name, reason);
    }
    if (own !== undefined) {
      const next = sessions.step(own, { stage: 'script', scriptFetchedAt: this.#now() });
      sessions.event(
        next,
        requester.protocol,
        `${requester.protocol}.script`,
        `${loader === 'grub' ? 'GRUB' : 'iPXE'} fetched the script of ${plan.name}`,
        {
          loader,
          profile: assignment.profile.name,
          nonce: nonce !== undefined,
        },
      );
    } else if (open !== undefined) {
      const data = {
        asked: formatIpv4(requester.address),
        expected: open.address === undefined ? null : formatIpv4(open.address),
      };
      sessions.event(
        open,
        requester.protocol,
        `${requester.protocol}.script-without-nonce`,
        `the script was fetched from ${data.asked}, which is not this machine: no nonce in it`,
        data,
        'warning',
      );
    }
    return text;
  }

  /**
   * The session if this is the machine itself. In proxy mode everybody on the wire could have named this address in a REQUEST: who
   * really has it is what the kernel's neighbour table says, as far as it says anything (nothing of what is behind a router).
   */
  #ownSession(open: BootSession | undefined, mac: Mac, address: Ipv4): BootSession | undefined {
    if (open === undefined || open.mac !== mac) return undefined;
    if (open.dhcpMode !== 'proxy') return open.address === address ? open : undefined;
    const neighbour = this.#deps.neighbour?.(address);
    if (neighbour !== undefined && neighbour !== mac) return undefined;
    if (open.address === address) return open;
    // Its REQUEST was not heard (a lost packet, a server that is not asked by broadcast): the neighbour table is proof enough.
    return neighbour === mac ? this.#deps.sessions.step(open, { address }) : undefined;
  }

  #refused(file: Extract<BootFile, { kind: 'none' }>, requester: Requester): void {
    const { events, sessions } = this.#deps;
    const session = sessions.byAddress(requester.address);
    const level = isRoutineMiss(file.name) ? 'info' : 'warning';
    const data: Record<string, Json> = { file: file.name, address: formatIpv4(requester.address), code: file.code };
    const message = `${file.name} refused to ${formatIpv4(requester.address)}: ${file.reason}`;
    if (session?.closedAt === undefined && session !== undefined)
      sessions.event(session, requester.protocol, `${requester.protocol}.refused`, message, data, level);
    else events.record({ source: requester.protocol, kind: `${requester.protocol}.refused`, level, message, data });
  }

  /** A loader that was fetched and did nothing more: Secure Boot may have been turned on since. */
  #forgetSecureBoot(session: BootSession): void {
    const { observations } = this.#deps;
    if (observations.get(session.key)?.secureBoot === undefined) return;
    observations.update(session.key, session.mac, { secureBoot: undefined });
    this.#deps.sessions.event(
      session,
      'server',
      'machine.secure-boot-forgotten',
      'a loader was fetched with no next step: what was known of Secure Boot is forgotten',
    );
  }

  #now(): number {
    return this.#deps.clock();
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
