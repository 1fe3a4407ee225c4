import { getJson } from './api.js';
import { createBootView } from './boot-view.js';
import { clockTime, offset } from './format.js';
import { createJobsView } from './jobs-view.js';
import { showDrift, showSystems } from './systems-view.js';
import { t } from './texts.js';

const BOOTS_SHOWN = 20;

/** The dialog with the events of one boot across DHCP, TFTP, HTTP, stage 1 and the live OS; follows while it is open. */
export function createTimeline(onProblem) {
  const dialog = document.getElementById('timeline');
  const list = document.getElementById('timeline-events');
  // It scrolls, so the keyboard must get there.
  list.tabIndex = 0;
  const select = document.getElementById('timeline-session');
  const empty = document.getElementById('timeline-empty');
  const view = createBootView();
  const jobs = createJobsView(onProblem);
  document.getElementById('timeline-bar').append(view.root);
  let machine;
  let session;
  let openedAt = 0;
  let newest = 0;

  document.getElementById('timeline-close').addEventListener('click', () => dialog.close());
  // A click beside the panel closes it; the panel itself is covered by its children.
  dialog.addEventListener('click', (event) => event.target === dialog && dialog.close());
  dialog.addEventListener('close', () => {
    machine = undefined;
    session = undefined;
    jobs.show(undefined);
  });
  select.addEventListener('change', () => load(select.value).catch(onProblem));

  const say = (text) => {
    empty.textContent = text;
    empty.hidden = text === '';
  };

  const append = (event) => {
    if (event.sequence <= newest) return;
    newest = event.sequence;
    const follow = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
    const previous = list.lastElementChild;
    const row = eventRow(event, openedAt);
    // One line per file that is being loaded, not one per second of it.
    if (row.dataset.series !== '' && previous?.dataset.series === row.dataset.series) previous.replaceWith(row);
    else list.append(row);
    if (follow) list.scrollTop = list.scrollHeight;
    say('');
  };

  const load = async (id) => {
    session = id;
    newest = 0;
    list.replaceChildren();
    let next;
    let boot;
    do {
      boot = await getJson(`/boots/${encodeURIComponent(id)}${next === undefined ? '' : `?next=${next}`}`);
      if (session !== id) return;
      openedAt = Date.parse(boot.openedAt);
      view.show(boot);
      boot.events.forEach(append);
      next = boot.next;
    } while (next !== undefined);
    if (list.children.length === 0) say(t('noEvents'));
    // A boot under way is followed at its end; a finished one is read from its beginning.
    list.scrollTop = boot.outcome === 'running' ? list.scrollHeight : 0;
  };

  const loadBoots = async () => {
    const name = machine.name;
    const { items } = await getJson(`/boots?machine=${encodeURIComponent(name)}&limit=${BOOTS_SHOWN}`);
    if (machine?.name !== name) return;
    select.replaceChildren(
      ...items.map(
        (boot) => new Option(`${clockTime(boot.openedAt)} · ${boot.firmware} · ${t(boot.outcome)}`, boot.session),
      ),
    );
    select.disabled = items.length === 0;
    view.root.hidden = items.length === 0;
    if (items.length === 0) say(t('noBoots'));
    else await load(items[0].session);
  };

  const facts = () => {
    const { macs, currentAddress, address, role } = machine;
    document.getElementById('timeline-facts').textContent = [macs.join(', '), currentAddress ?? address, role]
      .filter((text) => text !== undefined && text !== '')
      .join(' · ');
    showSystems(document.getElementById('timeline-systems'), machine);
    showDrift(document.getElementById('timeline-drift'), machine);
  };

  return {
    open(next) {
      machine = next;
      session = undefined;
      list.replaceChildren();
      say('');
      view.show(undefined);
      document.getElementById('timeline-title').textContent = machine.name;
      facts();
      if (!dialog.open) dialog.showModal();
      loadBoots().catch(onProblem);
      jobs.show(machine.name);
    },
    /** A machine changed: the bar follows, and a new boot is shown when the newest was. */
    update(next) {
      if (machine === undefined || next.name !== machine.name) return;
      const before = machine.boot?.session;
      machine = next;
      facts();
      if (next.boot === undefined) return;
      if (next.boot.session === session) view.show(next.boot);
      else if (session === before || session === undefined) loadBoots().catch(onProblem);
    },
    add(event) {
      jobs.add(event);
      if (session !== undefined && event.session === session) append(event);
    },
    tick: () => view.tick(),
  };
}

function eventRow(event, openedAt) {
  const row = document.getElementById('event-template').content.firstElementChild.cloneNode(true);
  row.dataset.level = event.level;
  row.dataset.series =
    typeof event.data.bytes === 'number' && event.data.bytes !== event.data.total
      ? `${event.kind} ${event.data.file}`
      : '';
  const time = row.querySelector('.offset');
  time.textContent = offset(Date.parse(event.at) - openedAt);
  time.title = clockTime(event.at);
  const source = row.querySelector('.source');
  source.textContent = event.source;
  source.dataset.source = event.source;
  row.querySelector('.message').textContent = event.message;
  row.querySelector('.kind').textContent = event.kind;
  return row;
}
