import { chmodSync, chownSync, closeSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { openUdpOnInterface } from '../../server/dhcp/native-sockets.js';
import { DhcpWire, ip } from '../support/dhcp-namespace.js';
import { startRealServer } from '../support/real-server.js';
import { tempFolder } from '../support/temp-folder.js';

const script = fileURLToPath(new URL('../support/dhcp-client-script.sh', import.meta.url));
const NOBODY = 65_534;

let wire: DhcpWire;
let client: string;

beforeAll(() => {
  wire = new DhcpWire('priv', '10.77.0.1/24');
  client = wire.addClient('one', '52:54:00:00:00:01');
});
afterAll(() => wire.remove());

/** setpriv to nobody with these capabilities only. */
function nobodyWith(...capabilities: string[]): string[] {
  const set = ['-all', ...capabilities.map((name) => `+${name}`)].join(',');
  const caps = ['--inh-caps', set, '--ambient-caps', set, '--bounding-set', set];
  return ['setpriv', '--reuid', String(NOBODY), '--regid', String(NOBODY), '--clear-groups', ...caps];
}

function folderOfNobody(): string {
  const folder = tempFolder();
  chmodSync(folder, 0o755);
  chownSync(folder, NOBODY, NOBODY);
  return folder;
}

/** Answered through the packet socket, since it has no address yet. */
async function udhcpc(): Promise<string> {
  const log = join(tempFolder(), 'log');
  ip(client, 'addr', 'flush', 'dev', 'eth0');
  const command = ['busybox', 'udhcpc', '-i', 'eth0', '-f', '-q', '-n', '-t', '4', '-T', '1', '-s', script];
  const { text } = await wire.run(client, ['env', `DHCP_TEST_LOG=${log}`, ...command]);
  return /reason=bound address=\S+/.exec(readFileSync(log, 'utf8'))?.[0] ?? text;
}

test('an unprivileged user with CAP_NET_BIND_SERVICE and CAP_NET_RAW serves', async () => {
  const server = await startRealServer(wire, folderOfNobody(), {
    before: nobodyWith('net_bind_service', 'net_raw'),
    pool: '10.77.0.100-10.77.0.110',
  });
  onTestFinished(() => server.end('SIGTERM'));
  expect(await udhcpc()).toMatch(/address=10\.77\.0\.1\d\d/);
});

test('on a socket inherited as from systemd, with CAP_NET_RAW alone', async () => {
  const socket = wire.inside(wire.server, () => openUdpOnInterface('br0', 67));
  const server = await startRealServer(wire, folderOfNobody(), {
    before: nobodyWith('net_raw'),
    pool: '10.77.0.100-10.77.0.110',
    socket,
    tftp: 6969,
  });
  closeSync(socket);
  onTestFinished(() => server.end('SIGTERM'));
  expect(await udhcpc()).toMatch(/address=10\.77\.0\.1\d\d/);
});
