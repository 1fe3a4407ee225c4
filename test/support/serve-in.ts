import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { expect } from 'vitest';
import { packageRoot } from '../../server/paths.js';

export interface ServedFolder {
  readonly config: string;
  /** HTTP, on 127.0.0.1. */
  readonly port: number;
  readonly pid: number;
  /** Resolves when the process is gone. */
  end(): Promise<void>;
}

export const program = `${packageRoot}/dist/cli/anybios.js`;

/** `anybios serve` with its data in this folder, on free ports, ready to answer; without DHCP. */
export async function serveIn(folder: string): Promise<ServedFolder> {
  const port = await freePort();
  const config = join(folder, 'anybios.yaml');
  const listen = `{ address: 127.0.0.1, http: ${port}, tftp: ${await freePort()} }`;
  writeFileSync(config, `dataDir: ${folder}/data\nlisten: ${listen}\ndhcp: { mode: off }\n`);
  const server = spawn('node', [program, 'serve', '--config', config], { stdio: ['ignore', 'pipe', 'inherit'] });
  const gone = new Promise<void>((resolve) => server.once('exit', () => resolve()));
  let said = '';
  server.stdout.on('data', (chunk: Buffer) => {
    if (!said.includes('anybios is ready')) said += chunk.toString();
  });
  const end = async (): Promise<void> => {
    server.kill('SIGTERM');
    await gone;
  };
  try {
    await expect.poll(() => said, { timeout: 30_000 }).toContain('anybios is ready');
  } catch (error) {
    await end();
    throw error;
  }
  return { config, port, pid: server.pid ?? 0, end };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}
