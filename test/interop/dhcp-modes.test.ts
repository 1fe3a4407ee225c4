import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { openLinkSender } from '../../server/dhcp/native-sockets.js';
import { parseIpv4 } from '../../server/domain/ipv4.js';
import { parseMac } from '../../server/domain/mac.js';
import { compiledEntry } from '../../server/paths.js';
import { type DhcpPacket, encodePacket } from '../../server/wire/dhcp/packet.js';
import { encodeUdpFrame } from '../../server/wire/udp-frame.js';
import { type ModesSite, startModesSite } from '../support/dhcp-modes-site.js';
import { DhcpWire, ip } from '../support/dhcp-namespace.js';
import { client as firmware, request } from '../support/dhcp-packets.js';
import { subnet } from '../support/dhcp-site.js';
import { type RivalDhcp, startRivalDhcp } from '../support/rival-dhcp.js';
import { tempFolder } from '../support/temp-folder.js';

/* Beside a real DHCP server (dnsmasq) that gives 10.77.0.150-199. */

const script = fileURLToPath(new URL('../support/dhcp-client-script.sh', import.meta.url));
const MAC = '52:54:00:00:00:31';
/** What makes udhcpc look like the PXE ROM of a UEFI machine: vendor class and architecture 7. */
const PXE = ['-V', 'PXEClient:Arch:00007:UNDI:003000', '-x', '0x5d:0007'];

let wire: DhcpWire;
let rival: RivalDhcp;
let client: string;

beforeAll(() => {
  wire = new DhcpWire('modes', '10.77.0.1/24');
  rival = startRivalDhcp(wire.server, '10.77.0.2', '10.77.0.150,10.77.0.199');
  client = wire.addClient('one', MAC);
});
afterAll(() => {
  rival.close();
  wire.remove();
});

async function site(mode: 'full' | 'proxy' | 'observe'): Promise<ModesSite> {
  const started = await startModesSite(wire, subnet({ mode, pools: [] }));
  onTestFinished(() => started.server.close());
  return started;
}

/** Runs busybox udhcpc once, with the broadcast flag; returns what it told its script, or what it printed. */
async function udhcpc(...args: string[]): Promise<string> {
  const log = join(tempFolder(), 'log');
  writeFileSync(log, '');
  ip(client, 'addr', 'flush', 'dev', 'eth0');
  const command = [
    'busybox',
    'udhcpc',
    '-i',
    'eth0',
    '-f',
    '-q',
    '-n',
    '-B',
    '-t',
    '3',
    '-T',
    '1',
    '-s',
    script,
    ...args,
  ];
  const { text } = await wire.run(client, ['env', `DHCP_TEST_LOG=${log}`, ...command]);
  return /reason=bound.*/.exec(readFileSync(log, 'utf8'))?.[0] ?? text;
}

/** What leaves the server's bridge while `work` runs: DHCP, 4011 and ARP of our address, as tcpdump prints it. */
async function leaving(work: () => Promise<unknown>): Promise<string> {
  const file = join(tempFolder(), 'out.pcap');
  const filter = 'udp port 67 or udp port 68 or udp port 4011 or arp';
  // Immediate: what is still in the capture's ring when the signal comes would be lost.
  const options = ['-i', wire.bridge, '-Q', 'out', '--immediate-mode', '-U', '-w', file];
  const tcpdump = wire.spawn(wire.server, ['tcpdump', ...options, filter]);
  let said = '';
  tcpdump.stderr?.on('data', (chunk: Buffer) => {
    said += chunk.toString();
  });
  await expect.poll(() => said, { timeout: 10_000 }).toContain('listening on');
  await work();
  const ended = once(tcpdump, 'exit');
  tcpdump.kill('SIGINT');
  await ended;
  return (await wire.run(wire.server, ['sh', '-c', `tcpdump -n -r ${file} 2>/dev/null`])).text;
}

describe('observe', () => {
  test('reports the other server and a machine that netboots, and no packet leaves', async () => {
    const { events, boot, watch } = await site('observe');
    const sent = await leaving(async () => {
      expect(await udhcpc()).toMatch(/address=10\.77\.0\.1[5-9]\d .*server=10\.77\.0\.2/);
      expect(await udhcpc(...PXE)).toMatch(/address=10\.77\.0\.1[5-9]\d/);
      await expect.poll(() => [...watch.seen()][0]?.count, { timeout: 5000 }).toBeGreaterThan(3);
    });
    expect(sent).toBe('');
    // One event, however often it is heard; the counts tell the rest.
    expect(events).toEqual([expect.stringMatching(/^dhcp.server-seen info: another DHCP server, 10\.77\.0\.2, /)]);
    expect(boot.steps.map(({ message, mode, facts }) => ({ message, mode, client: facts.client }))).toEqual([
      { message: 'discover', mode: 'observe', client: 'pxe' },
    ]);
  });
});

describe('full', () => {
  test('a second server is a warning with its address, once', async () => {
    const { events, watch } = await site('full');
    await udhcpc();
    await udhcpc();
    await expect.poll(() => [...watch.seen()][0]?.count, { timeout: 5000 }).toBeGreaterThan(3);
    expect(events).toEqual([
      expect.stringMatching(/^dhcp.server-seen warning: another DHCP server, 10\.77\.0\.2, .* disturb each other/),
    ]);
  });

  test('its offers are heard although they go to port 68, and nobody else misses them', async () => {
    const { events } = await site('full');
    // A client that only ever sends DISCOVERs: nothing on port 67 names the server.
    const asked = udhcpc('-r', '10.99.0.1');
    await expect.poll(() => events, { timeout: 5000 }).toHaveLength(1);
    expect(await asked).toMatch(/address=10\.77\.0\.1[5-9]\d/);
  });
});

describe('proxy', () => {
  test('is silent to a client that does not netboot: no packet, no step', async () => {
    const { boot, store } = await site('proxy');
    const sent = await leaving(async () => {
      expect(await udhcpc()).toMatch(/address=10\.77\.0\.1[5-9]\d/);
    });
    expect([sent, boot.steps, [...store.rows]]).toEqual(['', [], []]);
  });

  test('offers a file without an address to firmware, and hears which address it takes', async () => {
    const { boot, store } = await site('proxy');
    // Not udhcpc: dressed up as firmware it takes an offer without an address when that comes first, which no firmware does.
    const sent = await leaving(async () => {
      fromClient(request(MAC, { messageType: 'discover', ...firmware.uefi }));
      await expect.poll(() => boot.words()).toEqual(['discover', 'offer']);
      const taken = { requestedAddress: parseIpv4('10.77.0.151'), serverId: parseIpv4('10.77.0.2') };
      fromClient(request(MAC, { messageType: 'request', ...taken, ...firmware.uefi }));
      await expect.poll(() => boot.words()).toEqual(['discover', 'offer', 'request']);
    });
    expect(sent).toMatch(/10\.77\.0\.1\.67 > 255\.255\.255\.255\.68: BOOTP\/DHCP, Reply/);
    expect(sent.split('\n').filter((line) => line.includes('BOOTP/DHCP'))).toHaveLength(1);
    expect(boot.steps[2]?.text).toMatch(/takes 10\.77\.0\.151, given by 10\.77\.0\.2$/);
    expect([...store.rows]).toEqual([]);
  });
});

/** One broadcast out of the client's card, as a machine without an address sends it. */
function fromClient(packet: DhcpPacket): void {
  wire.inside(client, () => {
    const sender = openLinkSender('eth0');
    const to = { to: parseIpv4('255.255.255.255'), toPort: 67, payload: encodePacket(packet) };
    sender.send(encodeUdpFrame({ from: parseIpv4('0.0.0.0'), fromPort: 68, ...to }), parseMac('ff:ff:ff:ff:ff:ff'));
    sender.close();
  });
}

describe('a change of mode without a restart', () => {
  test('full to observe to off and back', async () => {
    const { server, boot, leases } = await site('full');
    const pools = subnet().pools;
    const modes = async (mode: 'full' | 'observe' | 'proxy' | 'off'): Promise<string> => {
      const subnets = [subnet({ mode, pools })];
      await server.configure({ subnets, mode: 'off' }, () => leases.configure(subnets));
      boot.steps.splice(0);
      return await leaving(() => udhcpc(...PXE));
    };
    expect(await modes('observe')).toBe('');
    expect(boot.words()).toEqual(['discover']);
    await expect.poll(() => modes('proxy'), { timeout: 30_000 }).toContain('BOOTP/DHCP, Reply');
    expect(await modes('off')).toBe('');
    expect(boot.words()).toEqual([]);
    // Port 67 and 4011 are free again: nothing is open for a subnet that is off.
    const open = await wire.run(wire.server, ['ss', '-Hluwn0', 'sport = :67 or sport = :4011']);
    expect(open.text.trim()).toBe('');
    await modes('full');
    expect(boot.words()).toContain('offer');
  });
});

describe('the program', () => {
  const program = compiledEntry('cli/anybios.js');

  test('doctor names the other server with its address', async () => {
    const folder = tempFolder();
    const file = join(folder, 'anybios.yaml');
    writeFileSync(file, configText('full', '10.77.0.100-10.77.0.110'));
    const { text } = await wire.run(wire.server, [process.execPath, program, 'doctor', '--config', file, '--json']);
    const { checks } = JSON.parse(text.slice(text.indexOf('{'))) as { checks: { name: string; message: string }[] };
    expect(checks.find(({ name }) => name === 'DHCP on br0')).toMatchObject({
      state: 'warning',
      message: expect.stringMatching(/^another server answers: 10\.77\.0\.2 \(offers 10\.77\.0\.1[5-9]\d\)/),
    });
  });

  test('SIGHUP: the file is read again; a wrong one changes nothing and is named', async () => {
    const folder = tempFolder();
    const file = join(folder, 'anybios.yaml');
    writeFileSync(file, configText('full', '10.77.0.100-10.77.0.100'));
    const server = wire.spawn(wire.server, [
      process.execPath,
      program,
      'serve',
      '--config',
      file,
      '--flavour',
      'cloud',
    ]);
    let said = '';
    server.stdout?.resume();
    server.stderr?.on('data', (chunk: Buffer) => {
      said += chunk.toString();
    });
    const hears = async (words: string): Promise<string> => {
      await expect.poll(() => said, { timeout: 30_000 }).toContain(words);
      const heard = said;
      said = '';
      return heard;
    };
    await hears('anybios serves');
    rival.pause();
    onTestFinished(() => rival.resume());
    expect(await udhcpc()).toContain('address=10.77.0.100');

    writeFileSync(file, configText('fast', '10.77.0.100-10.77.0.100'));
    server.kill('SIGHUP');
    await hears('the configuration was not taken over, nothing has changed');
    expect(await udhcpc()).toContain('address=10.77.0.100');

    const change = async (mode: string): Promise<string> => {
      writeFileSync(file, configText(mode, '10.77.0.100-10.77.0.100'));
      server.kill('SIGHUP');
      return await hears('the configuration was read again');
    };
    await change('observe');
    expect(await udhcpc()).toContain('no lease');
    rival.resume();
    expect(await leaving(() => udhcpc(...PXE))).toBe('');
    const network = [process.execPath, program, 'lease', 'network', '--config', file];
    await expect
      .poll(async () => (await wire.run(wire.server, network)).text, { timeout: 20_000 })
      .toMatch(/^server +10\.77\.0\.2 +br0 +\d+× .*another DHCP server, 10\.77\.0\.2/m);
    expect(await change('proxy')).toContain('warning: dhcp.subnets[0].pool is not used: 10.77.0.0/24 has mode proxy');
    // The client goes on with the other server's answer and may be done before ours has left.
    await expect
      .poll(() => leaving(() => udhcpc(...PXE)), { timeout: 30_000 })
      .toMatch(/10\.77\.0\.1\.67 > .*: BOOTP\/DHCP, Reply/);
    await change('off');
    expect(await leaving(() => udhcpc(...PXE))).toBe('');
    rival.pause();

    writeFileSync(file, configText('full', '10.77.0.120-10.77.0.120').replace('http: 8080', 'http: 8081'));
    server.kill('SIGHUP');
    await hears('need a restart: listen.http');
    // Its old lease is outside of the new pool.
    expect(await udhcpc()).toContain('address=10.77.0.120');
    const ended = once(server, 'exit');
    server.kill('SIGTERM');
    await ended;
  });
});

function configText(mode: string, pool: string): string {
  return `dataDir: ./data
listen: { interfaces: [br0], address: 10.77.0.1, http: 8080, tftp: 69 }
dhcp: { mode: ${mode}, subnets: [{ cidr: 10.77.0.0/24, pool: ${pool} }] }
unknownMachines: discover
`;
}
