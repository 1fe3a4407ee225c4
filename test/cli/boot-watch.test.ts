import { once } from 'node:events';
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { run } from '../../server/cli/program.js';
import { createApp } from '../../server/http/app.js';
import { listening } from '../../server/http/listen.js';
import { adminToken, startApi, type TestApi } from '../support/api.js';
import { address, answerValue, lines, mac, strangerMac } from '../support/boot-core.js';
import { startCli } from './support/run-cli.js';

vi.setConfig({ testTimeout: 30_000 });

let api: TestApi;
let ownListeners: number;
const children: ReturnType<typeof startCli>[] = [];
beforeEach(async () => {
  api = await startApi({ core: { now: Date.now() } });
  ownListeners = api.listeners.count;
});
afterEach(async () => {
  // A test that failed leaves a watch behind, which would try to connect for ever.
  for (const child of children.splice(0)) if (child.exitCode === null) child.kill('SIGKILL');
  await api.close();
});

const env = () => ({ ANYBIOS_URL: api.url, ANYBIOS_TOKEN: adminToken });

/** A machine from its claim on; returns what reports for it. */
async function claim(): Promise<(values: Readonly<Record<string, string>>) => Promise<void>> {
  const { core } = api;
  core.dora('ipxe');
  const script = await core.boot.resolve('boot/ipxe/52-54-00-00-00-01', { protocol: 'http', address });
  const text = script.kind === 'text' ? script.text : '';
  const nonce = /anybios\.nonce=([0-9a-f]+)/.exec(text)?.[1] ?? '';
  const answer = await core.reports.claim(lines({ nonce, 'claim-id': 'claim-id-1', secureboot: 'none' }), address);
  const claimed = await core.claims.authenticate(answerValue(answer, 'credential'));
  return async (values) => {
    await core.reports.report(claimed, lines(values));
  };
}

async function succeed(report: (values: Readonly<Record<string, string>>) => Promise<void>): Promise<void> {
  await report({ stage: 'live', step: 'started' });
  for (const system of ['web', 'db']) await report({ stage: 'systems', step: 'state', system, state: 'running' });
}

/** Starts the command, gathers its lines, and says when the first one that fits has come. */
function watch(args: readonly string[], environment = env()) {
  const child = startCli(['boot', 'watch', ...args], { env: environment });
  children.push(child);
  const printed: string[] = [];
  const errors: string[] = [];
  const waiting = new Set<() => void>();
  createInterface(child.stdout).on('line', (line) => {
    printed.push(line);
    for (const check of waiting) check();
  });
  createInterface(child.stderr).on('line', (line) => errors.push(line));
  const closed = once(child, 'close');
  return {
    child,
    printed,
    errors,
    line: (pattern: RegExp) =>
      new Promise<string>((resolve) => {
        const check = (): void => {
          const found = printed.find((line) => pattern.test(line));
          if (found === undefined) return;
          waiting.delete(check);
          resolve(found);
        };
        waiting.add(check);
        check();
      }),
    end: async () => {
      await closed;
      return child.exitCode;
    },
  };
}

/** The stream is open when the server has a listener more than by itself. */
async function subscribed(): Promise<void> {
  await expect.poll(() => api.listeners.count, { timeout: 10_000 }).toBeGreaterThan(ownListeners);
}

describe('through a pipe: a line an event', () => {
  test('--once ends with 0 when the boot has succeeded', async () => {
    const watched = watch(['node1', '--once']);
    await subscribed();
    api.core.dora('pxe');
    await watched.line(/^\d\d:\d\d:\d\d {2}node1 {2}dhcp\.offer /);
    await succeed(await claim());
    expect(await watched.end()).toBe(0);
    expect(watched.printed.at(-1)).toMatch(/^node1: succeeded after \d+ s$/);
    expect(watched.errors).toEqual([]);
  });

  test('--once ends with 1 and the diagnosis when it has failed', async () => {
    const watched = watch(['--once']);
    await subscribed();
    const report = await claim();
    await report({ stage: 'rootfs', step: 'failed', message: 'sha256 of rootfs.squashfs is 00, expected dd' });
    expect(await watched.end()).toBe(1);
    expect(watched.printed.at(-1)).toMatch(/^node1: failed at rootfs after \d+ s: digest-mismatch: .+ — remedy: .+/);
  });

  test('--json: one event a line, the result last', async () => {
    const watched = watch(['node1', '--once', '--json']);
    await subscribed();
    await succeed(await claim());
    expect(await watched.end()).toBe(0);
    const values = watched.printed.map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(values[0]).toMatchObject({ machine: 'node1', source: 'dhcp' });
    expect(values.at(-1)).toEqual({
      result: { succeeded: true, boots: [{ machine: 'node1', outcome: 'succeeded', stage: 'systems' }] },
    });
  });

  test('events of other machines are not shown', async () => {
    const watched = watch(['node1', '--once']);
    await subscribed();
    api.core.step('discover', 'pxe', { mac: strangerMac });
    await succeed(await claim());
    await watched.end();
    expect(watched.printed.filter((line) => line.includes(strangerMac))).toEqual([]);
  });

  test('a machine by its MAC, as it is written on the case', async () => {
    const watched = watch([mac.toUpperCase().replaceAll(':', '-'), '--once']);
    await subscribed();
    await succeed(await claim());
    expect(await watched.end()).toBe(0);
  });

  test('--timeout ends it as a failure that says where the boot stands', async () => {
    const watched = watch(['node1', '--once', '--timeout', '1s']);
    await subscribed();
    api.core.dora('pxe');
    expect(await watched.end()).toBe(1);
    expect(watched.printed.at(-1)).toMatch(/^node1: still under way at dhcp after /);
  });

  test('a machine that does not exist is an error at once', async () => {
    const watched = watch(['nope', '--once']);
    expect(await watched.end()).toBe(1);
    expect(watched.errors).toEqual(['error: there is no machine "nope" — remedy: see: anybios machine list']);
  });

  test('a time that is none', async () => {
    const watched = watch(['--timeout', 'soon']);
    expect(await watched.end()).toBe(2);
    expect(watched.errors[0]).toContain('"soon" is not a time (--timeout)');
  });
});

test('on a terminal: one line a machine, redrawn in place', async () => {
  let written = '';
  const report = await claim();
  await report({ stage: 'rootfs', step: 'fetching', file: 'rootfs.squashfs', bytes: '512', total: '1024' });
  const running = run(['boot', 'watch', '--once'], {
    env: { ...env(), NO_COLOR: '1' },
    stdin: process.stdin,
    stdout: {
      isTTY: true,
      columns: 100,
      rows: 10,
      write: (text: string) => {
        written += text;
      },
    },
    stderr: { write: (text: string) => expect.fail(text) },
  });
  await expect.poll(() => written, { timeout: 10_000 }).toContain('rootfs.squashfs 0.5/1.0 KiB 50 %');
  await succeed(report);
  expect(await running).toBe(0);
  const screen = written.replaceAll('\u001b', 'ESC');
  // One line up, the line anew, and nothing left below it.
  expect(screen).toMatch(/ESC\[1A\rESC\[2Knode1 {2}systems {2}\[#{20}\] +\d+ s {2}web running, db running\nESC\[0J/);
  expect(screen).toMatch(/\nESC\[0Jnode1: succeeded after \d+ s\n$/);
});

test('a server that restarts is waited for, and no event is lost', async () => {
  const front = await serve(0);
  ownListeners = api.listeners.count;
  const watched = watch(['node1', '--once'], { ...env(), ANYBIOS_URL: `http://127.0.0.1:${front.port}` });
  await subscribed();
  api.core.dora('pxe');
  await watched.line(/dhcp\.offer/);
  await front.close();
  await expect
    .poll(() => watched.errors, { timeout: 10_000 })
    .toEqual(['the connection to the server is lost; trying again']);
  const report = await claim();
  const again = await serve(front.port);
  await succeed(report);
  expect(await watched.end()).toBe(0);
  await again.close();
  const kinds = watched.printed.map((line) => line.split('  ')[2]);
  const recorded = api.core.events_.filter(({ machine }) => machine === 'node1').map(({ kind }) => kind);
  expect(kinds.slice(0, -1)).toEqual(recorded.slice(0, kinds.length - 1));
  expect(kinds).toContain('stage1.claimed');
});

/** The same app once more, on a port that the test can close and open again. */
async function serve(wanted: number): Promise<{ readonly port: number; close(): Promise<void> }> {
  const server = createServer(createApp(api.deps));
  await listening(server, { host: '127.0.0.1', port: wanted });
  const bound = server.address();
  return {
    port: typeof bound === 'object' ? (bound?.port ?? 0) : 0,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
