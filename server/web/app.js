import { ApiError, getAll, getJson, takeTokenFromAddress, token } from './api.js';
import { followEvents } from './event-source.js';
import { createMachineList } from './machine-list.js';
import { fillTexts, t } from './texts.js';
import { createTimeline } from './timeline.js';

/** Changes are collected this long, so that a burst of events is one reading. */
const COLLECT = 250;
/** Up to so many changed machines are read one by one; more are read as one list. */
const ONE_BY_ONE = 6;
/** Progress of a running boot is not an event at every step. */
const PROGRESS_EVERY = 2000;
/** Some states come with time alone (a machine that is lost). */
const ALL_EVERY = 30_000;

const byId = (id) => document.getElementById(id);
fillTexts(document);
takeTokenFromAddress();

const timeline = createTimeline(problem);
const list = createMachineList({ onOpen: timeline.open, onApproved: readAll });
const changed = new Set();
let everything = false;
let collecting = false;
let session;

byId('token-form').addEventListener('submit', (submit) => {
  submit.preventDefault();
  token.set(byId('token').value.trim());
  byId('token').value = '';
  start();
});
byId('sign-out').addEventListener('click', () => {
  token.clear();
  location.reload();
});

function signIn(message) {
  session?.abort();
  byId('timeline').close();
  byId('token-error').textContent = message;
  byId('machines').hidden = true;
  byId('link').hidden = true;
  byId('sign-out').hidden = true;
  byId('sign-in').hidden = false;
  byId('token').focus();
}

function problem(error) {
  if (error instanceof ApiError && error.status === 401) {
    token.clear();
    signIn(t('tokenRefused'));
    return;
  }
  byId('problem').hidden = error === undefined;
  if (error === undefined) return;
  byId('problem').textContent = error.remedy === undefined ? error.message : `${error.message}: ${error.remedy}`;
}

async function readAll() {
  const [machines, roles] = await Promise.all([getAll('/machines?limit=500'), getAll('/roles')]);
  list.showAll(
    machines,
    roles.map((role) => role.name),
  );
  for (const machine of machines) timeline.update(machine);
  await Promise.all([readNetwork(), readDamaged()]);
}

/** Boots that need one of these cannot go on. */
async function readDamaged() {
  const { items } = await getJson('/images?damaged=1');
  byId('damaged').hidden = items.length === 0;
  const images = items.map(({ name, version }) => `${name}:${version}`).join(', ');
  byId('damaged').textContent = t('damagedImages', { images });
}

/** Other DHCP servers on the machines' network: the usual reason why a boot goes wrong and nothing here shows it. */
async function readNetwork() {
  const { items } = await getJson('/network');
  const servers = [...new Set(items.filter(({ kind }) => kind === 'server').map(({ address }) => address))];
  byId('network').hidden = servers.length === 0;
  byId('network').textContent = t('otherServers', { servers: servers.join(', ') });
}

async function readOne(name) {
  try {
    const machine = await getJson(`/machines/${encodeURIComponent(name)}`);
    if (machine.name !== name) list.remove(name);
    list.show(machine);
    timeline.update(machine);
  } catch (error) {
    if (!(error instanceof ApiError) || error.status !== 404) throw error;
    list.remove(name);
  }
}

/** Reads what changed; while a reading is under way, later changes wait for the next one. */
function collect() {
  if (collecting) return;
  collecting = true;
  setTimeout(
    async () => {
      const names = [...changed];
      changed.clear();
      const all = everything || names.length > ONE_BY_ONE;
      everything = false;
      try {
        await (all ? readAll() : Promise.all(names.map(readOne)));
        problem(undefined);
      } catch (error) {
        problem(error);
      } finally {
        collecting = false;
        if (changed.size > 0 || everything) collect();
      }
      // A list of a thousand machines takes the server as long to write as a hundred boot scripts: read it less often.
    },
    Math.max(COLLECT, list.names().length),
  );
}

function changedAll() {
  everything = true;
  collect();
}

function onEvent(event) {
  timeline.add(event);
  const name = event.machine ?? event.mac;
  // Roles and systems change what every machine shows; what is not of a machine may be of an image, or of the network.
  if (name === undefined || event.source === 'api') everything = true;
  else changed.add(name);
  collect();
}

function onState(state) {
  const link = byId('link');
  link.dataset.state = state;
  link.querySelector('.link-text').textContent = t(
    { live: 'linkLive', lost: 'linkLost', opening: 'linkOpening' }[state],
  );
}

function start() {
  byId('sign-in').hidden = true;
  byId('machines').hidden = false;
  byId('link').hidden = false;
  byId('sign-out').hidden = false;
  session?.abort();
  session = new AbortController();
  followEvents({ signal: session.signal, onEvent, onState, onOpen: changedAll }).catch(problem);
}

setInterval(() => {
  list.tick();
  timeline.tick();
}, 1000);
setInterval(() => {
  if (session?.signal.aborted !== false || document.hidden) return;
  for (const name of list.running()) changed.add(name);
  if (changed.size > 0) collect();
}, PROGRESS_EVERY);
setInterval(() => {
  if (session?.signal.aborted === false && !document.hidden) changedAll();
}, ALL_EVERY);

if (token.get() === undefined) signIn('');
else start();
