import { shellStage } from '../decide/diagnose.js';
import type { BootSession } from '../domain/boot-session.js';
import { formatIpv4, type Ipv4 } from '../domain/ipv4.js';
import type { Mac } from '../domain/mac.js';
import type { Machine } from '../domain/machine.js';
import { andThen, type MaybePromise } from '../domain/maybe-promise.js';
import type { Claims } from './claims.js';
import type { Requester } from './contract.js';
import type { Planner } from './planner.js';
import { Repeats } from './repeats.js';
import { type MadeScript, ScriptCache, type ScriptFacts } from './script-cache.js';
import { errorScript, type RenderProfile, type ScriptLoader, scriptData } from './scripts.js';
import type { Senders } from './senders.js';
import type { Sessions } from './sessions.js';

export interface MachineScriptDeps {
  readonly senders: Senders;
  readonly sessions: Sessions;
  readonly claims: Claims;
  readonly planner: Planner;
  readonly clock: () => number;
  readonly renderProfile: RenderProfile;
  /** Who has this address on the wire now, if the kernel knows. */
  readonly neighbour?: ((address: Ipv4) => Mac | undefined) | undefined;
}

interface Asked {
  readonly machine: Machine | undefined;
  /** The machine's open session, whoever asks. */
  readonly open: BootSession | undefined;
  /** The same if the machine itself asks. */
  readonly own: BootSession | undefined;
  readonly nonce: string | undefined;
}

/** What iPXE or GRUB reads to go on: rendered for one machine, with the nonce of its session. */
export class MachineScript {
  readonly #deps: MachineScriptDeps;
  readonly #cache = new ScriptCache();
  readonly #repeats: Repeats;

  constructor(deps: MachineScriptDeps) {
    this.#deps = deps;
    this.#repeats = new Repeats(deps.clock);
  }

  /** The script of one machine. The nonce goes only to the address that was given to this very NIC in this session. */
  render(mac: Mac, loader: ScriptLoader, requester: Requester): MaybePromise<string> {
    const { senders, sessions, claims } = this.#deps;
    const machine = senders.machineOf({ mac });
    const open = sessions.openOf(machine?.name ?? mac);
    const own = this.#ownSession(open, mac, requester.address);
    if (own === undefined) return this.#answer(mac, loader, requester, { machine, open, own, nonce: undefined });
    return andThen(claims.nonceFor(own), (nonce) =>
      this.#answer(mac, loader, requester, { machine, open, own, nonce }),
    );
  }

  #answer(mac: Mac, loader: ScriptLoader, requester: Requester, { machine, open, own, nonce }: Asked): string {
    const { planner, sessions } = this.#deps;
    const facts = { revision: planner.revision, machine, address: open?.address, session: own?.id, nonce };
    const key = `${loader} ${mac}`;
    let script = this.#cache.get(key, facts);
    if (script === undefined) {
      const made = this.#make(mac, loader, requester, own, facts);
      if (typeof made === 'string') return made;
      script = made;
      this.#cache.put(key, facts, script);
    }
    // Before anything is awaited: from now on it may load them, so `gc` must not take them.
    if (own !== undefined) sessions.loads(own.key, script.images);
    if (own !== undefined) this.#fetched(own, loader, requester, script, nonce !== undefined);
    else if (open !== undefined) this.#fetchedByAnother(open, requester);
    return script.text;
  }

  /** A string = the script that tells the machine what is wrong; not kept, for it may be mended. */
  #make(
    mac: Mac,
    loader: ScriptLoader,
    { protocol }: Requester,
    own: BootSession | undefined,
    { machine, address, nonce }: ScriptFacts,
  ): MadeScript | string {
    const { planner, sessions, renderProfile } = this.#deps;
    const assignment = planner.assignment(mac, machine);
    const plan = planner.plan(mac, machine, { address, session: own?.id, nonce }, assignment);
    if (plan.kind === 'none' || assignment.kind === 'none') {
      const reason = plan.kind === 'none' ? plan.reason : assignment.reason;
      if (own !== undefined)
        sessions.fail(
          sessions.step(own, { stage: 'script' }),
          protocol,
          (plan.kind === 'none' ? plan.diagnosis : undefined) ?? {
            name: 'nothing-to-boot',
            message: reason,
            remedy: plan.kind === 'none' ? plan.remedy : '',
          },
        );
      return errorScript(loader, plan.name, reason);
    }
    const profile = assignment.profile.name;
    try {
      const data = scriptData(plan, assignment, mac, machine, planner.identity, own?.id);
      const shellIn = plan.kind === 'boot' ? shellStage(plan.args, plan.mode) : undefined;
      const images = plan.kind === 'boot' ? plan.images : [];
      return { text: renderProfile(profile, loader, data), name: plan.name, profile, shellIn, images };
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      if (own !== undefined)
        sessions.fail(own, protocol, {
          name: 'template-failed',
          message: reason,
          remedy: 'correct the profile’s template',
        });
      return errorScript(loader, plan.name, reason);
    }
  }

  #fetched(own: BootSession, loader: ScriptLoader, { protocol }: Requester, script: MadeScript, nonce: boolean): void {
    const { sessions, clock } = this.#deps;
    const leftOut = this.#repeats.tell(own.id);
    if (leftOut === undefined) return;
    sessions.event(
      sessions.step(own, { stage: 'script', scriptFetchedAt: clock(), shellIn: script.shellIn }),
      protocol,
      `${protocol}.script`,
      `${loader === 'grub' ? 'GRUB' : 'iPXE'} fetched the script of ${script.name}`,
      { loader, profile: script.profile, nonce, ...(leftOut > 0 ? { leftOut } : {}) },
    );
  }

  #fetchedByAnother(open: BootSession, { protocol, address }: Requester): void {
    const leftOut = this.#repeats.tell(`${open.id} another`);
    if (leftOut === undefined) return;
    const data = {
      asked: formatIpv4(address),
      expected: open.address === undefined ? null : formatIpv4(open.address),
      ...(leftOut > 0 ? { leftOut } : {}),
    };
    this.#deps.sessions.event(
      open,
      protocol,
      `${protocol}.script-without-nonce`,
      `the script was fetched from ${data.asked}, which is not this machine: no nonce in it`,
      data,
      'warning',
    );
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
}
