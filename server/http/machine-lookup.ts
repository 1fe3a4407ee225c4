import { notFound } from '../domain/errors.js';
import { parseMac } from '../domain/mac.js';
import type { State } from '../state/state.js';
import type { BootViews, MachineView } from './api-deps.js';

const LIKE_MAC = /^[0-9a-f]{2}([:-]?[0-9a-f]{2}){5}$/i;

/** node2 before node10. */
const byName = new Intl.Collator('en', { numeric: true });

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
  const keys = Array.from(boot.machineKeys()).sort(byName.compare);
  const views: MachineView[] = [];
  for (const key of keys) {
    if (after !== undefined && byName.compare(key, after) <= 0) continue;
    const view = boot.machineView(key);
    if (view === undefined || !wanted(view)) continue;
    const last = views.at(-1);
    if (views.length === limit && last !== undefined) return { views, next: last.key };
    views.push(view);
  }
  return { views };
}
