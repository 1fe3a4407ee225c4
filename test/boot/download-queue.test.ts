import { afterAll, beforeAll, expect, test } from 'vitest';
import type { VirtualMachine } from '../../server/lab/firmware.js';
import { addressOf } from '../../server/lab/site.js';
import { BootLab } from '../support/lab-boot.js';

// Three machines are switched on at once, and one may load at a time.

const SITE = `systems:
  - { name: web, kind: chroot, image: base, command: [/bin/httpd, -f, -p, "80"] }
roles:
  - { name: web, profile: micro, mode: resident, systems: [web] }
machines:
${[1, 2, 3].map((n) => `  - { name: n${n}, macs: ["52:54:00:77:00:0${n}"], address: ${addressOf(n)}, role: web }`).join('\n')}
`;

let lab: BootLab;
const machines: VirtualMachine[] = [];
beforeAll(async () => {
  lab = await BootLab.open('queue', 'localdisk', undefined, 'full', 'downloads: { atOnce: 1 }\n');
  await lab.apply(SITE);
  for (const number of [1, 2, 3]) machines.push(lab.powerOn(number, 'bios'));
});
afterAll(() => lab.close());

test('one after the other; whoever waits says its place, and all come up', async () => {
  await Promise.all(machines.map((machine) => lab.up(machine, 500)));
  const events = await lab.events();
  const turns = events.filter(({ kind }) => kind === 'download.waiting' || kind === 'download.turn');
  const waited = new Set(turns.map(({ machine }) => machine));
  expect(waited.size).toBeGreaterThan(0);
  for (const { kind, message } of turns)
    expect(message).toMatch(
      kind === 'download.waiting'
        ? /^\S+: waits for its turn, place \d+ of \d+; 1 machine is loading$/
        : /^\S+: its turn has come after \d+ s in the queue$/,
    );
  // On its own screen too.
  for (const machine of machines)
    if (waited.has(machine.name))
      expect(lab.console(machine)).toMatch(/waiting for its turn, place \d+ of \d+ in the queue/);
}, 600_000);
