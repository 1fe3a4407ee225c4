import { describe, expect, test } from 'vitest';
import { ash } from '../initramfs/ash.js';

/* The lease of a role on the machine (boot-assets/live/lib/lease.sh): counted by its own uptime, from the heartbeat that was sent. */

const LIBRARIES = ['kv', 'console', 'live/state', 'live/lease'];
/** Uptime is a file; whether systems run is a word. */
const scene = (uptimeSeconds: number, running: boolean): string =>
  `anybios_uptime=$anybios_run/uptime; echo '${uptimeSeconds.toFixed(2)} 0.00' >"$anybios_uptime"; lease_systems_run() { ${running}; };`;

describe('the word of a heartbeat', () => {
  const WORDS: Readonly<
    Record<string, readonly [file: string | undefined, uptime: number, running: boolean, word: string]>
  > = {
    'no lease was ever spoken of': [undefined, 100, true, 'off'],
    'within it': ['100500 20 10', 100, true, 'held'],
    'within it, before anything was started': ['100500 20 10', 100, false, 'held'],
    'at its very end, systems are still being stopped': ['100000 20 10', 100, true, 'held'],
    'it is over, and nothing runs': ['100000 20 10', 100, false, 'none'],
    'none was given yet': ['0 20 10', 3, false, 'none'],
    'taken away': ['0 0 10', 3, false, 'none'],
  };
  test.each(Object.entries(WORDS))('%s', async (_name, [file, uptime, running, word]) => {
    const files = file === undefined ? {} : { 'role-lease': `${file}\n` };
    expect((await ash(LIBRARIES, `${scene(uptime, running)} lease_word`, [], files)).stdout).toBe(`${word}\n`);
  });
});

describe('an answer', () => {
  const ANSWERS: Readonly<Record<string, readonly [before: string | undefined, answer: string, after: string]>> = {
    'gives a lease from the moment of the question': [
      undefined,
      'lease-seconds=120\nlease-margin-seconds=30\n',
      '127000 120 30',
    ],
    'renews it': ['90000 120 30', 'lease-seconds=120\nlease-margin-seconds=30\n', '127000 120 30'],
    'takes it away': ['127000 120 30', 'lease-seconds=0\nlease-margin-seconds=30\n', '0 0 30'],
    'without a lease: systems run without one': ['127000 120 30', 'action=none\n', 'absent'],
    'of nonsense changes nothing': ['127000 120 30', 'lease-seconds=-5\n', '127000 120 30'],
  };
  test.each(Object.entries(ANSWERS))('%s', async (_name, [before, answer, after]) => {
    const files = { answer, ...(before === undefined ? {} : { 'role-lease': `${before}\n` }) };
    const script = `${scene(9, true)} lease_take 7000 "$anybios_run/answer"; cat "$role_lease" 2>/dev/null || echo absent`;
    expect((await ash(LIBRARIES, script, [], files)).stdout).toBe(`${after}\n`);
  });

  test('of a claim begins without one, and does not undo what a heartbeat brought', async () => {
    const claim = 'lease-seconds=120\nlease-margin-seconds=30\n';
    const script =
      'lease_begin "$anybios_run/claim"; cat "$role_lease"; put "$role_lease" "9 9 9"; lease_begin "$anybios_run/claim"; cat "$role_lease"';
    expect((await ash(LIBRARIES, script, [], { claim })).stdout).toBe('0 120 30\n9 9 9\n');
    expect(
      (await ash(LIBRARIES, 'lease_begin "$anybios_run/claim"; ls "$anybios_run"', [], { claim: 'mode=resident\n' }))
        .stdout,
    ).toBe('claim\n');
  });
});

test('a heartbeat says the word, takes the lease from the moment it was sent, and the pace', async () => {
  const script = `${scene(50, false)}
    agent() { cat "$4" >"$anybios_run/sent"; echo '53.00 0.00' >"$anybios_uptime"
      printf '%s\\n' action=none lease-seconds=20 lease-margin-seconds=10 heartbeat-seconds=5 >"$3"; }
    claim_file=$anybios_run/claim systems=web missed=0 seconds=10
    heartbeat
    grep lease "$anybios_run/sent"; cat "$role_lease"; echo "$seconds"; lease_word`;
  const { stdout } = await ash([...LIBRARIES, 'live/heartbeat'], script, [], { 'role-lease': '0 20 10\n' });
  expect(stdout).toBe('lease=none\n70000 20 10\n5\nheld\n');
});

test('a heartbeat that is not answered leaves the lease as it was', async () => {
  const script = `${scene(50, true)}
    agent() { http_error='no answer'; return 1; }
    claim_file=$anybios_run/claim systems=web missed=2 seconds=5
    heartbeat
    cat "$role_lease"; cat "$anybios_run/said"`;
  const { stdout } = await ash([...LIBRARIES, 'live/heartbeat'], script, [], { 'role-lease': '60000 20 10\n' });
  expect(stdout).toBe(
    '60000 20 10\nanybios: ERROR: heartbeat: no answer; the systems go on until their lease is over\n',
  );
});
