import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { ash, assetsSource } from './ash.js';

const LIBRARIES = ['console', 'kv', 'cmdline', 'retry', 'http', 'report', 'image', 'failure'];

/*
 * What a dead end must not really do in a test is written down instead, in order: reports go to `agent`, the shell and the
 * reset are the last words of a boot.
 */
const RECORDED = `
agent() { echo "told $2: $(grep -v '^uptime-ms=' "$4" | tr '\\n' ' ')"; }
sleep() { echo "sleep $1"; }
reboot() { echo "reset $*"; exit 0; }
sync() { echo sync; }
shell_everywhere() { echo "shell: $1"; }
`;

interface Row {
  readonly claim?: string;
  readonly cmdline?: string;
  readonly does: readonly string[];
  readonly says: readonly string[];
}

const TOLD = 'told report: stage=rootfs step=failed message=no room left ';
const RESET = ['sync', 'reset -f'];

const ROWS: Readonly<Record<string, Row>> = {
  'policy reboot: told once, counted down, reset': {
    claim: 'failure-policy=reboot\nfailure-delay-seconds=2\n',
    does: [TOLD, 'sleep 1', 'sleep 1', ...RESET],
    says: ['ERROR: no room left', 'reboot in 2 s', 'reboot in 1 s', 'rebooting'],
  },
  'policy shell: told once, a shell, and a reset when it is left': {
    claim: 'failure-policy=shell\nfailure-delay-seconds=2\n',
    does: [TOLD, 'shell: a shell to look around (failure policy: shell)', ...RESET],
    says: ['ERROR: no room left', 'rebooting'],
  },
  'anybios.break= asks for the shell whatever the policy is': {
    claim: 'failure-policy=reboot\nfailure-delay-seconds=2\n',
    cmdline: 'anybios.break=net\n',
    does: [TOLD, 'shell: a shell to look around (failure policy: reboot)', ...RESET],
    says: ['ERROR: no room left', 'rebooting'],
  },
  'before the claim there is nobody to tell; reset after 30 s': {
    does: [...Array.from({ length: 30 }, () => 'sleep 1'), ...RESET],
    says: ['ERROR: no room left', ...[30, 20, 10, 3, 2, 1].map((left) => `reboot in ${left} s`), 'rebooting'],
  },
  'a delay that is no number is 30 s': {
    claim: 'failure-policy=reboot\nfailure-delay-seconds=soon\n',
    does: [TOLD, ...Array.from({ length: 30 }, () => 'sleep 1'), ...RESET],
    says: ['ERROR: no room left', ...[30, 20, 10, 3, 2, 1].map((left) => `reboot in ${left} s`), 'rebooting'],
  },
};

describe('a dead end', () => {
  test.each(Object.entries(ROWS))('%s', async (_name, { claim, cmdline = '', does, says }) => {
    const script = `${RECORDED}
      (fail rootfs 'no room left')
      echo "said:"; cat "$anybios_run/said"`;
    const files = { cmdline, ...(claim === undefined ? {} : { claim, credential: 'secret\n' }) };
    const { stdout, stderr } = await ash(LIBRARIES, script, [], files);
    const said = says.map((line) => `anybios: ${line}`);
    expect(`${stdout}${stderr}`).toBe([...does, 'said:', ...said, ''].join('\n'));
  });
});

describe('anybios.break=', () => {
  const BREAKS: readonly (readonly [cmdline: string, place: string, out: string])[] = [
    ['anybios.break=net', 'net', 'shell: anybios.break=net\n'],
    ['anybios.break=net', 'mount', ''],
    ['anybios.break=mount\nanybios.break=net', 'net', 'shell: anybios.break=net\n'],
    ['anybios.break=', 'net', ''],
    ['quiet', 'net', ''],
  ];
  test.each(BREAKS)('%j at %s: %j', async (cmdline, place, out) => {
    const script = `${RECORDED} break_here "$1"; echo "status $?"`;
    expect((await ash(LIBRARIES, script, [place], { cmdline: `${cmdline}\n` })).stdout).toBe(`${out}status 0\n`);
  });
});

test('init starts stage 1 with an environment of its own, whatever the kernel command line put there', async () => {
  const text = readFileSync(`${assetsSource}/initramfs/init`, 'utf8');
  const started = '/bin/busybox ash /lib/anybios/stage1\n';
  expect(text).toContain(started);
  // The same line, with `env` in the place of stage 1: it prints what stage 1 would get.
  const { stdout } = await promisify(execFile)(
    '/bin/busybox',
    ['ash', '-c', text.replace(started, '/bin/busybox env\n')],
    {
      env: { PATH: '/x', ip: '1', chroot: '/y', BOOTIF: '01-52-54-00-00-00-01', ENV: '/evil', anybios_run: '/z' },
    },
  );
  expect(stdout.trim().split('\n').sort()).toEqual(['HOME=/', 'PATH=/bin:/sbin:/usr/bin:/usr/sbin', 'TERM=linux']);
});
