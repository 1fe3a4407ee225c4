import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { exchange, headerFlood, hold, RANGES, SMUGGLING, slowReaders } from '../support/http-abuse.js';
import { serveIn } from '../support/serve-in.js';

// Hostile clients for ten minutes (SOAK_MINUTES): after the first third the memory of the server does not grow, and others are served.

const MINUTES = Number(process.env.SOAK_MINUTES ?? '10');
const IDLE = Number(process.env.SOAK_IDLE ?? '10000');
/** What may come and go within a round: buffers of the rounds before that were not yet collected. */
const SLACK = 40;

/** MiB of resident memory. */
function memoryOf(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Math.round(Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1] ?? 0) / 1024);
}

function childrenOf(pid: number): number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
  return text === '' ? [] : text.split(' ').map(Number);
}

test(
  `HTTP under abuse for ${MINUTES} minutes`,
  async () => {
    const folder = mkdtempSync(join(tmpdir(), 'ht-soak-'));
    const { port, pid, end } = await serveIn(folder);
    try {
      const children = childrenOf(pid);
      const digests = readdirSync(join(folder, 'data/images/sha256')).filter((name) => /^[0-9a-f]{64}$/.test(name));
      const sizes = digests.map((name) => readFileSync(join(folder, 'data/images/sha256', name)).length);
      const image = `/images/sha256/${digests[sizes.indexOf(Math.max(...sizes))] ?? ''}`;
      const samples: number[][] = [];
      const end = Date.now() + MINUTES * 60_000;
      for (let round = 0; Date.now() < end; round += 1) {
        const idle = await hold(port, IDLE, round % 2 === 0 ? '' : 'GET /boot/ipxe/x HTTP/1.1\r\nX:');
        const slow = await slowReaders({ port, image }, 50);
        const floods = ['GET /boot/ipxe/x HTTP/1.1', `GET ${image} HTTP/1.1`, 'GET /healthz HTTP/1.1'];
        await Promise.all(floods.map((line) => headerFlood(port, line)));
        for (const range of Object.keys(RANGES))
          await exchange(port, `HEAD ${image} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nRange: ${range}\r\n\r\n`);
        const limit = new Promise((resolve) => setTimeout(resolve, 500));
        await Promise.all(Object.values(SMUGGLING).map((make) => exchange(port, make(image), limit)));
        const script = await exchange(port, 'GET /boot/ipxe/52-54-00-00-00-01 HTTP/1.0\r\n\r\n');
        expect(script).toContain('#!ipxe');
        const file = await exchange(port, `GET ${image} HTTP/1.0\r\n\r\n`);
        expect(file.length).toBeGreaterThan(Math.max(...sizes));
        for (const socket of [...idle, ...slow]) socket.resetAndDestroy();
        const sample = [pid, ...children].map(memoryOf);
        samples.push(sample);
        console.log(`round ${round + 1}: MiB of server, its processes: ${sample.join(', ')}`);
      }
      const third = samples.slice(0, Math.ceil(samples.length / 3));
      const last = samples.slice(-Math.ceil(samples.length / 3));
      const highest = (part: number[][], which: number): number =>
        Math.max(...part.map((sample) => sample[which] ?? 0));
      for (const which of [0, ...children.map((_, index) => index + 1)])
        expect(highest(last, which)).toBeLessThanOrEqual(highest(third, which) * 1.1 + SLACK);
      expect(childrenOf(pid)).toEqual(children);
    } finally {
      await end();
      rmSync(folder, { recursive: true });
    }
  },
  (MINUTES + 5) * 60_000,
);
