import { expect, test } from 'vitest';
import { ash } from '../initramfs/ash.js';

/* A heartbeat reads the count of restarts, and then the state (boot-assets/live/lib/heartbeat.sh); a system may end at any moment. */

test('no heartbeat finds a restart counted of a system that still seems to run', async () => {
  const script = `
    mkdir -p "$anybios_run/systems/s"
    echo running >"$anybios_run/systems/s/state"
    seen() { echo "$(read_line "$anybios_run/systems/s/restarts" 0) $(read_line "$anybios_run/systems/s/state")"; }
    put() { printf '%s\\n' "$2" >"$1"; seen; }
    seen
    count_restart s starting`;
  const { stdout } = await ash(['live/state'], script);
  const moments = stdout
    .trim()
    .split('\n')
    .map((line) => line.split(' '));
  expect(moments.at(-1)).toEqual(['1', 'starting']);
  const pairs = moments.flatMap(([count], at) => moments.slice(at).map(([, state]) => `${count} ${state}`));
  expect(new Set(pairs)).toEqual(new Set(['0 running', '0 starting', '1 starting']));
});
