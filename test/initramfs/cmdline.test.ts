import { describe, expect, test } from 'vitest';
import { ash } from './ash.js';

const LONG = 'x'.repeat(1900);

/** Command line -> its parameters. */
const SPLIT: Readonly<Record<string, readonly [line: string, words: readonly string[]]>> = {
  'nothing at all': ['', []],
  'only blanks': ['   \t ', []],
  'one word': ['ro', ['ro']],
  'two words': ['ro rw', ['ro', 'rw']],
  'blanks in front, between and behind': ['  a=1   b=2  ', ['a=1', 'b=2']],
  'tabs and the newline of /proc/cmdline': ['a=1\tb=2\n', ['a=1', 'b=2']],
  'a quoted value': ['a="x y" b', ['a=x y', 'b']],
  'a quoted parameter': ['"a=x y" b', ['a=x y', 'b']],
  'an empty quoted value': ['a="" b', ['a=', 'b']],
  'an empty quoted word': ['"" b', ['', 'b']],
  'an open quote takes the rest': ['a="x y z', ['a=x y z']],
  'a quote in the middle': ['a=x"y z"w', ['a=xy zw']],
  'single quotes are letters': ["a='x y'", ["a='x", "y'"]],
  'what follows -- is for init': ['a=1 -- b=2', ['a=1']],
  'a word that starts with --': ['--a b', ['--a', 'b']],
  'a pattern is not expanded': ['a=* b=/bin/*', ['a=*', 'b=/bin/*']],
  'a substitution stays text': ['a=$(reboot) b=`id`', ['a=$(reboot)', 'b=`id`']],
  'a variable stays text': ['a=$PATH', ['a=$PATH']],
  'back-slashes stay': ['a=x\\y b=\\', ['a=x\\y', 'b=\\']],
  'a value with = in it': ['a=b=c', ['a=b=c']],
  'the longest line': [`a=${LONG} b=1`, [`a=${LONG}`, 'b=1']],
};

/** Lookup: command line, name, expected value (undefined = absent). */
const LOOKUP: Readonly<Record<string, readonly [line: string, name: string, value: string | undefined]>> = {
  'a value': ['anybios.server=http://10.77.0.1:8080', 'anybios.server', 'http://10.77.0.1:8080'],
  'a name without a value is there, and empty': ['debug', 'debug', ''],
  'a missing value is empty': ['anybios.break= x', 'anybios.break', ''],
  'an absent name': ['a=1', 'b', undefined],
  'the last one wins': ['a=1 a=2', 'a', '2'],
  'a bare name after a value wins too': ['a=1 a', 'a', ''],
  'a name that only starts alike': ['anybios.serverx=1', 'anybios.server', undefined],
  'a name that only ends alike': ['xip=1', 'ip', undefined],
  'the dot is no pattern': ['anybiosxmode=1', 'anybios.mode', undefined],
  'a value that looks like another parameter': ['a=b=1', 'b', undefined],
  'ip= with all its fields': ['ip=1.2.3.4:::::eth0:off', 'ip', '1.2.3.4:::::eth0:off'],
  'BOOTIF as iPXE and pxelinux write it': ['BOOTIF=01-52-54-00-00-00-01', 'BOOTIF', '01-52-54-00-00-00-01'],
  'upper and lower case differ': ['bootif=1', 'BOOTIF', undefined],
  'PATH is only text': ['PATH=/evil', 'PATH', '/evil'],
  'IFS is only text': ['IFS=/ a=b/c', 'a', 'b/c'],
  'a quoted value with blanks': ['x="a b" y=1', 'x', 'a b'],
  'a value with trailing blanks in quotes': ['x="a  "', 'x', 'a  '],
  'percent signs are not formats': ['x=%s%d', 'x', '%s%d'],
  'a value that starts with a dash': ['x=-n', 'x', '-n'],
  'an empty line': ['', 'x', undefined],
  'several systems': ['chroot=/systems/web,/systems/db', 'chroot', '/systems/web,/systems/db'],
  'after -- nothing counts': ['a=1 -- a=2', 'a', '1'],
};

describe('split_cmdline', () => {
  test.each(Object.entries(SPLIT))('%s', async (_name, [line, words]) => {
    const { stdout, status } = await ash(['cmdline'], 'split_cmdline "$1"', [line]);
    expect(status).toBe(0);
    expect(stdout).toBe(words.map((word) => `${word}\n`).join(''));
  });
});

describe('getarg', () => {
  test.each(Object.entries(LOOKUP))('%s', async (_name, [line, name, value]) => {
    const script = 'split_cmdline "$1" >"$anybios_run/cmdline"; getarg "$2" DEFAULT';
    const { stdout, status } = await ash(['cmdline'], script, [line, name]);
    expect({ stdout, status }).toEqual({ stdout: `${value ?? 'DEFAULT'}\n`, status: value === undefined ? 1 : 0 });
  });

  test('hostile names change nothing of the shell', async () => {
    const script =
      'before=$PATH; split_cmdline "PATH=/evil IFS=x ENV=/evil anybios_run=/evil value=1 line=2" >"$anybios_run/cmdline"; ' +
      'getarg PATH; getarg value; [ "$PATH" = "$before" ] && [ -d "$anybios_run" ] && echo unchanged';
    expect((await ash(['cmdline'], script)).stdout).toBe('/evil\n1\nunchanged\n');
  });
});
