import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, onTestFinished, test } from 'vitest';
import { labMachines, labSite } from '../../server/lab/site.js';
import { BootLab } from '../support/lab-boot.js';

/* iPXE (QEMU's ROM) asks for an IPv6 router that is not there; with `ipv6Router: none` on the subnet it is told so. */

/** `ICMP6, router solicitation`, the advertisement, and the first packet of the script's fetch. */
const FILTER = 'icmp6 and (ip6[40] == 133 or ip6[40] == 134) or (tcp dst port 8080 and tcp[13] == 2)';

interface Capture {
  readonly lines: () => readonly string[];
}

async function capture(lab: BootLab): Promise<Capture> {
  const options = ['-i', 'br0', '-n', '-e', '-l', '--immediate-mode', '-v'];
  const tcpdump: ChildProcess = spawn('ip', ['netns', 'exec', lab.namespace, 'tcpdump', ...options, FILTER]);
  let text = '';
  let said = '';
  tcpdump.stdout?.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  tcpdump.stderr?.on('data', (chunk: Buffer) => {
    said += chunk.toString();
  });
  onTestFinished(async () => {
    const ended = once(tcpdump, 'exit');
    tcpdump.kill('SIGKILL');
    await ended;
  });
  await expect.poll(() => said, { timeout: 10_000 }).toContain('listening on');
  return { lines: () => text.split('\n') };
}

/**
 * What machine n1 said and heard between its ACK and its first connection to our HTTP port, in order: `ask` (router
 * solicitation), `told` (an advertisement of ours), `fetch`.
 */
async function exchange(ipv6Router: 'none' | undefined): Promise<readonly string[]> {
  const lab = await BootLab.open(`v6${ipv6Router ?? 'x'}`, 'localdisk', undefined, 'full', '', (config) =>
    ipv6Router === undefined ? config : config.replace('leaseTime: 1h', `leaseTime: 1h, ipv6Router: ${ipv6Router}`),
  );
  onTestFinished(() => lab.close());
  const [machine] = labMachines(1, ['bios'], lab.lab.folder.machines);
  if (machine === undefined) throw new Error('no machine');
  await lab.apply(labSite([machine]));
  const { lines } = await capture(lab);
  lab.powerOn(1, 'bios');
  await lab.until(machine, 'its script', (status) => status.boot?.stages.script !== undefined);
  await lab.powerOff(machine);
  const words = lines().flatMap((line) => {
    if (line.includes('router solicitation') && line.includes(machine.mac)) return ['ask'];
    if (line.includes('router advertisement') && line.includes(`> ${machine.mac}`)) return ['told'];
    return /\.8080: Flags \[S\]/.test(line) ? ['fetch'] : [];
  });
  return words.slice(0, words.indexOf('fetch') + 1);
}

test('without the setting it goes on asking, and is told nothing', async () => {
  const words = await exchange(undefined);
  expect(words.at(-1)).toBe('fetch');
  expect(words.slice(0, -1).filter((word) => word !== 'ask')).toEqual([]);
  expect(words.filter((word) => word === 'ask').length).toBeGreaterThan(2);
});

test('with `ipv6Router: none` one advertisement ends it: it asks no more and fetches its script', async () => {
  const words = await exchange('none');
  const told = words.indexOf('told');
  expect(told).toBeGreaterThanOrEqual(0);
  expect(words.slice(told)).toEqual(['told', 'fetch']);
});
