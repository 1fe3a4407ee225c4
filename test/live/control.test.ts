import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type LiveDoor, layOutDoor } from '../support/live-door.js';

/*
 * The program behind a live OS's SSH server, without SSH: the word in SSH_ORIGINAL_COMMAND, the request on standard input. Under
 * both shells that run it.
 */

interface Answer {
  readonly status: number | null;
  readonly out: string;
  readonly told: Readonly<Record<string, string>>;
}

describe.each(['busybox', 'dash'] as const)('%s', (shell) => {
  let door: LiveDoor;
  beforeAll(() => {
    door = layOutDoor(shell, 'job_output_limit=10000 job_outputs_limit=15000');
  });
  afterAll(() => door.remove());

  function ask(word: string, request = '', after?: (kill: () => void) => void): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const child = spawn(door.program, { env: { ...process.env, SSH_ORIGINAL_COMMAND: word }, timeout: 20_000 });
      const out: Buffer[] = [];
      let err = '';
      child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
      child.stderr.on('data', (chunk: Buffer) => {
        err += chunk.toString();
      });
      child.on('error', reject);
      child.on('close', (status) => {
        const told = Object.fromEntries(
          [...err.matchAll(/^anybios:([a-z-]+)=(.*)$/gm)].map(([, key = '', value = '']) => [key, value]),
        );
        resolve({ status, out: Buffer.concat(out).toString('latin1'), told });
      });
      child.stdin.on('error', () => undefined);
      child.stdin.end(request);
      after?.(() => child.kill('SIGKILL'));
    });
  }
  const lines = (...values: readonly string[]): string => `${values.join('\n')}\n\n`;
  const exec = (id: string, argv: readonly string[], ...more: readonly string[]): string =>
    lines(`id=${id}`, 'kind=exec', ...more, ...argv.map((arg) => `arg64=${Buffer.from(arg).toString('base64')}`));
  const doings = (): string => {
    const file = join(door.run, 'doings');
    return existsSync(file) ? readFileSync(file, 'utf8') : '';
  };
  const until = async (what: () => boolean): Promise<void> => {
    const end = Date.now() + 15_000;
    while (!what()) {
      if (Date.now() > end) throw new Error('it did not happen');
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };

  test('the argv arrives as it was given, whatever is in it', async () => {
    const hostile = [
      '',
      ' ',
      'a b',
      "it's",
      '$(reboot)',
      '`id`',
      '*',
      '-n',
      '\\',
      'line\nbreak',
      'ends\n\n',
      '漢字',
      '"',
      ';',
    ];
    const { status, out, told } = await ask('job', exec('argv', ['/usr/bin/printf', '[%s]', ...hostile]));
    expect({ status, out: Buffer.from(out, 'latin1').toString() }).toEqual({
      status: 0,
      out: hostile.map((arg) => `[${arg}]`).join(''),
    });
    expect(told).toMatchObject({ accepted: 'new', state: 'done', exit: '0' });
  });

  test('the same id runs once, and tells its result again; with another content it is refused', async () => {
    const request = exec('once', ['/bin/sh', '-c', `echo ran >>${door.run}/runs; echo output; exit 3`]);
    const first = await ask('job', request);
    const second = await ask('job', request);
    expect(first).toMatchObject({ status: 0, out: 'output\n', told: { accepted: 'new', state: 'failed', exit: '3' } });
    expect(second).toEqual({ ...first, told: { ...first.told, accepted: 'known' } });
    expect(readFileSync(join(door.run, 'runs'), 'utf8')).toBe('ran\n');
    expect(await ask('job', exec('once', ['/bin/true']))).toMatchObject({
      status: 65,
      told: { error: 'id once is another job' },
    });
  });

  test('two connections with one id at the same time: one run', async () => {
    const request = exec('twice', ['/bin/sh', '-c', `echo ran >>${door.run}/twice; echo output`]);
    const answers = await Promise.all([1, 2, 3, 4].map(() => ask('job', request)));
    for (const answer of answers) expect(answer).toMatchObject({ status: 0, out: 'output\n', told: { state: 'done' } });
    expect(readFileSync(join(door.run, 'twice'), 'utf8')).toBe('ran\n');
  });

  test('it runs on when the connection ends, and is there for the next one', async () => {
    const request = exec('lives', [
      '/bin/sh',
      '-c',
      `echo begun; until [ -e ${door.run}/go ]; do sleep 0.1; done; echo ended`,
    ]);
    let kill = (): void => undefined;
    const broken = ask('job', request, (end) => {
      kill = end;
    });
    await until(() => existsSync(join(door.run, 'jobs/lives.output')));
    await until(() => readFileSync(join(door.run, 'jobs/lives.output'), 'utf8') === 'begun\n');
    kill();
    await broken;
    await ask('job', exec('go', ['/usr/bin/touch', `${door.run}/go`]));
    expect(await ask('job', request)).toMatchObject({
      out: 'begun\nended\n',
      told: { accepted: 'known', state: 'done' },
    });
  });

  test('a command over its time is killed with all it started, one that is cancelled too', async () => {
    const slow = ['/bin/sh', '-c', 'sleep 60 & sleep 60'];
    expect(await ask('job', exec('late', slow, 'timeout-seconds=1'))).toMatchObject({
      told: { state: 'timed-out', message: 'killed after 1 s' },
    });
    const running = ask('job', exec('cancelled', slow));
    await until(() => existsSync(join(door.run, 'jobs/cancelled.command')));
    expect((await ask('cancel cancelled')).told).toEqual({ state: 'done' });
    expect(await running).toMatchObject({ told: { state: 'failed', message: 'cancelled' } });
    expect((await ask('cancel cancelled')).told).toEqual({ state: 'done' });
  });

  test('a command that leaves something in the background is done when it ends itself', async () => {
    expect(await ask('job', exec('daemon', ['/bin/sh', '-c', 'sleep 5 & echo started']))).toMatchObject({
      out: 'started\n',
      told: { state: 'done' },
    });
  });

  test('output over the limit is counted, not kept; of old jobs the results stay', async () => {
    const big = exec('big', ['/bin/sh', '-c', 'head -c 50000 /dev/zero']);
    const { out, told } = await ask('job', big);
    expect(out).toBe('\0'.repeat(10_000));
    expect(told).toMatchObject({ state: 'done', 'output-bytes': '50000', truncated: 'yes' });
    await ask('job', exec('bigger', ['/bin/sh', '-c', 'head -c 9000 /dev/zero']));
    expect(await ask('job', big)).toMatchObject({
      out: '',
      told: { accepted: 'known', state: 'done', truncated: 'yes' },
    });
  });

  test('what changes systems goes to the backend, with its reason when it fails', async () => {
    expect(await ask('job', lines('id=s1', 'kind=restart', 'system=web'))).toMatchObject({
      out: 'starting web\n',
      told: { state: 'done' },
    });
    await ask('job', lines('id=s2', 'kind=limit', 'system=db', 'memory-bytes=1000000', 'cpus=none'));
    expect(doings()).toBe('stop web 10\nstart web\nlimit db 1000000 none\n');
    expect((await ask('job', lines('id=s3', 'kind=pause', 'system=web'))).told).toMatchObject({
      state: 'failed',
      message: 'web does not run',
    });
  });

  test('a command inside a system, and the log of one', async () => {
    const inside = exec('inside', ['/bin/sh', '-c', 'echo $INSIDE'], 'system=db');
    expect((await ask('job', inside)).out).toBe('db\n');
    expect(await ask('logs', lines('lines=5', 'follow=no'))).toMatchObject({
      out: 'the machine: 5 no\n',
      told: { state: 'done' },
    });
  });

  test('a console whose connection ends takes with it what runs there, and its entry', async () => {
    const child = spawn('script', ['--quiet', '--command', door.program, '/dev/null'], {
      env: { ...process.env, SSH_ORIGINAL_COMMAND: 'console t2 80 24' },
    });
    child.stdin.on('error', () => undefined);
    // A program in the foreground, which reads nothing: the end of its terminal alone would not end it.
    child.stdin.write(`sh -c 'echo $$ >${door.run}/foreground; exec sleep 1000'\r`);
    const file = join(door.run, 'foreground');
    await until(() => existsSync(file) && readFileSync(file, 'utf8').endsWith('\n'));
    expect(readdirSync(join(door.run, 'consoles'))).toEqual(['t2']);
    child.kill('SIGKILL'); // the terminal is gone with it
    await until(() => readdirSync(join(door.run, 'consoles')).length === 0);
    await until(() => !existsSync(`/proc/${readFileSync(file, 'utf8').trim()}`));
  });

  test('a reboot is answered before it begins', async () => {
    expect((await ask('job', lines('id=r1', 'kind=reboot'))).told).toMatchObject({ state: 'accepted' });
    await until(() => doings().endsWith('reboot\n'));
  });

  test.each([
    ['a word that is not in the protocol', 'sh -c reboot', '', 'there is no such word in the protocol'],
    ['no word: a shell is not given', '', '', 'there is no such word in the protocol'],
    ['a pattern', '*', '', 'there is no such word in the protocol'],
    [
      'a request that was cut off',
      'job',
      'id=cut\nkind=exec\narg64=L2Jpbi90cnVl\n',
      'the request ended before its empty line',
    ],
    ['an id that is a path', 'job', 'id=../x\nkind=refresh\n\n', 'the request has no id that fits'],
    ['no id', 'job', 'kind=refresh\n\n', 'the request has no id that fits'],
    ['a tag that is a path', 'resize ../jobs/argv.request 80 24', '', 'the tag does not fit'],
    ['a size that is none', 'console t1 80 0', '', 'the size does not fit'],
    ['a console without a terminal', 'console t1 80 24', '', 'a console needs a terminal'],
    ['a console of no system', 'console t1 80 24 mail', '', 'this machine has no system mail'],
    ['logs of a path', 'logs', 'system=../x\n\n', 'this is no name of a system'],
    ['a job that is not there', 'cancel nothing', '', 'there is no such job'],
  ])('refused: %s', async (_why, word, request, error) => {
    const answer = await ask(word, request);
    expect(answer.status).toBe(65);
    expect(answer.told.error).toContain(error);
    expect(existsSync(join(door.run, 'jobs/cut.request'))).toBe(false);
  });

  test.each([
    [
      'a kind that this live OS does not know',
      lines('id=k1', 'kind=format-disks'),
      'this live OS knows no job of kind "format-disks"',
    ],
    ['a system that is not there', lines('id=k2', 'kind=start', 'system=mail'), 'this machine has no system mail'],
    ['a system that is a path', lines('id=k3', 'kind=start', 'system=../web'), 'this is no name of a system'],
    ['no command', lines('id=k4', 'kind=exec'), 'there is no command to run'],
    ['an argument that is not base64', lines('id=k5', 'kind=exec', 'arg64=%%%'), 'an argument is not base64'],
  ])('failed: %s', async (_why, request, message) => {
    expect((await ask('job', request)).told).toMatchObject({ state: 'failed', message });
  });

  test('nothing is left of requests but the jobs themselves', () => {
    expect(readdirSync(door.run).filter((name) => name.startsWith('request.'))).toEqual([]);
  });
});
