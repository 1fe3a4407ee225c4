import type { Holding } from '../domain/standby.js';
import { isSilent, leaseIsOver, type Tenure } from './role-lease.js';

/** A machine that might take a role over; `unfit` says why it cannot now. */
export interface Candidate {
  readonly name: string;
  readonly unfit?: string;
}

export interface HolderInput {
  readonly holder: string;
  readonly handing: Holding['handing'];
  readonly tenure: Tenure;
  readonly heartbeatSeconds: number;
  /** In order of preference (`spareOrder`), without the holder. */
  readonly candidates: readonly Candidate[];
  /** Monotonic ms, as all times here; since when the server has listened without a gap. */
  readonly countedFrom: number;
  readonly now: number;
}

export type HolderDecision =
  | { readonly kind: 'keep' }
  | { readonly kind: 'move'; readonly to: string; readonly why: string }
  | { readonly kind: 'no-spare'; readonly why: string; readonly unfit: readonly string[] };

/**
 * Who holds a role from now on. It moves only when the lease of who has it is over (its own bound, or its word, or it is off): never
 * two at once. Asked for by a person: to whom he said. Else when the holder is off, or silent: to the first spare that is fit.
 */
export function decideHolder(input: HolderInput): HolderDecision {
  const { holder, handing, tenure, now } = input;
  if (!leaseIsOver(tenure, now)) return { kind: 'keep' };
  if (handing !== undefined) return { kind: 'move', to: handing.to, why: `handed over by ${handing.by}` };
  if (!tenure.off && !isSilent(tenure, input.heartbeatSeconds, input.countedFrom, now)) return { kind: 'keep' };
  const why = tenure.off
    ? `${holder} is switched off`
    : `${holder} is lost and its lease of ${tenure.seconds} s is over`;
  const fit = input.candidates.find(({ unfit }) => unfit === undefined);
  if (fit !== undefined) return { kind: 'move', to: fit.name, why };
  return { kind: 'no-spare', why, unfit: input.candidates.map(({ name, unfit = '' }) => `${name} ${unfit}`) };
}
