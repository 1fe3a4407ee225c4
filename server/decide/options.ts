import { type DhcpOptionWords, isWordList } from '../domain/dhcp-options.js';
import { type Cidr, formatCidr, type Ipv4 } from '../domain/ipv4.js';
import type { Machine } from '../domain/machine.js';
import type { Role } from '../domain/role.js';
import type { Subnet } from '../domain/site.js';
import { readKind, writeKind } from '../wire/dhcp/option-kinds.js';
import { OPTIONS, optionField } from '../wire/dhcp/option-table.js';
import { compiledOptions, settableOption } from '../wire/dhcp/option-words.js';
import type { Route } from '../wire/dhcp/routes.js';

export interface ChosenOption {
  readonly code: number;
  readonly bytes: Uint8Array;
  /** The word or number that it was set by, and the value as written. */
  readonly key: string;
  readonly value: DhcpOptionWords[string];
  /** `machine node1`, `role web`, `subnet 10.77.0.0/24`. */
  readonly source: string;
}

export interface OptionPlace {
  /** Absent: not known yet. */
  readonly subnet?: Pick<Subnet, 'cidr' | 'options' | 'router'> | undefined;
  readonly role?: Pick<Role, 'name' | 'options'> | undefined;
  readonly machine?: Pick<Machine, 'name' | 'options'> | undefined;
}

/** The options that people set, each from the nearest place that sets it: machine, then role, then subnet. */
export function chosenOptions({ subnet, role, machine }: OptionPlace): ReadonlyMap<number, ChosenOption> {
  if (subnet?.options === undefined && role?.options === undefined && machine?.options === undefined) return NONE;
  const chosen = new Map<number, ChosenOption>();
  const add = (words: DhcpOptionWords | undefined, source: string): void => {
    if (words === undefined) return;
    const compiled = compiledOptions(words);
    for (const [key, value] of Object.entries(words)) {
      const code = settableOption(key);
      const bytes = compiled.get(code);
      if (bytes !== undefined) chosen.set(code, { code, bytes, key, value, source });
    }
  };
  if (subnet !== undefined) add(subnet.options, `subnet ${formatCidr(subnet.cidr)}`);
  add(role?.options, `role ${role?.name}`);
  add(machine?.options, `machine ${machine?.name}`);
  const routes = chosen.get(OPTIONS.routes.code);
  if (routes !== undefined) chosen.set(routes.code, withDefaultRoute(routes, chosen, subnet?.router));
  return chosen;
}

const NONE: ReadonlyMap<number, ChosenOption> = new Map();
const EVERYWHERE: Cidr = { network: 0 as Ipv4, prefix: 0 };

/**
 * A client that reads option 121 ignores option 3 (RFC 3442), so the default route must be among the routes. What was written in
 * bytes is left as it is.
 */
function withDefaultRoute(
  routes: ChosenOption,
  chosen: ReadonlyMap<number, ChosenOption>,
  subnetRouter: Ipv4 | undefined,
): ChosenOption {
  if (typeof routes.value === 'string' && routes.value.startsWith('hex:')) return routes;
  const given = readKind('routes', routes.bytes, optionField(routes.code));
  const router = firstRouter(chosen) ?? subnetRouter;
  if (router === undefined || given.some(({ to }) => to.prefix === 0)) return routes;
  const all: readonly Route[] = [...given, { to: EVERYWHERE, via: router }];
  return { ...routes, bytes: writeKind('routes', all, optionField(routes.code)) };
}

function firstRouter(chosen: ReadonlyMap<number, ChosenOption>): Ipv4 | undefined {
  const option = chosen.get(OPTIONS.routers.code);
  return option === undefined || option.bytes.length < 4
    ? undefined
    : readKind('ipv4', option.bytes.subarray(0, 4), optionField(option.code));
}

/** `option 42 (ntp-servers)`. */
export const optionName = ({ code }: ChosenOption): string => optionField(code);

/** The value as it was written, on one line. */
export function optionText({ value }: ChosenOption): string {
  if (isWordList(value)) return value.join(', ');
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}
