import { getJson } from './api.js';
import { clockTime } from './format.js';
import { t } from './texts.js';

const JOBS_SHOWN = 8;

/** The newest jobs of the machine in the dialog; hidden while it has none. */
export function createJobsView(onProblem) {
  const section = document.getElementById('timeline-jobs');
  const list = section.querySelector('ul');
  let machine;
  let reading = false;
  let again = false;

  const read = async () => {
    if (reading) {
      again = true;
      return;
    }
    reading = true;
    try {
      do {
        again = false;
        const name = machine;
        const { items } = await getJson(`/jobs?machine=${encodeURIComponent(name)}&limit=${JOBS_SHOWN}`);
        if (machine !== name) continue;
        section.hidden = items.length === 0;
        list.replaceChildren(...items.map(jobRow));
      } while (again);
    } finally {
      reading = false;
    }
  };

  return {
    /** Of this machine from now on; undefined: of none. */
    show(name) {
      if (name !== machine) section.hidden = true;
      machine = name;
      if (name !== undefined) read().catch(onProblem);
    },
    add(event) {
      if (machine !== undefined && event.machine === machine && event.kind.startsWith('job.')) read().catch(onProblem);
    },
  };
}

function jobRow({ kind, system, command = [], state, by, createdAt, message }) {
  const row = document.createElement('li');
  const [word, what, who] = ['span', 'span', 'span'].map((tag) => document.createElement(tag));
  word.className = 'job-state';
  word.dataset.state = state;
  word.textContent = t(`job_${state}`);
  what.className = 'job-what';
  what.textContent = [kind, system, command.join(' ')].filter((text) => text !== undefined && text !== '').join(' ');
  what.title = message ?? '';
  who.className = 'job-who';
  who.textContent = `${by} · ${clockTime(createdAt)}`;
  row.append(word, what, who);
  return row;
}
