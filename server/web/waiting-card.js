import { postJson } from './api.js';
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
    const facts = Object.entries(machine.inventory ?? {});
    root.querySelector('.inventory').replaceChildren(
      ...facts.flatMap(([name, value]) => {
        const [term, text] = [document.createElement('dt'), document.createElement('dd')];
        term.textContent = name;
        text.textContent = value;
        return [term, text];
      }),
    );
    showRoles(form.elements.role, roles);
  };
  return { root, show };
}

function showRoles(select, roles) {
  const wanted = ['', ...roles];
  if (wanted.length === select.options.length && wanted.every((role, i) => select.options[i].value === role)) return;
  const chosen = select.value;
  select.replaceChildren(...wanted.map((role) => new Option(role === '' ? t('chooseRole') : role, role)));
  select.value = wanted.includes(chosen) ? chosen : '';
}
