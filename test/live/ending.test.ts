import { expect, test } from 'vitest';
import { ash } from '../initramfs/ash.js';

/* What the Debian live OS says of a system that has ended (boot-assets/live-debian/lib/ending.sh), the row's last word: did it do its work? */

const VM = 'kind=vm\nmemory-bytes=134217728\n';
const CHROOT = 'kind=chroot\nmemory-bytes=33554432\n';
const panics = (why: string): string =>
  `listening\r\n[   12.345678] Kernel panic - not syncing: ${why}\r\n[   12.4] ---[ end Kernel panic - not syncing: ${why} ]---\r\n`;
/** What `launch` writes before each start. */
const START = '\nanybios: system s starts\n';

type Row = readonly [definition: string, ending: string, more: Readonly<Record<string, string>>, says: string];
const ROWS: Readonly<Record<string, Row>> = {
  'a program that has done its work': [CHROOT, 'exited 0', {}, 'exited with 0: last words, well'],
  'a program that has failed': [CHROOT, 'exited 3', {}, 'exited with 3: last words, not well'],
  'over the limit of its cgroup': [
    CHROOT,
    'killed KILL',
    { 'memory.events': 'oom 3\noom_kill 2\n', 'oom-kills': '1\n' },
    'killed: over its memory of 32 MiB, not well',
  ],
  'an earlier start was over the limit': [
    CHROOT,
    'killed KILL',
    { 'memory.events': 'oom 3\noom_kill 2\n', 'oom-kills': '2\n' },
    'ended by signal KILL: last words, not well',
  ],
  'it never came to its launch': [
    CHROOT,
    'exited 1',
    { 'memory.events': 'oom_kill 0\n' },
    'exited with 1: last words, not well',
  ],
  'a health check has ended it': [CHROOT, 'killed TERM', { unhealthy: 'unhealthy: x' }, 'unhealthy: x, not well'],
  'a VM that was killed': [
    VM,
    'killed KILL',
    { 'console.log': `${START}[    1.0] Linux version\r\nhello\r\n` },
    'ended by signal KILL: hello, not well',
  ],
  'a VM over its memory': [
    VM,
    'exited 0',
    { 'console.log': START + panics('System is deadlocked on memory') },
    'over its memory of 128 MiB: its kernel panicked, not well',
  ],
  'a VM over its memory whose log was cut since, and whose health check failed meanwhile': [
    VM,
    'killed KILL',
    {
      'console.log.1': START + panics('System is deadlocked on memory'),
      'console.log': '[   13.0] Rebooting\r\n',
      unhealthy: 'unhealthy: x',
    },
    'over its memory of 128 MiB: its kernel panicked, not well',
  ],
  'a VM whose kernel panicked': [
    VM,
    'exited 0',
    { 'console.log': START + panics('VFS: Unable to mount root fs') },
    'its kernel panicked: VFS: Unable to mount root fs, not well',
  ],
  'a VM whose command has failed, which Linux takes for a panic': [
    VM,
    'exited 0',
    { 'console.log': START + panics('Attempted to kill init! exitcode=0x00000300') },
    'exited with 3: listening, not well',
  ],
  'a VM whose command has done its work': [
    VM,
    'exited 0',
    { 'console.log': START + panics('Attempted to kill init! exitcode=0x00000000') },
    'exited with 0: listening, well',
  ],
  'a VM whose command was killed': [
    VM,
    'exited 0',
    { 'console.log': START + panics('Attempted to kill init! exitcode=0x0000000b') },
    'ended by signal 11: listening, not well',
  ],
  'a panic of an earlier start': [
    VM,
    'exited 0',
    { 'console.log': `${panics('System is deadlocked on memory')}${START}bye\r\n` },
    'exited with 0: bye, well',
  ],
};

test.each(Object.entries(ROWS))('%s', async (_name, [definition, ending, files, says]) => {
  const script = `
    folder=$anybios_run definition=$anybios_run/definition name=s
    unit_cgroup() { echo "$anybios_run"; }
    journalctl() { echo last words; }
    EXIT_CODE=$1 EXIT_STATUS=$2
    how_ended
    echo "$(why_ended), $(if well; then echo well; else echo not well; fi)"`;
  const run = await ash(
    ['kv', 'console', 'live/cgroup', 'live/state', 'live-debian/ending'],
    script,
    ending.split(' '),
    { definition, ...files },
  );
  expect(run).toEqual({ status: 0, stdout: `${says}\n`, stderr: '' });
});
