import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { VirtualMachine } from '../../server/lab/firmware.js';
import { addressOf } from '../../server/lab/site.js';
import { BootLab, type LabMachine } from '../support/lab-boot.js';

/*
 * What systems do on a machine that is up: files, environment, limits, restarts. And the shells of `break`. Two machines boot
 * at the same time: n1 stops in stage 1, n2 in the live OS before its first system.
 */

const SITE = `
systems:
  - name: web
    kind: chroot
    image: base
    command: [/bin/sh, /srv/start]
    env: { GREETING: "good morning", EMPTY: "" }
    files:
      /srv/www/index.html: "web on {{machine.name}}\\n"
      # What the kernel gave to this process, before the shell added anything.
      /srv/start: |
        tr '\\0' '\\n' </proc/$$/environ >/srv/www/environment
        exec httpd -f -p 80 -h /srv/www
  - name: eater # starts to eat when somebody calls
    kind: chroot
    image: base
    memory: 32M
    command: [/bin/sh, -c, "nc -l -p 7000 </dev/null; exec dd if=/dev/zero of=/dev/null bs=64M count=1"]
  - name: ends
    kind: chroot
    image: base
    command: [/bin/sh, -c, "echo starting; echo no database here; exit 3"]
    restart: always
  - name: once
    kind: chroot
    image: base
    command: [/bin/echo, "all tables are there"]
    restart: never
roles:
  - { name: stage1, profile: micro, systems: [web, once, eater], params: { break: mount } }
  - { name: live, profile: micro, systems: [web, once, ends], params: { break: systems } }
machines:
  - { name: n1, macs: ["52:54:00:77:00:01"], address: ${addressOf(1)}, role: stage1 }
  - { name: n2, macs: ["52:54:00:77:00:02"], address: ${addressOf(2)}, role: live }
`;

let lab: BootLab;
let n1: VirtualMachine;
let n2: VirtualMachine;

beforeAll(async () => {
  lab = await BootLab.open('systems');
  await lab.apply(SITE);
  n1 = lab.powerOn(1, 'bios');
  n2 = lab.powerOn(2, 'bios');
});
afterAll(() => lab.close());

const at =
  (place: string) =>
  (machine: VirtualMachine): Promise<unknown> =>
    lab.until(
      machine,
      `the shell at ${place}`,
      // Before its first packet it has written nothing.
      ({ boot }) => boot !== undefined && lab.console(machine).includes(`anybios: anybios.break=${place};`),
      { seconds: 90 },
    );

const systemOf = (status: LabMachine, name: string) => status.systems.find((system) => system.name === name);

/** The messages that system `name` has reported in this boot, with the state before them. */
async function reportsOf(status: LabMachine, name: string): Promise<readonly string[]> {
  const events = await lab.events({ session: status.boot?.session ?? '' });
  return events
    .filter(({ kind, data }) => kind.startsWith('system.') && data.system === name)
    .map(({ data }) => [data.state, data.message].filter((part) => part !== undefined).join(': '));
}

/** Words of the kernel command line that Linux puts into the environment of PID 1, and what is there in the end. */
async function expectCleanEnvironment(machine: VirtualMachine, home: string): Promise<void> {
  const [line] = await lab.type(machine, "sed 's/^/line: /' /proc/cmdline", /^line: .*[\r\n]/m);
  expect(line).toMatch(/ ip=\S+ .*BOOTIF=\S+ .*chroot=\S+/);
  const [environment] = await lab.type(machine, "tr '\\0' '|' </proc/1/environ; echo", /^[A-Za-z_]+=.*\|\r?$/m);
  expect(
    environment
      .trim()
      .split('|')
      .filter((word) => word !== '')
      .sort(),
  ).toEqual([`HOME=${home}`, expect.stringMatching(/^PATH=[/:a-z]+$/), 'TERM=linux']);
}

describe('a shell on the way', () => {
  test('break: mount stops in stage 1, answers on the serial port, and goes on when it is left', async () => {
    await at('mount')(n1);
    expect((await lab.status('n1')).boot).toMatchObject({ stage: 'rootfs', outcome: 'running' });
    await expectCleanEnvironment(n1, '/');
    // Before the mount: there is no new root yet.
    await lab.type(n1, 'ls -d /newroot || echo not "mounted yet"', /^not mounted yet/m);
    await lab.type(n1, 'exit', /handing over to the live OS/);
    const status = await lab.up(n1, 60);
    expect(status).toMatchObject({ status: 'up' });
    expect(status.systems.map(({ name, state }) => `${name} ${state}`)).toEqual([
      'web running',
      'once stopped', // it has done its work: the boot has succeeded all the same
      'eater running',
    ]);
  });

  test('break: systems stops in the live OS before its first system', async () => {
    await at('systems')(n2);
    expect((await lab.status('n2')).systems.map(({ state }) => state)).not.toContain('running');
    await expectCleanEnvironment(n2, '/root');
    await lab.type(n2, 'exit', /system web starting/);
  });
});

describe('a system', () => {
  test('has its rendered files, and exactly the environment of its definition', async () => {
    expect(await lab.web(1)).toBe('web on n1\n');
    const environment = await lab.inside('curl', '-sS', '--fail', `http://${addressOf(1)}/environment`);
    expect(environment.trimEnd().split('\n').sort()).toEqual([
      'EMPTY=',
      'GREETING=good morning',
      'HOME=/root',
      'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    ]);
  });

  test('over its memory it is killed alone, says so, and is started again', async () => {
    const before = await lab.status('n1');
    await lab.inside('sh', '-c', `busybox nc ${addressOf(1)} 7000 </dev/null`);
    const status = await lab.until(
      n1,
      'the eater again',
      (s) => {
        const eater = systemOf(s, 'eater');
        return eater?.state === 'running' && eater.restarts === 1;
      },
      { seconds: 60 },
    );
    expect(await reportsOf(status, 'eater')).toContain('starting: killed: over its memory of 32 MiB; again in 1 s');
    // The machine and its other system have noticed nothing.
    expect(status).toMatchObject({ status: 'up', boot: { session: before.boot?.session, outcome: 'succeeded' } });
    expect(systemOf(status, 'web')).toMatchObject({ state: 'running', restarts: 0 });
    expect(await lab.web(1)).toBe('web on n1\n');
  });

  test('whose command ends at once is tried again, more and more slowly, and fails the boot the third time', async () => {
    const failed = await lab.until(n2, 'the failure', (s) => s.boot?.outcome === 'failed', {
      mayFail: true,
      seconds: 60,
    });
    expect(failed.boot?.diagnosis?.name).toBe('system-failed');
    expect(failed.boot?.diagnosis?.message).toMatch(
      /^system ends failed: exited with 3: no database here; again in \d+ s$/,
    );
    expect(systemOf(failed, 'ends')).toMatchObject({ state: 'failed' });
    expect(systemOf(failed, 'ends')?.restarts).toBeGreaterThanOrEqual(3);
    const why = 'exited with 3: no database here; again in';
    expect((await reportsOf(failed, 'ends')).slice(0, 4)).toEqual([
      'starting',
      `starting: ${why} 1 s`,
      `starting: ${why} 2 s`,
      `failed: ${why} 4 s`,
    ]);
    // The others of this machine go on.
    expect(systemOf(failed, 'web')).toMatchObject({ state: 'running', restarts: 0 });
    expect(await lab.web(2)).toBe('web on n2\n');
  });

  test('that shall run once is stopped when it ended well, and is not started again', async () => {
    const status = await lab.until(n2, 'its end', (s) => systemOf(s, 'once')?.state === 'stopped', {
      mayFail: true,
      seconds: 60,
    });
    expect(systemOf(status, 'once')).toMatchObject({ restarts: 0 });
    expect((await reportsOf(status, 'once')).at(-1)).toBe('stopped: exited with 0: all tables are there');
  });
});
