import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { packageRoot } from '../../server/paths.js';

export const assetsSource = `${packageRoot}/boot-assets`;

export interface AshResult {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Runs a script under busybox `ash`, the shell of the initramfs, with the named libraries sourced. `args` are its positional
 * parameters: nothing of a test row is ever read as shell text. `files` appear in $anybios_run.
 */
export async function ash(
  libraries: readonly string[],
  script: string,
  args: readonly string[] = [],
  files: Readonly<Record<string, string | Buffer>> = {},
): Promise<AshResult> {
  const run = mkdtempSync(`${tmpdir()}/anybios-ash-`);
  for (const [name, content] of Object.entries(files)) writeFileSync(`${run}/${name}`, content);
  const sourced = libraries.map((name) => `. "${assetsSource}/${libraryPath(name)}"\n`).join('');
  try {
    return await new Promise((resolve, reject) => {
      execFile(
        '/bin/busybox',
        ['ash', '-c', `${sourced}${script}`, 'ash', ...args],
        {
          cwd: run,
          timeout: 20_000,
          env: { PATH: '/bin:/usr/bin:/sbin', anybios_run: run, anybios_say_to: `${run}/said` },
        },
        (error, stdout, stderr) => {
          if (error !== null && typeof error.code !== 'number') reject(error);
          else resolve({ status: error === null ? 0 : Number(error.code), stdout, stderr });
        },
      );
    });
  } finally {
    rmSync(run, { recursive: true, force: true });
  }
}

function libraryPath(name: string): string {
  const [, folder = 'initramfs', file = name] = /^(live|live-debian)\/(.*)$/.exec(name) ?? [];
  return `${folder}/lib/${file}.sh`;
}
