import { postJson } from './api.js';
import { bytes } from './format.js';
import { fillTexts, t } from './texts.js';

/** A machine held for approval: what it is, and the form that makes it a machine. */
export function createWaitingCard(onApproved) {
  const root = document.getElementById('waiting-template').content.firstElementChild.cloneNode(true);
  fillTexts(root);
  const form = root.querySelector('form');
  const error = root.querySelector('.form-error');
  const button = form.querySelector('button');
  let mac = '';

  form.addEventListener('submit', async (submit) => {
    submit.preventDefault();
    const given = Object.fromEntries([...new FormData(form)].filter(([, value]) => value.trim() !== ''));
    button.disabled = true;
    error.textContent = '';
    try {
      await postJson(`/machines/${encodeURIComponent(mac)}/approve`, given);
      await onApproved();
    } catch (refusal) {
      error.textContent = refusal.remedy === undefined ? refusal.message : `${refusal.message}: ${refusal.remedy}`;
    } finally {
      button.disabled = false;
    }
  });

  const show = (machine, roles) => {
    mac = machine.macs[0] ?? machine.name;
    root.querySelector('.mac').textContent = machine.name;
    root.querySelector('.address').textContent = machine.currentAddress ?? '';
    root.querySelector('.inventory').replaceChildren(...inventoryOf(machine.inventory ?? {}).map(fact));
    showRoles(form.elements.role, roles);
  };
  return { root, show };
}

function fact([name, value]) {
  const [group, term, text] = ['div', 'dt', 'dd'].map((tag) => document.createElement(tag));
  term.textContent = name;
  text.textContent = value;
  group.append(term, text);
  return group;
}

/** What stage 1 found, for people: sizes with units, one disk or card a line; what changes every second is left out. */
function inventoryOf(inventory) {
  const known = ['product', 'serial', 'cpu', 'cpus', 'memory-bytes', 'disk', 'nic'];
  const others = Object.keys(inventory).filter((key) => !known.includes(key) && !/^(uptime-ms|memory-)/.test(key));
  return [...known, ...others]
    .filter((key) => inventory[key] !== undefined)
    .map((key) => {
      const value = inventory[key];
      if (key === 'memory-bytes') return [t('memory'), bytes(Number(value))];
      if (key === 'disk')
        return [t('disks'), value.replace(/^(\S+) (\d+)/gm, (_, disk, size) => `${disk} ${bytes(Number(size))}`)];
      return [key === 'nic' ? t('nics') : known.includes(key) ? t(key) : key, value];
    });
}

function showRoles(select, roles) {
  const wanted = ['', ...roles];
  if (wanted.length === select.options.length && wanted.every((role, i) => select.options[i].value === role)) return;
  const chosen = select.value;
  select.replaceChildren(...wanted.map((role) => new Option(role === '' ? t('chooseRole') : role, role)));
  select.value = wanted.includes(chosen) ? chosen : '';
}
