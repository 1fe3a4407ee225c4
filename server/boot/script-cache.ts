import type { BootSession } from '../domain/boot-session.js';
import type { Ipv4 } from '../domain/ipv4.js';
import type { Machine } from '../domain/machine.js';

/** All that a script is made of. Desired state, images and policy are in the revision: any change of them makes every script new. */
export interface ScriptFacts {
  readonly revision: number;
  readonly machine: Machine | undefined;
  readonly address: Ipv4 | undefined;
  readonly session: string | undefined;
  readonly nonce: string | undefined;
}

export interface MadeScript {
  readonly text: string;
  readonly name: string;
  readonly profile: string;
  /** It was told to open a shell. */
  readonly shellIn: BootSession['shellIn'];
  /** Versions that it leads to, as `name:version`. */
  readonly images: readonly string[];
}

/** A machine asks for its script two or three times in a boot; a thousand of them at once need no more. About 1 KB each. */
const MOST = 4096;

/** The scripts rendered last, each as long as nothing that is in it has changed. */
export class ScriptCache {
  readonly #scripts = new Map<string, MadeScript & { readonly facts: ScriptFacts }>();

  get(key: string, facts: ScriptFacts): MadeScript | undefined {
    const found = this.#scripts.get(key);
    if (found === undefined) return undefined;
    const { revision, machine, address, session, nonce } = found.facts;
    const same =
      revision === facts.revision &&
      machine === facts.machine &&
      address === facts.address &&
      session === facts.session &&
      nonce === facts.nonce;
    return same ? found : undefined;
  }

  put(key: string, facts: ScriptFacts, script: MadeScript): void {
    if (this.#scripts.size >= MOST && !this.#scripts.has(key)) this.#scripts.clear();
    this.#scripts.set(key, { ...script, facts });
  }
}
