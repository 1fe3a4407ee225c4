import { t } from './texts.js';

/** What of a system differs from what it shall be, as one word of its chip. */
const driftOf = (machine, name) => (machine.drift ?? []).find(({ system }) => system === name);

/** The systems of a machine as chips: the state of each, how often it was restarted, and whether it is as it shall be. */
export function showSystems(list, machine) {
  const rows = machine.systems;
  while (list.children.length > rows.length) list.lastElementChild.remove();
  rows.forEach((system, index) => {
    const item = list.children[index] ?? list.appendChild(document.createElement('li'));
    const drift = driftOf(machine, system.name);
    // The API lists what is desired and was never seen as stopped.
    const state = drift?.what === 'missing' ? 'missing' : system.state;
    item.dataset.state = state;
    item.dataset.drift = drift?.what ?? '';
    item.textContent = `${system.name} · ${t(`system_${state}`)}${system.restarts > 0 ? ` ↻${system.restarts}` : ''}`;
    const restarts = system.restarts > 0 ? t('restarts', { count: system.restarts }) : '';
    item.title = [restarts, system.message, drift?.reason]
      .filter((text) => text !== undefined && text !== '')
      .join('\n');
  });
}

/** What differs, a line each: what, why, and what ends it. Off and lost are in the status already. */
export function showDrift(list, machine) {
  const shown = (machine.drift ?? []).filter(({ what }) => what !== 'off' && what !== 'lost');
  list.hidden = shown.length === 0;
  list.replaceChildren(...shown.map((drift) => driftLine(drift, machine.changing)));
}

function driftLine({ what, system, reason, ends, remedy }, changing) {
  const line = document.createElement('li');
  line.dataset.ends = ends;
  const [name, why, end] = ['strong', 'span', 'span'].map((tag) => document.createElement(tag));
  name.textContent = system === undefined ? t(`drift_${what}`) : `${system}: ${t(`drift_${what}`)}`;
  why.textContent = reason;
  end.className = 'ends';
  end.textContent = ends === 'live' ? t(changing ? 'ends_now' : 'ends_live') : t(`ends_${ends}`);
  if (ends !== 'live') end.title = remedy;
  line.append(name, ' ', why, ' ', end);
  return line;
}
