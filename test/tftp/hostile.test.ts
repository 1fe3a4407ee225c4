import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { packageRoot } from '../../server/paths.js';
import { tempFolder } from '../support/temp-folder.js';
import { hostileHours } from '../support/tftp-hostile.js';
import { TRANSPORTS, tftpRig } from '../support/tftp-rig.js';

const timing = { first: 50, margin: 10, longest: 100, resends: 4, resendsUnanswered: 2 };

// The long form: test/bench/tftp-soak.bench.ts.
test.each(TRANSPORTS)(
  '%s: honest clients are served among hostile ones, and nothing is left behind',
  async (transport) => {
    const rig = await tftpRig({ transport, timing, limits: { perAddress: 200 } });
    const { served } = await hostileHours(rig, 3000, 7);
    expect(served).toBeGreaterThan(5);
    await expect.poll(() => rig.server.running, { timeout: 10_000 }).toBe(0);
    expect(rig.log.filter((line) => line.includes('thread'))).toEqual([]);
    await rig.close();
  },
  30_000,
);

test('the end of the process does not wait for a thread that sleeps in the kernel', async () => {
  const code = `
    const { createTftpServer } = await import('${packageRoot}/dist/tftp/server.js');
    const note = () => undefined;
    const server = createTftpServer({ addresses: ['127.0.0.1'], port: 0, log: { info: note, warn: note, error: note },
      boot: { resolve: () => Promise.reject(new Error('not asked')), transfer: note, refused: note } });
    await server.start();
    console.log(server.transport);
    process.exit(7);`;
  const file = join(tempFolder(), 'ends.mjs');
  await writeFile(file, code);
  const child = spawn(process.execPath, [file], { stdio: ['ignore', 'pipe', 'inherit'] });
  let out = '';
  child.stdout.on('data', (text) => {
    out += String(text);
  });
  const [status] = await once(child, 'exit');
  expect([out, status]).toEqual(['fast\n', 7]);
}, 20_000);
