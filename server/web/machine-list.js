import { createMachineRow } from './machine-row.js';
import { t } from './texts.js';
import { createWaitingCard } from './waiting-card.js';

const collator = new Intl.Collator('en', { numeric: true });
const STATUSES = ['waiting', 'booting', 'up', 'lost', 'approved', 'unmanaged', 'discovered', 'off'];

/** Keeps one row (or one card, while it waits for approval) per machine, in the order of their names. */
export function createMachineList({ onOpen, onApproved }) {
  const machines = new Map();
  const rows = new Map();
  const cards = new Map();
  const rowList = document.getElementById('machine-list');
  const cardList = document.getElementById('waiting-list');
  const search = document.getElementById('search');
  const filter = document.getElementById('status-filter');
  const empty = document.getElementById('empty');
  let status = '';
  let roles = [];

  const chips = ['', ...STATUSES].map((word) => {
    const chip = document.createElement('button');
    chip.type = 'button';
    chip.dataset.status = word;
    chip.addEventListener('click', () => {
      status = word;
      refilter();
    });
    filter.append(chip);
    return chip;
  });
  search.addEventListener('input', () => refilter());

  const fits = (machine) => {
    if (status !== '' && machine.status !== status) return false;
    const wanted = search.value.trim().toLowerCase();
    if (wanted === '') return true;
    const text = [machine.name, ...machine.macs, machine.currentAddress, machine.address, machine.role].join(' ');
    return text.toLowerCase().includes(wanted);
  };

  function refilter() {
    const counts = new Map();
    let shown = 0;
    for (const [name, machine] of machines) {
      counts.set(machine.status, (counts.get(machine.status) ?? 0) + 1);
      const visible = fits(machine);
      if (visible) shown += 1;
      const row = rows.get(name);
      if (row !== undefined) row.root.hidden = !visible;
    }
    for (const chip of chips) {
      const word = chip.dataset.status;
      const count = word === '' ? machines.size : (counts.get(word) ?? 0);
      chip.textContent = `${word === '' ? t('all') : t(`status_${word}`)} ${count}`;
      chip.hidden = word !== '' && count === 0 && word !== status;
      chip.setAttribute('aria-pressed', String(word === status));
    }
    empty.hidden = shown > 0;
    empty.textContent = machines.size === 0 ? t('noMachines') : t('noMatch');
    document.getElementById('waiting').hidden = cards.size === 0;
  }

  /** Puts an element where its name belongs; elements already there do not move. */
  const insert = (list, map, name, root) => {
    root.dataset.name = name;
    const after = Array.from(list.children).find((other) => collator.compare(other.dataset.name, name) > 0);
    list.insertBefore(root, after ?? null);
    return map.get(name);
  };

  const put = (machine) => {
    const { name } = machine;
    machines.set(name, machine);
    if (!rows.has(name)) {
      const row = createMachineRow(() => onOpen(machines.get(name)));
      rows.set(name, row);
      insert(rowList, rows, name, row.root);
    }
    rows.get(name).show(machine);
    if (machine.status === 'waiting') {
      if (!cards.has(name)) {
        const card = createWaitingCard(onApproved);
        cards.set(name, card);
        insert(cardList, cards, name, card.root);
      }
      cards.get(name).show(machine, roles);
    } else drop(cards, name);
  };

  const drop = (map, name) => {
    map.get(name)?.root.remove();
    map.delete(name);
  };

  const remove = (name) => {
    machines.delete(name);
    drop(rows, name);
    drop(cards, name);
  };

  return {
    /** Everything there is. */
    showAll(all, roleNames) {
      roles = roleNames;
      const names = new Set(all.map((machine) => machine.name));
      for (const name of [...machines.keys()]) if (!names.has(name)) remove(name);
      all.forEach(put);
      refilter();
    },
    show(machine) {
      put(machine);
      refilter();
    },
    remove(name) {
      remove(name);
      refilter();
    },
    names: () => [...machines.keys()],
    running: () => [...machines.values()].filter(({ boot }) => boot?.outcome === 'running').map(({ name }) => name),
    tick() {
      for (const row of rows.values()) row.tick();
    },
  };
}
