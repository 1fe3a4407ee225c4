import type { Mac } from '../domain/mac.js';
import type { Machine } from '../domain/machine.js';
import type { State } from '../state/state.js';

/** A port at which MACs are made up must not fill the memory. */
const MOST = 10_000;

/** Network cards of machines that are told by port, UUID or client id instead of by a MAC. */
export class SeenCards {
  readonly #state: State;
  readonly #machines = new Map<Mac, string>();

  constructor(state: State) {
    this.#state = state;
    for (const { key, mac } of state.observed.values()) {
      const machine = state.machines.get(key);
      if (machine !== undefined) this.saw(mac, machine);
    }
  }

  saw(mac: Mac, machine: Machine): void {
    // A card that is not in the list of a machine that has one is not trusted with its script: a UUID is easy to make up.
    if (machine.macs.includes(mac) || (machine.macs.length > 0 && machine.relay === undefined)) return;
    if (this.#machines.size >= MOST) this.#machines.clear();
    this.#machines.set(mac, machine.name);
  }

  machineOf(mac: Mac): Machine | undefined {
    const name = this.#machines.get(mac);
    return name === undefined ? undefined : this.#state.machines.get(name);
  }
}
