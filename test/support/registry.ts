import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { vi } from 'vitest';

/** Debian's docker-registry on a free port of the loopback, with its data in `folder`. `host`: `127.0.0.1:PORT`. */
export async function startRegistry(folder: string): Promise<{ readonly host: string; close(): Promise<void> }> {
  mkdirSync(folder, { recursive: true });
  const config = join(folder, 'config.yml');
  writeFileSync(
    config,
    `version: 0.1
log: { level: info, formatter: json }
storage: { filesystem: { rootdirectory: ${join(folder, 'data')} } }
http: { addr: "127.0.0.1:0", headers: {} }
`,
  );
  const child = spawn('docker-registry', ['serve', config], { stdio: ['ignore', 'pipe', 'pipe'] });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
  }
  const host = (): string | undefined => /listening on (127\.0\.0\.1:\d+)/.exec(text)?.[1];
  await vi.waitUntil(() => host() !== undefined || child.exitCode !== null, { timeout: 30_000, interval: 50 });
  const found = host();
  if (found === undefined) throw new Error(`docker-registry ended: ${text}`);
  return {
    host: found,
    async close() {
      if (child.exitCode !== null) return;
      child.kill('SIGKILL');
      await once(child, 'exit');
    },
  };
}
