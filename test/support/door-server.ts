import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ControlDoor } from '../../server/domain/control-door.js';
import { parsePublicKey } from '../../server/domain/control-door.js';
import { parseIpv4 } from '../../server/domain/ipv4.js';

/** A real SSH server as a live OS runs it, at an address of its own on the loopback. */
export interface DoorServer {
  /** As the machine would have registered it in this boot. */
  door(session: string): ControlDoor;
  /** Pulls the plug: the server and all its connections end. */
  kill(): void;
  /** Listens again, with the same host key. */
  start(): Promise<void>;
  close(): void;
}

/** `address` is in 127.0.0.0/8: nobody else listens there. `program` is what every session runs. */
export async function startDoor(
  kind: 'dropbear' | 'sshd',
  address: string,
  program: string,
  authorizedKey: string,
): Promise<DoorServer> {
  const folder = mkdtempSync(join(tmpdir(), 'anybios-sshd-'));
  const key = join(folder, 'host-key');
  const home = join(folder, 'root');
  mkdirSync(join(home, '.ssh'), { recursive: true, mode: 0o700 });
  const restrict = 'no-port-forwarding,no-agent-forwarding,no-X11-forwarding';
  writeFileSync(join(home, '.ssh/authorized_keys'), `${restrict},command="exec ${program}" ${authorizedKey}\n`, {
    mode: 0o600,
  });
  if (kind === 'dropbear') execFileSync('dropbearkey', ['-t', 'ed25519', '-f', key], { stdio: 'ignore' });
  else execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', key]);
  const shown =
    kind === 'dropbear'
      ? execFileSync('dropbearkey', ['-y', '-f', key], { encoding: 'utf8' })
      : readFileSync(`${key}.pub`, 'utf8');
  const hostKey = parsePublicKey(shown.split('\n').find((line) => line.startsWith('ssh-ed25519')) ?? '', 'host key');
  const command =
    kind === 'dropbear'
      ? `dropbear -F -E -m -s -j -k -p ${address}:922 -r ${key} -P ${folder}/pid -c 'exec ${program}'`
      : `/usr/sbin/sshd -D -e -f /dev/null -p 922 -h ${key} -o ListenAddress=${address} -o PidFile=none -o UsePAM=no -o PasswordAuthentication=no -o AuthorizedKeysFile=/root/.ssh/authorized_keys -o PermitRootLogin=prohibit-password`;
  let child: ChildProcess | undefined;
  const kill = (): void => {
    // The process group: its connections are processes of their own.
    if (child?.pid !== undefined && child.exitCode === null) process.kill(-child.pid, 'SIGKILL');
    child = undefined;
  };
  const start = async (): Promise<void> => {
    // Both look for keys in the home of root: this one is ours, in a mount namespace of its own.
    const script = `mount --bind ${home} /root && mkdir -p /run/sshd && exec ${command}`;
    const started = spawn('unshare', ['-m', 'sh', '-c', script], {
      detached: true,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    child = started;
    let said = '';
    started.stderr.on('data', (chunk: Buffer) => {
      said += chunk.toString();
    });
    const end = Date.now() + 20_000;
    while (!(await answers(address))) {
      if (Date.now() > end || started.exitCode !== null) throw new Error(`${kind} does not listen: ${said}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  };
  await start();
  return {
    door: (session) => ({ session, address: parseIpv4(address), port: 922, hostKey, registeredAt: Date.now() }),
    kill,
    start,
    close: () => {
      kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function answers(address: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port: 922 });
    socket.once('error', () => resolve(false));
    socket.once('data', () => {
      socket.destroy();
      resolve(true);
    });
  });
}
