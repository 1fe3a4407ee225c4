import { type ChildProcess, execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { BootLab } from '../support/lab-boot.js';

/* kill -9 of the server while hundreds of clients ask for addresses: what was acknowledged on the wire must be known after. */

const KILLS = 5;
let lab: BootLab;

beforeAll(async () => {
  lab = await BootLab.open('kill', 'localdisk', { pool: '10.77.8.0-10.77.15.250', cidr: '10.77.0.0/20' });
  // The clients stand in a namespace of their own: perfdhcp wants an interface with an address.
  const clients = `${lab.namespace}-c`;
  execFileSync('ip', ['netns', 'add', clients]);
  const inside = (...args: string[]): string =>
    execFileSync('ip', ['-netns', lab.namespace, ...args], { encoding: 'utf8' });
  inside('link', 'add', 'port', 'type', 'veth', 'peer', 'name', 'clients', 'netns', clients);
  inside('link', 'set', 'port', 'master', 'br0', 'up');
  execFileSync('ip', ['-netns', clients, 'addr', 'add', '10.77.0.2/20', 'dev', 'clients']);
  execFileSync('ip', ['-netns', clients, 'link', 'set', 'clients', 'up']);
});
afterAll(async () => {
  execFileSync('ip', ['netns', 'del', `${lab.namespace}-c`]);
  await lab.close();
});

/** Address and MAC of every ACK that left the server, from tcpdump's words. */
function acknowledged(log: string): ReadonlyMap<string, string> {
  const acks = new Map<string, string>();
  for (const packet of readFileSync(log, 'utf8').split(/^(?=\d\d:\d\d:)/m)) {
    if (!/DHCP-Message \(53\), length 1: ACK/.test(packet)) continue;
    const address = /Your-IP (\S+)/.exec(packet)?.[1];
    const mac = /Client-Ethernet-Address (\S+)/.exec(packet)?.[1];
    if (address !== undefined && mac !== undefined) acks.set(address, mac);
  }
  return acks;
}

test(`no acknowledged lease is lost in ${KILLS} kills under load, and every start needs no repair`, async () => {
  const log = `${lab.lab.folder.path}/acks.log`;
  const capture = lab.lab.startInside(
    'tcpdump',
    ['-i', 'br0', '-n', '-l', '-v', '-s', '600', '-B', '8192', 'udp', 'src', 'port', '67'],
    log,
  );
  await expect.poll(() => readFileSync(log, 'utf8'), { timeout: 10_000 }).toContain('listening on');
  let seen = 0;
  for (let kill = 0; kill < KILLS; kill += 1) {
    // Other clients each time (-b: the base of their MACs), so that every lease is a new row.
    const load = startClients(kill);
    const target = seen + 40 + 37 * kill;
    await expect.poll(() => acknowledged(log).size, { timeout: 30_000, interval: 20 }).toBeGreaterThan(target);
    await lab.lab.endServer('SIGKILL');
    load.kill('SIGKILL');
    const acks = acknowledged(log);
    seen = acks.size;
    await lab.lab.startServer();
    const leases = await lab.leases();
    const lost = [...acks].filter(([address, mac]) => leases.get(address) !== mac);
    expect(lost).toEqual([]);
  }
  const ended = once(capture, 'exit');
  capture.kill('SIGTERM');
  await ended;
});

function startClients(number: number): ChildProcess {
  const base = `mac=00:0c:01:0${number}:00:00`;
  // No relay: 200 clients a second that ask once each.
  return lab.lab.startInside(
    'ip',
    [
      'netns',
      'exec',
      `${lab.namespace}-c`,
      'perfdhcp',
      '-4',
      '-l',
      'clients',
      '-r',
      '200',
      '-R',
      '1000',
      '-b',
      base,
      '-B',
      '-p',
      '20',
    ],
    `${lab.lab.folder.path}/perfdhcp.log`,
  );
}
