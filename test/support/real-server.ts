import { type ChildProcess, spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { packageRoot } from '../../server/paths.js';
import type { DhcpWire } from './dhcp-namespace.js';

export interface RealServer {
  readonly child: ChildProcess;
  output(): string;
  /** Resolves when the process is gone. */
  end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void>;
}

/**
 * `anybios serve` in the server's namespace, ready to answer. `before`: words in front of the command (setpriv, env); `socket`: a
 * descriptor that it inherits as number 3, as from systemd.
 */
export async function startRealServer(
  wire: DhcpWire,
  folder: string,
  options: {
    readonly before?: readonly string[];
    readonly socket?: number;
    readonly tftp?: number;
    readonly pool?: string;
    readonly images?: string;
  } = {},
): Promise<RealServer> {
  const config = join(folder, 'anybios.yaml');
  writeFileSync(
    config,
    `dataDir: ${join(folder, 'data')}
listen: { interfaces: [br0], address: 10.77.0.1, http: 8080, tftp: ${options.tftp ?? 69}, images: ${options.images ?? 'sendfile'} }
dhcp:
  mode: full
  subnets: [{ cidr: 10.77.0.0/24, router: 10.77.0.1${options.pool === undefined ? '' : `, pool: ${options.pool}`} }, { cidr: 10.64.0.0/16, pool: 10.64.0.10-10.64.255.250 }]
`,
  );
  const socket = options.socket;
  const environment = socket === undefined ? '' : 'LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=dhcp-br0 ';
  const command = `${environment}exec "$@"`;
  const serve = ['node', `${packageRoot}/dist/cli/anybios.js`, 'serve', '--config', config];
  const child = spawn(
    'ip',
    ['netns', 'exec', wire.server, ...(options.before ?? []), 'sh', '-c', command, 'sh', ...serve],
    { stdio: ['ignore', 'pipe', 'pipe', ...(socket === undefined ? [] : [socket])] },
  );
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
  }
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const silent = new Promise<void>((resolve) => child.once('close', () => resolve()));
  await expect
    .poll(() => text.includes('anybios is ready') || child.exitCode !== null, { timeout: 30_000, interval: 50 })
    .toBe(true);
  if (child.exitCode !== null) {
    await silent;
    throw new Error(`the server ended: ${text}`);
  }
  return {
    child,
    output: () => text,
    async end(signal) {
      child.kill(signal);
      await gone;
    },
  };
}
