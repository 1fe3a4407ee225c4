import type { z } from 'zod';
import { machineToJson, roleToJson, systemToJson } from '../desired/resource-json.js';
import { machineSchema, roleSchema, systemSchema } from '../desired/schemas.js';
import { parseMachine, parseRole, parseSystem, type SiteContext, type SiteFile } from '../desired/site-file.js';
import type { DesiredKind } from '../domain/desired.js';
import type { State } from '../state/state.js';

/** What the routes of one kind of desired thing need to know of it. */
export interface DesiredResource {
  readonly kind: DesiredKind;
  /** The form that people write, as in a site file. */
  readonly form: z.ZodObject;
  /** The form of what is there now. */
  formOf(state: State, name: string): Readonly<Record<string, unknown>> | undefined;
  names(state: State): readonly string[];
  /** Checks a whole form; throws `invalid` naming the field. */
  read(form: unknown, context: SiteContext): SiteFile;
}

export const machineKind: DesiredResource = {
  kind: 'machine',
  form: machineSchema,
  formOf: ({ written }, name) => asForm(written.get(name), machineToJson),
  names: ({ written }) => sorted(written),
  read: (form, context) => ({ machines: [parseMachine(form, context)] }),
};

export const roleKind: DesiredResource = {
  kind: 'role',
  form: roleSchema,
  formOf: ({ roles }, name) => asForm(roles.get(name), roleToJson),
  names: ({ roles }) => sorted(roles),
  read: (form, context) => ({ roles: [parseRole(form, context)] }),
};

export const systemKind: DesiredResource = {
  kind: 'system',
  form: systemSchema,
  formOf: ({ systems }, name) => asForm(systems.get(name), systemToJson),
  names: ({ systems }) => sorted(systems),
  read: (form, context) => ({ systems: [parseSystem(form, context)] }),
};

function asForm<T>(value: T | undefined, toJson: (value: T) => object): Readonly<Record<string, unknown>> | undefined {
  return value === undefined ? undefined : { ...toJson(value) };
}

function sorted(map: ReadonlyMap<string, unknown>): readonly string[] {
  return Array.from(map.keys()).sort();
}
