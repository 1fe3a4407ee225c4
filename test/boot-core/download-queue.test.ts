import { afterEach, expect, test } from 'vitest';
import { parseIpv4 } from '../../server/domain/ipv4.js';
import { parseMac } from '../../server/domain/mac.js';
import type { Machine } from '../../server/domain/machine.js';
import { startCore, type TestCore } from '../support/boot-core.js';
import { SceneMachine } from '../support/scene.js';

const NAMES = ['n1', 'n2', 'n3', 'n4'];
const macOf = (index: number) => parseMac(`52:54:00:00:01:0${index}`);
const machines = NAMES.map((name, index): Machine => ({ name, macs: [macOf(index)], role: 'web', labels: {} }));

let core: TestCore;
afterEach(() => core.close());

/** Four machines that have claimed their boots. */
async function rack(atOnce: number, perSubnet = atOnce): Promise<readonly SceneMachine[]> {
  core = await startCore({ machines, downloads: { atOnce, perSubnet } });
  const scenes = NAMES.map((_, index) => new SceneMachine(core, macOf(index), parseIpv4(`10.77.0.11${index}`)));
  for (const scene of scenes) await scene.toStage1();
  return scenes;
}

const progressOf = (name: string) => core.sessions.of(name)?.progress;
const told = (kind: string) => core.events_.filter((event) => event.kind === kind).map(({ message }) => message);

test('one after the other, in the order of asking; timeline and boot tell the place', async () => {
  const [n1, n2, n3] = await rack(1);
  expect(n1?.turn()).toBe('go');
  expect(n2?.turn()).toBe('1 of 1');
  expect(n3?.turn()).toBe('2 of 2');
  expect(progressOf('n3')).toEqual({ file: 'rootfs.squashfs', bytes: 0, total: 100 << 20, place: 2, waiting: 2 });
  // Asking again changes nothing and is told once.
  expect(n3?.turn()).toBe('2 of 2');
  expect(n2?.turn()).toBe('1 of 2');
  expect(n1?.turn()).toBe('go');
  core.now += 3000;
  await n1?.report({ stage: 'rootfs', step: 'mounted' });
  // It is n2's turn, also if n3 asks first.
  expect(n3?.turn()).toBe('2 of 2');
  expect(n2?.turn()).toBe('go');
  expect(n3?.turn()).toBe('1 of 1');
  expect(progressOf('n2')).toBeUndefined();
  expect(await core.kinds()).toContain('download.waiting');
  expect(told('download.waiting')).toEqual([
    'rootfs.squashfs: waits for its turn, place 1 of 1; 1 machine is loading',
    'rootfs.squashfs: waits for its turn, place 2 of 2; 1 machine is loading',
  ]);
  expect(told('download.turn')).toEqual(['rootfs.squashfs: its turn has come after 3 s in the queue']);
});

test('small files do not queue', async () => {
  const [n1, n2] = await rack(1);
  expect(n1?.turn()).toBe('go');
  expect(n2?.turn(1 << 20)).toBe('go');
  expect(core.downloadQueue.waiting).toBe(0);
});

test('a dead download loses its place, one that goes on keeps it', async () => {
  const [n1, n2, n3] = await rack(2);
  expect([n1?.turn(), n2?.turn(), n3?.turn()]).toEqual(['go', 'go', '1 of 1']);
  for (let second = 0; second < 60; second += 10) {
    core.now += 10_000;
    await n1?.report({ stage: 'rootfs', step: 'fetching', file: 'rootfs.squashfs', bytes: `${second}`, total: '99' });
    // n2 was switched off.
    if (n3?.turn() === 'go') break;
  }
  expect(n3?.turn()).toBe('go');
  expect(n1?.turn()).toBe('go');
  expect(n2?.turn()).toBe('1 of 1');
});

test('bytes that the server sends are a sign of life too', async () => {
  const [n1, n2] = await rack(1);
  expect([n1?.turn(), n2?.turn()]).toEqual(['go', '1 of 1']);
  for (let times = 0; times < 10; times += 1) {
    core.now += 15_000;
    core.boot.transfer({
      requester: { protocol: 'http', address: parseIpv4('10.77.0.110') },
      name: 'images/sha256/x',
      phase: 'progress',
      bytes: times,
      total: 100,
      milliseconds: 1000,
    });
    expect(n2?.turn()).toBe('1 of 1');
  }
});

test('whoever stops waiting leaves the queue', async () => {
  const [n1, n2, n3] = await rack(1);
  expect([n1?.turn(), n2?.turn(), n3?.turn()]).toEqual(['go', '1 of 1', '2 of 2']);
  for (let times = 0; times < 3; times += 1) {
    core.now += 10_000;
    n1?.turn();
    n3?.turn();
  }
  expect(n3?.turn()).toBe('1 of 1');
});

test('a machine that boots again, or has booted, gives its turn back', async () => {
  const [n1, n2, n3] = await rack(1);
  expect([n1?.turn(), n2?.turn()]).toEqual(['go', '1 of 1']);
  // Switched off and on: another boot, with another claim.
  await n1?.wait(70_000).toStage1();
  core.now += 1;
  expect(n2?.turn()).toBe('go');
  expect(n3?.turn()).toBe('1 of 1');
  await n2?.toEnd();
  expect(n3?.turn()).toBe('go');
});

test('limits of a subnet, new ones from the next question on, and figures', async () => {
  const [n1, n2, n3] = await rack(4, 1);
  expect([n1?.turn(), n2?.turn(), n3?.turn()]).toEqual(['go', '1 of 1', '2 of 2']);
  expect(core.downloadQueue.metrics()).toContain('anybios_downloads{state="waiting"} 2');
  core.downloadQueue.configure({ atOnce: 4, perSubnet: 2 });
  expect([n1?.turn(), n3?.turn(), n2?.turn()]).toEqual(['go', '2 of 2', 'go']);
});

test('firmware and iPXE are never kept waiting: the script comes while everybody queues', async () => {
  const [n1, n2, n3, n4] = await rack(1);
  expect([n1?.turn(), n2?.turn(), n3?.turn()]).toEqual(['go', '1 of 1', '2 of 2']);
  await n4?.wait(70_000).toStage1();
  expect(core.sessions.of('n4')?.stage).toBe('stage1');
});
