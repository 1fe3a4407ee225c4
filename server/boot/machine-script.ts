import type { BootSession } from '../domain/boot-session.js';
import { formatIpv4, type Ipv4 } from '../domain/ipv4.js';
import type { Mac } from '../domain/mac.js';
import type { Claims } from './claims.js';
import type { Requester } from './contract.js';
import type { Planner } from './planner.js';
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

/** What iPXE or GRUB reads to go on: rendered for one machine, with the nonce of its session. */
export class MachineScript {
  readonly #deps: MachineScriptDeps;

  constructor(deps: MachineScriptDeps) {
    this.#deps = deps;
  }

  /** The script of one machine. The nonce goes only to the address that was given to this very NIC in this session. */
  async render(mac: Mac, loader: ScriptLoader, requester: Requester): Promise<string> {
    const { senders, planner, sessions, claims, renderProfile } = this.#deps;
    const machine = senders.machineOf({ mac });
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
      const next = sessions.step(own, { stage: 'script', scriptFetchedAt: this.#deps.clock() });
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
}
