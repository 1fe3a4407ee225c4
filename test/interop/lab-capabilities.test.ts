import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Lab } from '../../server/lab/lab.js';
import { labConfig } from '../../server/lab/site.js';
import { compiledEntry } from '../../server/paths.js';

/* What the container promises, tried without one: no root, two capabilities by the program's file, nothing else in reach. */

const NOBODY = 65534;
let folder: string;
let lab: Lab;

beforeAll(() => {
  folder = mkdtempSync('/tmp/la-');
  chmodSync(folder, 0o755);
  lab = Lab.open({
    namespace: 'la-caps',
    folder: `${folder}/lab`,
    program: '',
    accelerator: 'tcg',
    config: labConfig(),
  });
  copyFileSync(process.execPath, `${folder}/node`);
  chmodSync(`${folder}/node`, 0o755);
  execFileSync('setcap', ['cap_net_bind_service,cap_net_raw+ep', `${folder}/node`]);
  mkdirSync(lab.folder.dataDir, { recursive: true });
  chownSync(lab.folder.dataDir, NOBODY, NOBODY);
});
afterAll(async () => {
  await lab.close();
  rmSync(folder, { recursive: true });
});

test('the server runs as nobody with net_bind_service and net_raw, and gives an address', async () => {
  const log = `${folder}/server.log`;
  const server = lab.startInside(
    'setpriv',
    [
      ...[`--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups', '--inh-caps=-all'],
      ...['--bounding-set=-all,+net_bind_service,+net_raw', `${folder}/node`, compiledEntry('cli/anybios.js')],
      ...['serve', '--config', lab.folder.config],
    ],
    log,
  );
  await expect
    .poll(() => curl(lab.folder.apiSocket, '/healthz'), { timeout: 30_000, message: 'the server is healthy' })
    .toBe('200');
  expect(server.exitCode).toBeNull();
  const status = readFileSync(`/proc/${server.pid}/status`, 'utf8');
  expect(status).toMatch(new RegExp(`^Uid:\\s+${NOBODY}\\s`, 'm'));
  // Bits 10 and 13: CAP_NET_BIND_SERVICE, CAP_NET_RAW (linux/capability.h).
  expect(status).toMatch(/^CapEff:\s+0000000000002400$/m);
  expect(status).toMatch(/^CapBnd:\s+0000000000002400$/m);

  // A client without an address, behind a port of the bridge: the answer must leave by raw frame.
  const ip = (...args: string[]): string => execFileSync('ip', ['-netns', 'la-caps', ...args], { encoding: 'utf8' });
  ip('link', 'add', 'client', 'type', 'veth', 'peer', 'name', 'port');
  ip('link', 'set', 'port', 'master', 'br0', 'up');
  ip('link', 'set', 'client', 'up');
  const udhcpc = ['udhcpc', '-i', 'client', '-f', '-q', '-n', '-t', '5', '-T', '2', '-s', '/bin/true'];
  const said = execFileSync('sh', ['-c', `exec ip netns exec la-caps busybox ${udhcpc.join(' ')} 2>&1`], {
    encoding: 'utf8',
  });
  expect(said).toMatch(/lease of 10\.77\.0\.1\d\d obtained/);
});

const curl = (socket: string, path: string): string => {
  try {
    return execFileSync(
      'curl',
      ['-s', '-o', '/dev/null', '-w', '%{http_code}', '--unix-socket', socket, `http://lab${path}`],
      {
        encoding: 'utf8',
      },
    );
  } catch (error) {
    // Not listening yet.
    return error instanceof Error ? error.message : String(error);
  }
};
