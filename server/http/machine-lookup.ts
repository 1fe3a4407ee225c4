import type { MachineView } from '../boot/views.js';
import { notFound } from '../domain/errors.js';
import { parseMac } from '../domain/mac.js';
import type { State } from '../state/state.js';
import type { BootViews } from './api-deps.js';

const LIKE_MAC = /^[0-9a-f]{2}([:-]?[0-9a-f]{2}){5}$/i;

/**
 * Text whose plain order puts node2 before node10. Not Intl.Collator: sorting 10,000 names with it holds up the event loop, and so
 * DHCP, for tens of milliseconds.
 */
function sortKey(name: string): string {
  return `${name.replace(/\d+/g, (digits) => digits.padStart(12, '0'))}\0${name}`;
}

/** A machine by its name, or by any of its MACs in any spelling. Throws `not_found`. */
export function findMachine({ boot, state }: Finder, name: string): MachineView {
  const mac = LIKE_MAC.test(name) ? parseMac(name) : undefined;
  const key = boot.machineView(name) !== undefined || mac === undefined ? name : (state.machineByMac(mac)?.name ?? mac);
  const view = boot.machineView(key);
  if (view !== undefined) return view;
  throw notFound(`there is no machine "${name.slice(0, 80)}"`, { remedy: 'see: anybios machine list' });
}

interface Finder {
  readonly boot: Pick<BootViews, 'machineView'>;
  readonly state: Pick<State, 'machineByMac'>;
}

/** One page of machines in the order of their names, beginning after `after`. */
export function machinePage(
  boot: Pick<BootViews, 'machineKeys' | 'machineView'>,
  wanted: (view: MachineView) => boolean,
  limit: number,
  after: string | undefined,
): { readonly views: readonly MachineView[]; readonly next?: string } {
  const begin = after === undefined ? '' : sortKey(after);
  const keys = Array.from(boot.machineKeys(), (key) => ({ key, order: sortKey(key) }))
    .filter(({ order }) => order > begin)
    .sort((a, b) => (a.order < b.order ? -1 : 1));
  const views: MachineView[] = [];
  for (const { key } of keys) {
    const view = boot.machineView(key);
    if (view === undefined || !wanted(view)) continue;
    const last = views.at(-1);
    if (views.length === limit && last !== undefined) return { views, next: last.key };
    views.push(view);
  }
  return { views };
}
