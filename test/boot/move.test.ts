import { truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { VirtualMachine } from '../../server/lab/firmware.js';
import { addressOf } from '../../server/lab/site.js';
import { BootLab } from '../support/lab-boot.js';
import { exec, LabJobs } from '../support/lab-jobs.js';

/* A role moves between two Debian live OSes with what its system has written on a labelled disk (ADR 16). */

const MACHINE = 'disks: { data: /dev/disk/by-id/virtio-DATA }';
const SITE = `
systems:
  - name: db
    kind: chroot
    image: base
    command: [/bin/httpd, -f, -p, "80", -h, /srv/www]
    storage: { label: data, path: systems/db }
    files: { /srv/www/index.html: "db on {{machine.name}}\\n" }
roles:
  - { name: store, profile: live, systems: [db] }
  - { name: empty, profile: live, systems: [] }
machines:
  - { name: n1, macs: ["52:54:00:77:00:01"], address: ${addressOf(1)}, role: store, ${MACHINE} }
  - { name: n2, macs: ["52:54:00:77:00:02"], address: ${addressOf(2)}, role: empty, ${MACHINE} }
`;

let lab: BootLab;
let n1: VirtualMachine;
let n2: VirtualMachine;

/** Words for QEMU: an empty disk of 64 MiB. */
function disk(number: number): readonly string[] {
  const file = join(lab.lab.folder.machines, `data${number}.img`);
  writeFileSync(file, '');
  truncateSync(file, 64 << 20);
  return [
    ...['-drive', `file=${file},format=raw,if=none,id=data`],
    ...['-device', 'virtio-blk-pci,drive=data,serial=DATA'],
  ];
}

beforeAll(async () => {
  lab = await BootLab.open('move');
  await lab.apply(SITE);
  n1 = lab.powerOn(1, 'bios', disk(1));
  n2 = lab.powerOn(2, 'bios', disk(2));
  await lab.up(n1, 500);
  await lab.up(n2, 500);
}, 700_000);
afterAll(() => lab.close());

test('the role is on the other machine, with what its system has written there', { timeout: 700_000 }, async () => {
  const jobs = new LabJobs(lab);
  await jobs.done({ ...exec('/bin/sh', '-c', 'echo kept >/srv/www/written'), system: 'db' });
  expect(await lab.web(1)).toBe('db on n1\n');
  // n2 has its door a moment after it is up.
  await new LabJobs(lab, 'n2').done(exec('true'));
  const job = await jobs.ended(await jobs.ask({ kind: 'move', to: 'n2' }), 280);
  expect(job).toMatchObject({ state: 'done', message: 'role store is on n2 now' });
  expect(job.output).toMatch(/^db: systems\/db on data, \d+ bytes, sha256 [0-9a-f]{64}, the same on n1 and n2$/m);
  await lab.asDesired(n2, 'its role');
  expect(await lab.web(2)).toBe('db on n2\n');
  expect(await lab.inside('curl', '-sS', '--fail', '--max-time', '10', `http://${addressOf(2)}/written`)).toBe(
    'kept\n',
  );
  const source = await lab.asDesired(n1, 'nothing to run');
  expect(source).toMatchObject({ role: 'empty', systems: [] });
  await expect(lab.web(1)).rejects.toThrow();
});
