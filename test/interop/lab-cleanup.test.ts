import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type LabRecord, readLabRecord, writeLabRecord } from '../../server/lab/lab-record.js';
import { type ProcessProof, proveProcess, stillRuns } from '../../server/lab/process-proof.js';
import { removeLab } from '../../server/lab/remove-lab.js';

const NAMESPACE = 'la-cleanup';
const root = process.cwd();
let temporary: string;
const started: ChildProcess[] = [];

beforeEach(() => {
  temporary = mkdtempSync(`${tmpdir()}/la-`);
});

afterEach(async () => {
  for (const child of started.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  }
  removeLab(NAMESPACE);
  rmSync(temporary, { recursive: true });
});

/** A lab in a process of its own, with a BIOS machine that waits for an answer and a program of the namespace. */
async function startLabProcess(): Promise<{ readonly lab: ChildProcess; readonly record: LabRecord }> {
  const script = `${temporary}/lab.mjs`;
  writeFileSync(
    script,
    `import { Lab } from '${root}/dist/lab/lab.js';
     import { labMachines } from '${root}/dist/lab/site.js';
     const lab = Lab.open({ namespace: '${NAMESPACE}', folder: '${temporary}/lab', program: 'none', accelerator: 'tcg', config: '' });
     for (const machine of labMachines(1, ['bios'], lab.folder.machines)) lab.startMachine(machine);
     lab.startInside('sleep', ['600'], '${temporary}/sleep.log');
     process.on('SIGTERM', async () => { await lab.close(); process.exit(0); });
     process.on('SIGUSR2', () => { throw new Error('crash'); });
     setInterval(() => {}, 1000);
     console.log('ready');`,
  );
  const lab = spawn(process.execPath, [script], { stdio: ['ignore', 'pipe', 'pipe'] });
  started.push(lab);
  let said = '';
  lab.stderr.on('data', (data) => {
    said += String(data);
  });
  await Promise.race([
    once(lab.stdout, 'data'),
    once(lab, 'exit').then(() => Promise.reject(new Error(`the lab ended: ${said}`))),
  ]);
  const record = readLabRecord(NAMESPACE);
  if (record === undefined) throw new Error('no record');
  return { lab, record };
}

const namespaces = (): string => execFileSync('ip', ['netns', 'list'], { encoding: 'utf8' });

/** QEMU and sleep of this lab. */
function expectRunning(record: LabRecord): void {
  expect(record.processes).toHaveLength(2);
  expect(record.processes.filter(stillRuns)).toHaveLength(2);
  expect(namespaces()).toContain(NAMESPACE);
}

function expectNothingLeft(record: LabRecord): void {
  expect(record.processes.filter(stillRuns)).toEqual([]);
  expect(namespaces()).not.toContain(NAMESPACE);
  expect(readLabRecord(NAMESPACE)).toBeUndefined();
  // Taps and bridge were never anywhere else.
  expect(execFileSync('ip', ['-br', 'link'], { encoding: 'utf8' })).not.toMatch(/^(tap1|br0)\b/m);
}

describe('a lab leaves nothing behind', () => {
  test('when it is ended in order', async () => {
    const { lab, record } = await startLabProcess();
    expectRunning(record);
    const ended = once(lab, 'exit');
    lab.kill('SIGTERM');
    expect(await ended).toEqual([0, null]);
    expectNothingLeft(record);
  });

  test('when it crashes', async () => {
    const { lab, record } = await startLabProcess();
    const ended = once(lab, 'exit');
    lab.kill('SIGUSR2');
    await ended;
    expectNothingLeft(record);
  });

  test('at the next start after kill -9, processes not written down included', async () => {
    const { lab, record } = await startLabProcess();
    const ended = once(lab, 'exit');
    lab.kill('SIGKILL');
    await ended;
    expectRunning(record);
    // As if it had been killed between starting a program and writing that down.
    writeLabRecord({ ...record, processes: record.processes.slice(0, 1) });
    expect(removeLab(NAMESPACE)).toEqual(['ended 2 processes', `removed the network namespace ${NAMESPACE}`]);
    expectNothingLeft(record);
  });
});

describe('a lab touches only what is its own', () => {
  test('a running lab is not taken over', async () => {
    const { record } = await startLabProcess();
    expect(() => removeLab(NAMESPACE)).toThrow(`is running already (process ${record.owner.pid})`);
    expectRunning(record);
  });

  test('a process that got the id of an ended one, and a stranger in the namespace, live on', async () => {
    const { lab, record } = await startLabProcess();
    const ended = once(lab, 'exit');
    lab.kill('SIGKILL');
    await ended;
    const stranger = spawn('ip', ['netns', 'exec', NAMESPACE, 'sleep', '600'], { stdio: 'ignore' });
    const reused = spawn('sleep', ['600'], { stdio: 'ignore' });
    started.push(stranger, reused);
    await Promise.all([once(stranger, 'spawn'), once(reused, 'spawn')]);
    const proof = proofOf(reused);
    writeLabRecord({ ...record, processes: [...record.processes, { ...proof, startTime: proof.startTime - 1 }] });
    removeLab(NAMESPACE);
    expect([proofOf(stranger), proof].filter(stillRuns)).toHaveLength(2);
    expectNothingLeft(record);
  });

  test('a namespace of the same name that it did not make stays', () => {
    execFileSync('ip', ['netns', 'add', NAMESPACE]);
    try {
      const owner: ProcessProof = { pid: process.pid, startTime: 1 };
      writeLabRecord({ namespace: NAMESPACE, mark: 'x', owner, namespaceInode: 1, processes: [] });
      expect(removeLab(NAMESPACE)).toEqual([]);
      expect(existsSync(`/run/netns/${NAMESPACE}`)).toBe(true);
    } finally {
      execFileSync('ip', ['netns', 'del', NAMESPACE]);
    }
  });
});

function proofOf(child: ChildProcess): ProcessProof {
  const proof = child.pid === undefined ? undefined : proveProcess(child.pid);
  if (proof === undefined) throw new Error('not running');
  return proof;
}

test('QEMU says on its console what it does', async () => {
  const { record } = await startLabProcess();
  expectRunning(record);
  await expect
    .poll(() => readFileSync(`${temporary}/lab/machines/n1.serial.log`, 'latin1'), { timeout: 30_000 })
    .toContain('iPXE');
});
