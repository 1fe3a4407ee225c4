import type { ProxyStyle } from '../domain/machine.js';

/** Offers that lead to no fetch before the other style is tried: a ROM that has booted by one style before gets more patience. */
const PATIENCE = 2;
const PATIENCE_PROVEN = 4;
const BIOS = 0;

export interface StyleMemory {
  readonly style: ProxyStyle;
  /** A loader was fetched after an offer of this style. */
  readonly proven: boolean;
  /** Offers of this style since the last fetch. */
  readonly offers: number;
}

/**
 * BIOS ROMs follow the PXE specification and take the file of an offer with discovery control. Many UEFI ROMs ignore such an
 * offer; without option 43 all known ones ask on UDP 4011.
 */
export function usualStyle(arch: number | undefined): ProxyStyle {
  return (arch ?? BIOS) === BIOS ? 'first-offer' : 'second-leg';
}

/** After one more offer. `switched`: too many have led nowhere, the next offer is of the other style. */
export function afterOffer(memory: StyleMemory): { readonly memory: StyleMemory; readonly switched: boolean } {
  const offers = memory.offers + 1;
  if (offers < (memory.proven ? PATIENCE_PROVEN : PATIENCE)) return { memory: { ...memory, offers }, switched: false };
  return { memory: { style: otherStyle(memory.style), proven: false, offers: 0 }, switched: true };
}

const otherStyle = (style: ProxyStyle): ProxyStyle => (style === 'first-offer' ? 'second-leg' : 'first-offer');
