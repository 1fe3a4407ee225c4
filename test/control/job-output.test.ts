import { expect, test } from 'vitest';
import { JobOutput } from '../../server/control/job-output.js';
import { HOST_ALIAS, sshArguments } from '../../server/control/ssh-command.js';
import { parseIpv4 } from '../../server/domain/ipv4.js';

const reader = (may: boolean) => {
  const seen: string[] = [];
  return {
    seen,
    take: (chunk: Buffer): boolean => {
      seen.push(chunk.toString());
      return may;
    },
    end: (): void => void seen.push('<end>'),
  };
};

test.each([
  ['first', 'abcde'],
  ['last', 'fghij'],
] as const)('keeps the %s bytes; a late reader gets them, then the rest', (keep, kept) => {
  const output = new JobOutput(5, keep);
  for (const part of ['abc', 'defg', 'hij']) output.append(Buffer.from(part));
  expect([output.text, output.total]).toEqual([kept, 10]);
  const late = reader(true);
  output.read(late);
  output.append(Buffer.from('k'));
  output.end();
  expect(late.seen.join('')).toBe(`${kept}k<end>`);
});

test('tells when a reader cannot follow, until all can again', () => {
  const output = new JobOutput(100, 'last');
  const told: boolean[] = [];
  output.onSlow = (slow) => told.push(slow);
  const slow = reader(false);
  const leave = output.read(slow);
  output.append(Buffer.from('a'));
  output.append(Buffer.from('b'));
  output.drained(slow);
  output.append(Buffer.from('c'));
  leave();
  expect(told).toEqual([true, false, true, false]);
});

test('ssh is told to trust this host key alone, to use this key alone, and nothing of anybody’s configuration', () => {
  const door = { address: parseIpv4('10.77.0.11'), port: 922, hostKey: 'ssh-ed25519 AAAA' };
  const args = sshArguments(
    { door, keyPath: '/srv/50% "x"/control.key', knownHostsPath: '/tmp/k' },
    ['console', 't', '80', '24'],
    {
      tty: true,
    },
  );
  expect(args.slice(0, 3)).toEqual(['-F', 'none', '-tt']);
  expect(args.slice(-9)).toEqual(['-p', '922', '-l', 'root', '--', '10.77.0.11', 'console', 't', '80', '24'].slice(-9));
  const options = args.filter((_word, index) => args[index - 1] === '-o');
  expect(options).toEqual(
    expect.arrayContaining([
      'IdentityFile="/srv/50%% \\"x\\"/control.key"',
      'IdentitiesOnly=yes',
      'IdentityAgent=none',
      'StrictHostKeyChecking=yes',
      'UserKnownHostsFile="/tmp/k"',
      'GlobalKnownHostsFile=/dev/null',
      `HostKeyAlias=${HOST_ALIAS}`,
      'PreferredAuthentications=publickey',
      'ClearAllForwardings=yes',
    ]),
  );
});
