import { createBootView } from './boot-view.js';
import { showDrift, showSystems } from './systems-view.js';
import { t } from './texts.js';

/** One line of the list. Built once per machine; `show` changes only what differs, so nothing jumps and focus stays. */
export function createMachineRow(onOpen) {
  const root = document.getElementById('machine-template').content.firstElementChild.cloneNode(true);
  const find = (selector) => root.querySelector(selector);
  const boot = createBootView();
  find('.boot').append(boot.root);
  const systems = find('.systems');
  const drift = find('.drift');
  const diagnosis = find('.diagnosis');
  root.addEventListener('click', () => {
    // Selecting text (a MAC to copy) is not a click on the row.
    if (getSelection()?.isCollapsed !== false) onOpen();
  });

  const show = (machine) => {
    find('.name').textContent = machine.name;
    find('.mac').textContent = machine.known ? machine.macs.join(', ') : t('discoveredOnly');
    find('.role-name').textContent = machine.role ?? t('noRole');
    find('.role-name').classList.toggle('absent', machine.role === undefined);
    find('.address').textContent = machine.currentAddress ?? machine.address ?? '';
    const status = find('.status');
    status.textContent = t(`status_${machine.status}`);
    status.dataset.status = machine.status;
    boot.show(machine.boot);
    showSystems(systems, machine);
    showDrift(drift, machine);
    const reason = machine.boot?.diagnosis;
    diagnosis.hidden = reason === undefined || machine.boot.outcome === 'succeeded';
    if (reason === undefined) return;
    diagnosis.dataset.outcome = machine.boot.outcome;
    find('.diagnosis strong').textContent = reason.name;
    find('.what').textContent = reason.message;
    find('.remedy').textContent = t('remedy', { text: reason.remedy });
  };
  return { root, show, tick: boot.tick };
}
