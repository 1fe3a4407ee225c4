import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { removeLab } from '../../server/lab/remove-lab.js';
import { compiledEntry } from '../../server/paths.js';

/* The command itself, as a person runs it. */

const NAMESPACE = 'la-command';
let folder: string;
let lab: ChildProcess | undefined;

beforeEach(() => {
  folder = mkdtempSync('/tmp/la-');
});
afterEach(async () => {
  if (lab !== undefined && lab.exitCode === null && lab.signalCode === null) {
    const ended = once(lab, 'exit');
    lab.kill('SIGKILL');
    await ended;
  }
  removeLab(NAMESPACE);
  rmSync(folder, { recursive: true });
});

function startLab(...args: string[]): { readonly ended: Promise<unknown[]>; readonly said: () => string } {
  const program = compiledEntry('cli/anybios.js');
  const started = spawn(
    process.execPath,
    [program, 'lab', '--dir', `${folder}/lab`, '--namespace', NAMESPACE, '--port', '0', ...args],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  lab = started;
  let said = '';
  for (const stream of [started.stdout, started.stderr]) {
    stream.on('data', (data) => {
      said += String(data);
    });
  }
  return { ended: once(started, 'close'), said: () => said };
}

const namespaces = (): string => execFileSync('ip', ['netns', 'list'], { encoding: 'utf8' });

describe('anybios lab', () => {
  test('--once: two machines of different firmware and role come up; exit 0, nothing left, under 3 minutes', async () => {
    // The lab's own limit: over it the exit code is 1.
    const { ended, said } = startLab('--once', '--machines', '2', '--firmware', 'bios,uefi', '--time-limit', '180');
    const [code] = await ended;
    expect(said()).toContain('all systems of 2 machines run');
    expect(code).toBe(0);
    expect(said()).toMatch(/n1 .*web running/);
    expect(said()).toMatch(/n2 .*db running/);
    expect(namespaces()).not.toContain(NAMESPACE);
  });

  test('--once: a machine that does not come up in time; exit 1 with where it stands and its console', async () => {
    const { ended, said } = startLab('--once', '--machines', '1', '--firmware', 'bios', '--time-limit', '8');
    expect(await ended).toEqual([1, null]);
    expect(said()).toMatch(/the time limit of 8 s is over/);
    expect(said()).toMatch(/n1 {2}\w[\w-]*: /);
    expect(said()).toContain('| iPXE initialising devices');
    expect(namespaces()).not.toContain(NAMESPACE);
  });

  test('stays up with a status page on 127.0.0.1 until Ctrl-C, then leaves nothing', async () => {
    const { ended, said } = startLab('--machines', '1', '--firmware', 'bios');
    await expect.poll(said, { timeout: 60_000 }).toMatch(/status page .*#token=\w/);
    await expect.poll(said, { timeout: 60_000 }).toMatch(/^n1 .*dhcp/m);
    const [, page = '', token = ''] = /(http:\/\/127\.0\.0\.1:\d+\/)#token=(\S+)/.exec(said()) ?? [];
    expect((await fetch(page)).headers.get('content-type')).toContain('text/html');
    const machines = await fetch(`${page}api/v1/machines`, { headers: { authorization: `Bearer ${token}` } });
    expect(await machines.json()).toMatchObject({ items: [{ name: 'n1', role: 'web' }] });
    lab?.kill('SIGINT');
    expect(await ended).toEqual([0, null]);
    expect(said()).toContain('lab: removed the network namespace');
    expect(namespaces()).not.toContain(NAMESPACE);
  });

  test('a second lab of the same name is refused, the first goes on', async () => {
    const { said } = startLab('--machines', '1', '--firmware', 'bios');
    await expect.poll(said, { timeout: 60_000 }).toMatch(/status page/);
    const first = lab;
    const second = startLab('--once');
    expect(await second.ended).toEqual([1, null]);
    expect(second.said()).toContain('is running already');
    expect(first?.exitCode).toBeNull();
    lab = first;
  });

  test('wrong arguments are named before anything is made', async () => {
    const { ended, said } = startLab('--machines', '200');
    expect(await ended).toEqual([2, null]);
    expect(said()).toContain('write a whole number from 1 to 80');
  });
});
