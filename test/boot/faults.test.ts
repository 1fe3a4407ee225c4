import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import type { VirtualMachine } from '../../server/lab/firmware.js';
import { labMachines, labSite } from '../../server/lab/site.js';
import { BootLab } from '../support/lab-boot.js';

/* What goes wrong on the way, and that the boot recovers or says why not. One server; every test switches its machine off. */

let lab: BootLab;
const on: VirtualMachine[] = [];

beforeAll(async () => {
  lab = await BootLab.open('faults');
  await lab.apply(labSite(labMachines(4, ['bios'], lab.lab.folder.machines)));
});
afterAll(() => lab.close());
afterEach(async () => {
  for (const machine of on.splice(0)) await lab.powerOff(machine);
});

function powerOn(number: number): VirtualMachine {
  const machine = lab.powerOn(number, 'bios');
  on.push(machine);
  return machine;
}

/** The file of a shipped image in the server's store. */
async function storedFile(image: string, part: string): Promise<string> {
  const answer = await lab.api.get('/images');
  const { items } = z
    .object({
      items: z.array(
        z.object({ name: z.string(), files: z.array(z.object({ part: z.string(), digest: z.string() })) }),
      ),
    })
    .parse(answer);
  const digest = items.find(({ name }) => name === image)?.files.find((file) => file.part === part)?.digest;
  const entry = readdirSync(lab.lab.folder.dataDir, { recursive: true, withFileTypes: true }).find(
    (file) => digest !== undefined && file.isFile() && `${file.parentPath}/${file.name}`.includes(digest),
  );
  if (entry === undefined) throw new Error(`no file of ${image} ${part}`);
  return `${entry.parentPath}/${entry.name}`;
}

/** The machine's network at `rate`, so that there is a middle to stop in. */
const slowDown = (machine: VirtualMachine, rate: string): Promise<string> =>
  lab.inside(
    'tc',
    'qdisc',
    'add',
    'dev',
    machine.tap,
    'root',
    'tbf',
    'rate',
    rate,
    'burst',
    '64kb',
    'latency',
    '400ms',
  );
const fullSpeed = (machine: VirtualMachine): Promise<string> =>
  lab.inside('tc', 'qdisc', 'del', 'dev', machine.tap, 'root');

describe('images', () => {
  test('damaged bytes are noticed by the machine, named in the events, and it boots once they are whole', async () => {
    const file = await storedFile('micro', 'rootfs');
    const good = readFileSync(file);
    const bad = Buffer.from(good);
    bad[bad.length >> 1] = (bad[bad.length >> 1] ?? 0) ^ 0xff;
    execFileSync('chmod', ['u+w', file]);
    writeFileSync(file, bad);
    const machine = powerOn(1);
    const failed = await lab.until(machine, 'the failure', (s) => s.boot?.outcome === 'failed', { mayFail: true });
    expect(failed.boot).toMatchObject({ stage: 'rootfs', diagnosis: { name: 'digest-mismatch' } });
    const events = await lab.events({ session: failed.boot?.session ?? '', level: 'error' });
    expect(events.map(({ message }) => message).join('\n')).toMatch(/sha256/);
    expect(failed.systems.filter(({ state }) => state === 'running')).toEqual([]);

    writeFileSync(file, good);
    // The policy of the profile: it reboots by itself.
    await lab.until(machine, 'the next try', (s) => s.boot?.outcome === 'succeeded', { mayFail: true });
    expect(await lab.web(1)).toBe('web on n1\n');
  });

  test('a missing file is named in the events, and the machine boots once it is back', async () => {
    const file = await storedFile('kernel', 'initrd');
    renameSync(file, `${file}.away`);
    const machine = powerOn(3);
    await expect
      .poll(
        async () => (await lab.events({ machine: 'n3' })).filter(({ level }) => level !== 'info').map((e) => e.message),
        {
          timeout: 120_000,
          interval: 500,
        },
      )
      .toContainEqual(expect.stringContaining('initrd'));
    expect((await lab.status('n3')).boot?.outcome).not.toBe('succeeded');

    renameSync(`${file}.away`, file);
    await lab.until(machine, 'the next try', (s) => s.boot?.outcome === 'succeeded', { mayFail: true });
  });
});

describe('the server goes away in the middle of loading', () => {
  test.each([
    ['is stopped and started again', 'SIGTERM'],
    ['is killed and started again', 'SIGKILL'],
  ] as const)('the boot goes on when it %s', async (_what, signal) => {
    const machine = powerOn(2);
    await slowDown(machine, '16mbit');
    const loading = await lab.until(
      machine,
      'the root file system',
      (s) => s.boot?.stage === 'rootfs' && s.boot.progress !== undefined && s.boot.progress.bytes > 0,
    );
    const leases = await lab.leases();
    await lab.lab.endServer(signal);
    await fullSpeed(machine);
    await lab.lab.startServer();
    // What was acknowledged is known, at once and with no repair.
    expect([...(await lab.leases())]).toEqual(expect.arrayContaining([...leases]));
    const status = await lab.up(machine);
    expect(status.boot?.session).toBe(loading.boot?.session);
    expect(await lab.records(2)).toBe('db on n2\n');
  });
});
