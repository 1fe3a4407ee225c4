import { type Evidence, identify } from '../decide/identify.js';
import type { Mac } from '../domain/mac.js';
import type { Machine } from '../domain/machine.js';
import { relayKey } from '../domain/relay-key.js';
import type { State } from '../state/state.js';
import { SeenCards } from './seen-cards.js';

/** Whose packet or request this is. */
export class Senders {
  readonly #state: State;
  readonly #cards: SeenCards;

  constructor(state: State) {
    this.#state = state;
    this.#cards = new SeenCards(state);
  }

  /** undefined = unknown. */
  machineOf(evidence: Evidence): Machine | undefined {
    const state = this.#state;
    const machine = identify(evidence, state);
    if (machine !== undefined || state.machineByMac(evidence.mac) !== undefined) return machine;
    // A name in a URL and a renewal say only the MAC: the machine that its last boot was told to be, by port or id.
    if (evidence.client !== undefined && evidence.renewing !== true) return undefined;
    return this.#cards.machineOf(evidence.mac);
  }

  /** Of a packet whose machine is unknown: the name of the one whose MAC it uses from another port than that is pinned to. */
  impostorOf(mac: Mac): string | undefined {
    const owner = this.#state.machineByMac(mac);
    return owner?.relay === undefined || relayKey(owner.relay) === undefined ? undefined : owner.name;
  }

  /** A packet of this machine came from this network card. */
  saw(mac: Mac, machine: Machine): void {
    this.#cards.saw(mac, machine);
  }
}
