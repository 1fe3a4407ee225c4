import type { Requester } from '../boot/contract.js';
import type { TransferLoad } from '../decide/tftp-admission.js';
import type { Client } from './client.js';

/** A request that is being answered. */
export interface Active {
  readonly id: number;
  readonly client: Client;
  readonly requester: Requester;
  /** What was asked, to know a repeated request. */
  readonly question: string;
  readonly startedAt: number;
  name: string;
  /** Confirmed by the client. */
  bytes: number;
  /** Ends already, to make room. */
  ending: boolean;
}

/** The requests that are being answered: one per port of a client. */
export class ActiveTransfers {
  readonly #byKey = new Map<string, Active>();
  readonly #byId = new Map<number, Active>();
  readonly #ofAddress = new Map<string, number>();
  #nextId = 1;

  begin(client: Client, requester: Requester, question: string, name: string, startedAt: number): Active {
    const active: Active = {
      id: this.#nextId++,
      client,
      requester,
      question,
      startedAt,
      name,
      bytes: 0,
      ending: false,
    };
    this.#byKey.set(client.key, active);
    this.#byId.set(active.id, active);
    this.#ofAddress.set(client.address, (this.#ofAddress.get(client.address) ?? 0) + 1);
    return active;
  }

  of(client: Client): Active | undefined {
    return this.#byKey.get(client.key);
  }

  byId(id: number): Active | undefined {
    return this.#byId.get(id);
  }

  loadOf({ address }: Client): TransferLoad {
    return { total: this.#byKey.size, ofAddress: this.#ofAddress.get(address) ?? 0 };
  }

  get size(): number {
    return this.#byId.size;
  }

  all(): Active[] {
    return [...this.#byId.values()];
  }

  end(active: Active): void {
    if (!this.#byId.delete(active.id)) return;
    const { key, address } = active.client;
    if (this.#byKey.get(key) === active) this.#byKey.delete(key);
    const left = (this.#ofAddress.get(address) ?? 1) - 1;
    if (left === 0) this.#ofAddress.delete(address);
    else this.#ofAddress.set(address, left);
  }
}
