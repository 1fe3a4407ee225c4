import type { Machine } from '../domain/machine.js';
import type { Holding } from '../domain/standby.js';

export interface StandingInput {
  /** As written, by name. */
  readonly written: ReadonlyMap<string, Machine>;
  /** By place. */
  readonly holdings: ReadonlyMap<string, Holding>;
  /** The place that a machine holds for another. */
  readonly placeOf: (holder: string) => string | undefined;
  /** The first role, by name, that this machine is a spare of. */
  readonly spareOf: (machine: Machine) => string | undefined;
  /** Its role is on its way to another machine at this moment: it runs nothing. */
  readonly isLeaving: (name: string) => boolean;
}

/**
 * What a machine is now: as the site file says, unless its role is held by a spare, or it holds another's. The site file is the
 * operator's and stays as it is written; whatever boots and runs machines sees this.
 */
export function standing(machine: Machine, { written, holdings, placeOf, spareOf, isLeaving }: StandingInput): Machine {
  const own = holdings.get(machine.name);
  const away = own !== undefined && (own.holder !== machine.name || own.handing !== undefined);
  const { role, address, ...bare } = machine;
  const placeName = placeOf(machine.name);
  const place = placeName === undefined || placeName === machine.name ? undefined : written.get(placeName);
  const hands = placeName !== undefined && holdings.get(placeName)?.handing !== undefined;
  if ((away || role === undefined) && place?.role !== undefined && !hands) {
    const { name, labels, address: itsAddress } = place;
    const its = { name, labels, ...(itsAddress === undefined ? {} : { address: itsAddress }) };
    return { ...bare, ...ownAddress(away ? undefined : address), role: place.role, standsFor: its };
  }
  if (isLeaving(machine.name) && role !== undefined) return { ...bare, ...ownAddress(address), standby: role };
  if (away) return role === undefined ? bare : { ...bare, standby: role };
  const spare = role === undefined ? spareOf(machine) : undefined;
  return spare === undefined ? machine : { ...machine, standby: spare };
}

/** The reserved address goes with the place; that of a spare is its own. */
function ownAddress(address: Machine['address']): { readonly address?: NonNullable<Machine['address']> } {
  return address === undefined ? {} : { address };
}
