import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { NONCE_DIGITS } from '../decide/command-line.js';
import type { BootSession, Claim } from '../domain/boot-session.js';
import { AnybiosError } from '../domain/errors.js';
import { andThen, type MaybePromise } from '../domain/maybe-promise.js';
import type { Store } from '../domain/ports.js';

/** A nonce lives this long after its last rendering: time for a slow kernel download, not for a shelf. */
const NONCE_LIFE_MS = 10 * 60 * 1000;
/** A rendering within this time after another changes nothing: the nonce then ends that much sooner. */
const NONCE_STEP_MS = 30 * 1000;

export type ClaimResult =
  | { readonly kind: 'granted'; readonly credential: string; readonly claim: Claim; readonly repeated: boolean }
  | { readonly kind: 'refused'; readonly reason: string; readonly claim?: Claim };

/**
 * One-time boot credentials (docs/booting.md, 3 and 5). Nonce and credential are derived from the server's key, so that neither is
 * stored: the same session gets the same nonce after a restart, the same claim-id the same credential until its first use.
 *
 * Every change is made in memory and given to the store in one step, without waiting in between, and the store keeps that order: so
 * neither a script that is rendered, nor a first use, nor a second boot can undo a claim or a revocation that happens meanwhile.
 */
export class Claims {
  readonly #key: string;
  readonly #store: Pick<Store, 'saveClaim'>;
  readonly #clock: () => number;
  readonly #bySession = new Map<string, Claim>();
  readonly #byNonce = new Map<string, string>();
  readonly #byCredential = new Map<string, string>();
  /** Sessions with a live claim by machine (MAC until known): revoking looks at one machine, however many there are. */
  readonly #byOwner = new Map<string, Set<string>>();
  /** Nonces that may be handed out again as they are, once they are saved: `saved` is undefined from then on. */
  readonly #fresh = new Map<string, { readonly nonce: string; saved: Promise<void> | undefined }>();
  /** Claims in flight, so that two at once are decided one after the other. */
  readonly #pending = new Map<string, Promise<unknown>>();

  constructor(key: string, store: Pick<Store, 'saveClaim'>, claims: readonly Claim[], clock: () => number) {
    this.#key = key;
    this.#store = store;
    this.#clock = clock;
    for (const claim of claims) this.#remember(claim);
  }

  /** The nonce of this session, saved before it is handed out; undefined once it was claimed. */
  nonceFor(session: BootSession): MaybePromise<string | undefined> {
    const known = this.#bySession.get(session.id);
    if (known?.claimId !== undefined || known?.revoked === true) return undefined;
    const fresh = this.#fresh.get(session.id);
    if (fresh !== undefined && known !== undefined && this.#stillFresh(known, session)) {
      return andThen(fresh.saved, () => fresh.nonce);
    }
    return this.#newNonce(session);
  }

  async #newNonce(session: BootSession): Promise<string> {
    const nonce = this.#derive('nonce', session.id);
    const claim: Claim = {
      session: session.id,
      mac: session.mac,
      ...(session.machine === undefined ? {} : { machine: session.machine }),
      nonceHash: hash(nonce),
      nonceExpiresAt: this.#clock() + NONCE_LIFE_MS,
      revoked: false,
    };
    this.#remember(claim);
    const saved = this.#store.saveClaim(claim);
    const fresh: { nonce: string; saved: Promise<void> | undefined } = { nonce, saved };
    this.#fresh.set(session.id, fresh);
    try {
      await saved;
      fresh.saved = undefined;
    } catch (error) {
      this.#fresh.delete(session.id);
      throw error;
    }
    for (const other of this.#othersOf(claim)) {
      if (other.claimId === undefined && this.#clock() > other.nonceExpiresAt) await this.revoke(other.session);
    }
    return nonce;
  }

  #stillFresh(known: Claim, { mac, machine }: BootSession): boolean {
    const later = this.#clock() + NONCE_LIFE_MS - known.nonceExpiresAt;
    return known.mac === mac && known.machine === machine && later >= 0 && later < NONCE_STEP_MS;
  }

  /**
   * `boots`: whether the claim's session can still go on; one that cannot must not revoke another. `stranger`: why whoever asks
   * cannot be the machine.
   */
  async claim(
    nonce: string,
    claimId: string,
    boots: (claim: Claim) => boolean = () => true,
    stranger: (claim: Claim) => string | undefined = () => undefined,
  ): Promise<ClaimResult> {
    const session = this.#byNonce.get(hash(nonce));
    if (session === undefined) return { kind: 'refused', reason: 'unknown nonce' };
    const before = this.#pending.get(session) ?? Promise.resolve();
    const run = before.then(() => this.#claim(session, claimId, boots, stranger));
    // The chain must go on after a failed write; the caller of that claim gets the error through `run`.
    this.#pending.set(
      session,
      run.then(
        () => undefined,
        () => undefined,
      ),
    );
    return run;
  }

  async #claim(
    session: string,
    claimId: string,
    boots: (claim: Claim) => boolean,
    stranger: (claim: Claim) => string | undefined,
  ): Promise<ClaimResult> {
    const claim = this.#bySession.get(session);
    if (claim === undefined || claim.revoked || !boots(claim))
      return { kind: 'refused', reason: 'this boot was replaced by a newer one' };
    if (claim.claimId !== undefined && claim.claimId !== claimId)
      return { kind: 'refused', reason: 'nonce already claimed by another claim-id', claim };
    const reason = stranger(claim);
    if (reason !== undefined) return { kind: 'refused', reason, claim };
    const repeated = claim.claimId !== undefined;
    if (claim.firstUsedAt !== undefined)
      return { kind: 'refused', reason: 'nonce already claimed and its credential in use', claim };
    const credential = this.#derive('credential', session, claimId);
    let granted = claim;
    if (!repeated) {
      if (this.#clock() > claim.nonceExpiresAt) return { kind: 'refused', reason: 'nonce expired, boot again', claim };
      granted = { ...claim, claimId, credentialHash: hash(credential) };
      this.#remember(granted);
      this.#fresh.delete(session);
      try {
        await this.#store.saveClaim(granted);
      } catch (error) {
        // Nobody has seen the credential: the nonce can be claimed again.
        this.#byCredential.delete(hash(credential));
        if (this.#bySession.get(session) === granted) this.#remember(claim);
        throw error;
      }
      // Another boot of this machine was claimed while this one was being saved, and has revoked it.
      if (this.#bySession.get(session) !== granted)
        return { kind: 'refused', reason: 'this boot was replaced by a newer one' };
    }
    for (const other of this.#othersOf(claim)) await this.revoke(other.session);
    return { kind: 'granted', credential, claim: granted, repeated };
  }

  /** The claim behind a credential; throws `unauthorized`. Marks the first use, after which a repeated claim is refused. */
  async authenticate(credential: string): Promise<Claim> {
    const presented = hash(credential);
    const session = this.#byCredential.get(presented);
    const claim = session === undefined ? undefined : this.#bySession.get(session);
    if (
      claim?.credentialHash === undefined ||
      !timingSafeEqual(Buffer.from(claim.credentialHash), Buffer.from(presented))
    ) {
      throw new AnybiosError('unauthorized', 'unknown credential', { remedy: 'boot the machine again' });
    }
    if (claim.revoked)
      throw new AnybiosError('unauthorized', 'this credential was revoked', { remedy: 'boot the machine again' });
    if (claim.firstUsedAt !== undefined) return claim;
    const used: Claim = { ...claim, firstUsedAt: this.#clock() };
    this.#remember(used);
    await this.#store.saveClaim(used);
    return used;
  }

  /** Holds from the call on, not only when it is saved. */
  async revoke(session: string): Promise<void> {
    const claim = this.#bySession.get(session);
    if (claim === undefined) return;
    // Forgotten: an unknown nonce or credential is refused just the same, and the maps stay as small as the site.
    this.#forget(claim);
    try {
      await this.#store.saveClaim({ ...claim, revoked: true });
    } catch (error) {
      // It can be tried again, and after a restart it would be live anyhow.
      if (!this.#bySession.has(session)) this.#remember(claim);
      throw error;
    }
  }

  #forget(claim: Claim): void {
    const { session } = claim;
    this.#bySession.delete(session);
    this.#fresh.delete(session);
    this.#byNonce.delete(claim.nonceHash);
    if (claim.credentialHash !== undefined) this.#byCredential.delete(claim.credentialHash);
    this.#pending.delete(session);
    const owned = this.#byOwner.get(ownerOf(claim));
    owned?.delete(session);
    if (owned?.size === 0) this.#byOwner.delete(ownerOf(claim));
  }

  /** The other live claims of the same machine. */
  #othersOf(claim: Claim): Claim[] {
    return [...(this.#byOwner.get(ownerOf(claim)) ?? [])]
      .filter((session) => session !== claim.session)
      .map((session) => this.#bySession.get(session))
      .filter((other) => other !== undefined);
  }

  #remember(claim: Claim): void {
    if (claim.revoked) return;
    this.#bySession.set(claim.session, claim);
    this.#byNonce.set(claim.nonceHash, claim.session);
    if (claim.credentialHash !== undefined) this.#byCredential.set(claim.credentialHash, claim.session);
    const owned = this.#byOwner.get(ownerOf(claim));
    if (owned === undefined) this.#byOwner.set(ownerOf(claim), new Set([claim.session]));
    else owned.add(claim.session);
  }

  #derive(...words: string[]): string {
    return createHmac('sha256', this.#key).update(words.join('|')).digest('hex').slice(0, NONCE_DIGITS);
  }
}

function ownerOf(claim: Claim): string {
  return claim.machine ?? claim.mac;
}

function hash(secret: string): string {
  return createHash('sha256').update(secret).digest('hex');
}
