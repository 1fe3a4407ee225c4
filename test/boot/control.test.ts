import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { VirtualMachine } from '../../server/lab/firmware.js';
import { addressOf } from '../../server/lab/site.js';
import { BootLab, type LabMachine } from '../support/lab-boot.js';
import { exec, LabJobs } from '../support/lab-jobs.js';
import { CliOnTerminal } from '../support/pty.js';

/* Jobs on a booted machine with the `micro` live OS: the real way in, dropbear, and what its systems do then. */

const SITE = `
systems:
  - { name: web, kind: chroot, image: base, command: [/bin/httpd, -f, -p, "80", -h, /srv], files: { /srv/index.html: "web\\n" } }
  - { name: mail, kind: chroot, image: base, command: [/bin/httpd, -f, -p, "81", -h, /srv], files: { /srv/index.html: "mail\\n" } }
  - { name: db, kind: chroot, image: base, command: [/bin/sleep, "100000"] }
roles:
  - { name: web, profile: micro, mode: resident, systems: [web, db] }
  - { name: mail, profile: micro, systems: [web, mail] }
machines:
  - { name: n1, macs: ["52:54:00:77:00:01"], address: ${addressOf(1)}, role: web }
`;

let lab: BootLab;
let n1: VirtualMachine;
let jobs: LabJobs;

beforeAll(async () => {
  lab = await BootLab.open('control');
  await lab.apply(SITE);
  jobs = new LabJobs(lab);
  n1 = lab.powerOn(1, 'bios');
  await lab.up(n1);
});
afterAll(() => lab.close());

const web = (status: LabMachine) => status.systems.find(({ name }) => name === 'web');
const answers = async (): Promise<boolean> =>
  lab.inside('curl', '-sS', '--fail', '--max-time', '2', `http://${addressOf(1)}/`).then(
    () => true,
    () => false,
  );

test('a command runs on the machine, and inside a system; the same id runs once', async () => {
  expect((await jobs.done(exec('hostname'))).output).toBe('n1\n');
  expect((await jobs.done({ ...exec('cat', '/srv/index.html'), system: 'web' })).output).toBe('web\n');
  const wish = { ...exec('sh', '-c', 'echo x >>/tmp/once; cat /tmp/once'), id: 'once' };
  expect([await jobs.ask(wish), await jobs.ask(wish)]).toEqual(['once', 'once']);
  expect((await jobs.ended('once')).output).toBe('x\n');
  expect((await jobs.done(exec('cat', '/tmp/once'))).output).toBe('x\n');
});

test('nothing else listens: the system, and the way in for jobs', async () => {
  const listening = await jobs.done(exec('netstat', '-ltn'));
  const ports = [...listening.output.matchAll(/:(\d+) +\S+ +LISTEN/g)].map(([, port]) => port);
  expect([...new Set(ports)].sort()).toEqual(['80', '922']);
});

test('paused it does not answer, resumed it does; restarted and killed it comes back', async () => {
  expect(await answers()).toBe(true);
  await jobs.done({ kind: 'pause', system: 'web' });
  expect(web(await lab.status('n1'))).toMatchObject({ state: 'paused' });
  expect(await answers()).toBe(false);
  await jobs.done({ kind: 'resume', system: 'web' });
  expect(await answers()).toBe(true);
  await jobs.done({ kind: 'restart', system: 'web' });
  expect(web(await lab.status('n1'))).toMatchObject({ state: 'running', restarts: 0 });
  await jobs.done({ kind: 'kill', system: 'web' });
  const back = await lab.until(
    n1,
    'its restart by policy',
    (status) => web(status)?.restarts === 1 && web(status)?.state === 'running',
  );
  expect(web(back)).toMatchObject({ state: 'running', restarts: 1 });
  await jobs.done({ kind: 'stop', system: 'web' });
  expect(web(await lab.status('n1'))).toMatchObject({ state: 'stopped' });
  expect(await answers()).toBe(false);
  await jobs.done({ kind: 'start', system: 'web' });
  expect(await answers()).toBe(true);
});

test('new limits hold at once', async () => {
  await jobs.done({ kind: 'limit', system: 'web', memoryBytes: 33_554_432, cpus: 0.5 });
  const cgroup = '/sys/fs/cgroup/systems/web';
  expect((await jobs.done(exec('cat', `${cgroup}/memory.max`, `${cgroup}/cpu.max`))).output).toBe(
    '33554432\n50000 100000\n',
  );
});

describe('desired against observed, without a reboot and without a job', () => {
  /** Process of a system's keeper: another one after each composing, the same while it goes on. */
  const keeper = async (name: string): Promise<string> =>
    (await jobs.done(exec('cat', `/run/anybios/systems/${name}/keeper`))).output;
  const settled = (what: string) => lab.asDesired(n1, what);
  let session: string | undefined;
  beforeAll(async () => {
    session = (await lab.status('n1')).boot?.session;
  });

  test('all runs as it shall', async () => {
    expect(await settled('its digests')).toMatchObject({
      desired: { role: 'web', profile: 'micro', systems: ['web', 'db'] },
      systems: [
        { name: 'web', state: 'running' },
        { name: 'db', state: 'running' },
      ],
    });
  });

  test('a changed definition composes that system anew, it alone', async () => {
    const [web_, db] = [await keeper('web'), await keeper('db')];
    const effects = await lab.apply(SITE.replace('"web\\n"', '"new\\n"'));
    expect(effects).toMatchObject([{ name: 'n1', effects: [{ what: 'definition', system: 'web', ends: 'live' }] }]);
    await settled('the new definition');
    expect(await lab.web(1)).toBe('new\n');
    expect(await keeper('db')).toBe(db);
    expect(await keeper('web')).not.toBe(web_);
  });

  test('limits alone are set while it runs', async () => {
    const before = await keeper('web');
    await lab.apply(
      SITE.replace('"web\\n"', '"new\\n"').replace(
        'command: [/bin/httpd',
        'memory: 48M, cpus: 0.5, command: [/bin/httpd',
      ),
    );
    await settled('the new limits');
    expect(await keeper('web')).toBe(before);
    const cgroup = '/sys/fs/cgroup/systems/web';
    expect((await jobs.done(exec('cat', `${cgroup}/memory.max`, `${cgroup}/cpu.max`))).output).toBe(
      '50331648\n50000 100000\n',
    );
  });

  test('another role starts what is new and takes apart what is gone; all of it in one boot', async () => {
    const effects = await lab.apply(SITE.replace('role: web }', 'role: mail }'));
    expect(effects).toMatchObject([
      {
        effects: [
          { what: 'definition', system: 'web' },
          { what: 'missing', system: 'mail', ends: 'live' },
          { what: 'extra', system: 'db', ends: 'live' },
        ],
      },
    ]);
    const status = await settled('the other role');
    expect(status.systems).toMatchObject([
      { name: 'web', state: 'running' },
      { name: 'mail', state: 'running' },
    ]);
    expect(await lab.inside('curl', '-sS', '--fail', `http://${addressOf(1)}:81/`)).toBe('mail\n');
    expect((await jobs.done(exec('ls', '/run/anybios/systems'))).output).toBe('mail\nweb\n');
    expect(status.boot?.session).toBe(session);
    const kinds = (await lab.events({ machine: 'n1' })).map(({ kind }) => kind);
    expect(kinds.filter((kind) => kind === 'systems.change')).toHaveLength(3);
    expect(kinds.filter((kind) => kind === 'systems.not-changed')).toEqual([]);
    await lab.apply(SITE);
    await settled('its own role again');
  });

  test('eight more chroots of one template take at most 3 MiB each, their processes included', async () => {
    const copies = Array.from({ length: 8 }, (_, index) => `copy${index + 1}`);
    const more = copies.map(
      (name) => `  - { name: ${name}, kind: chroot, image: base, command: [/bin/sleep, "100000"] }\n`,
    );
    const before = await jobs.availableKiB();
    await lab.apply(
      SITE.replace('roles:\n', `${more.join('')}roles:\n`).replace('[web, db]', `[web, db, ${copies.join(', ')}]`),
    );
    const status = await settled('eight more');
    expect(status.systems.filter(({ name, state }) => copies.includes(name) && state === 'running')).toHaveLength(8);
    const each = await jobs.eachTakesBelow(3 * 1024, before, 8);
    console.log(`memory for each further chroot on micro: ${each.toFixed(0)} KiB`);
    await lab.apply(SITE);
    await settled('its two systems again');
  });

  test('what needs a reboot says so and changes nothing', async () => {
    const dry = await lab.apply(
      SITE.replace('mode: resident, systems: [web, db]', 'mode: single, systems: [web]'),
      true,
    );
    expect(dry).toMatchObject([{ name: 'n1', effects: [{ what: 'mode', ends: 'reboot' }] }]);
    expect((await lab.status('n1')).drift).toEqual([]);
  });
});

describe('the command line on a terminal', () => {
  const env = (): Record<string, string> => ({
    ANYBIOS_URL: `unix:${lab.lab.folder.apiSocket}`,
    ANYBIOS_TOKEN: lab.lab.adminToken(),
  });
  const open = new Set<CliOnTerminal>();
  const cli = (...args: readonly string[]): CliOnTerminal => {
    const terminal = new CliOnTerminal(args, env(), 90, 30);
    open.add(terminal);
    return terminal;
  };
  afterEach(() => {
    for (const terminal of open) terminal.kill();
    open.clear();
  });

  test('a console of the machine: its size, a new size, Ctrl-C, a program that ends it', async () => {
    const terminal = cli('machine', 'console', 'n1');
    await terminal.until('its prompt', /# /);
    expect(terminal.isPlain()).toBe(false);
    await terminal.line('stty size; hostname', /30 90\r+\nn1\r+\n/);
    terminal.resize(120, 40);
    // The size travels beside the keys.
    await terminal.line('until [ "$(stty size)" = "40 120" ]; do sleep 1; done; echo resi""zed', /resized\r+\n/);
    await terminal.line('echo a""sleep; sleep 1000', /asleep\r+\n/);
    terminal.type('\x03');
    await terminal.line('echo a""wake', /awake\r+\n/);
    await terminal.line('exit', /the console is closed/);
    expect(await terminal.ended()).toBe(0);
  });

  test('a console of a system, left with Ctrl-]', async () => {
    const terminal = cli('machine', 'console', 'n1', 'web');
    await terminal.until('its prompt', /# /);
    await terminal.line('cat /srv/index.html; ps | wc -l', /web\r+\n\s*\d\r+\n/);
    await terminal.line('echo a""sleep; exec sleep 1000', /asleep\r+\n/);
    terminal.type('\x1d');
    await terminal.until('its end', /the console is closed/);
    expect(await terminal.ended()).toBe(0);
    // With the connection what ran there ends, and the machine's note of it.
    const left = async () =>
      (await jobs.done(exec('sh', '-c', 'ls /run/anybios/consoles; ps | grep "[s]leep 1000$" || true'))).output;
    await expect.poll(left, { timeout: 60_000, interval: 500 }).toBe('');
  });

  test('job: what a command writes, its status, what became of it', async () => {
    const run = cli('job', 'exec', '-m', 'n1', '--', 'sh', '-c', 'echo out; exit 7');
    expect(await run.ended()).toBe(7);
    expect(run.shown).toBe('out\r\nn1: failed: exited with 7\r\n');
    const logs = cli('job', 'logs', 'web', '-f', '-m', 'n1');
    await jobs.done(exec('sh', '-c', 'echo a line of the log >>/run/anybios/systems/web/log'));
    await logs.until('the line', /a line of the log/);
    logs.type('\x03');
    expect(await logs.ended()).not.toBe(0);
    const restart = cli('job', 'restart', 'web', '--role', 'web');
    expect(await restart.ended()).toBe(0);
    const show = cli('machine', 'show', 'n1');
    expect(await show.ended()).toBe(0);
    expect(show.shown).toMatch(/SYSTEM +DESIRED +STATE.*web +running +\S*running/s);
  });
});

test('a server that is killed in the middle of a job hears its end', async () => {
  const id = await jobs.ask(
    exec('sh', '-c', 'echo y >>/tmp/middle; until [ -e /tmp/go ]; do sleep 0.2; done; cat /tmp/middle'),
  );
  await expect.poll(async () => (await jobs.show(id)).state, { timeout: 60_000, interval: 100 }).toBe('sent');
  await lab.lab.endServer('SIGKILL');
  await lab.lab.startServer();
  await jobs.done(exec('touch', '/tmp/go'));
  expect(await jobs.ended(id)).toMatchObject({ state: 'done', output: 'y\n' });
});

test('a reboot is done when the machine boots again', async () => {
  const before = (await lab.status('n1')).boot?.session;
  const job = await jobs.ended(await jobs.ask({ kind: 'reboot' }), 90);
  expect(job).toMatchObject({ state: 'done', message: 'the machine went down and boots again' });
  expect((await lab.status('n1')).boot?.session).not.toBe(before);
});
