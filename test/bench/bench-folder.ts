import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const MIB = 1 << 20;
/** Sizes in MiB; every name is a file that all servers have at their root. */
export const FILES = { 'boot.efi': 1, kernel: 10, initrd: 20, rootfs: 8, f1m: 1, f8m: 8, f64m: 64 } as const;

/** Where a run keeps configurations, data and the files that are fetched. */
export class BenchFolder {
  readonly path = mkdtempSync(join(tmpdir(), 'anybios-bench-'));
  readonly www = join(this.path, 'www');

  /** `initrdMib`: another size of the initrd, which the HTTP kinds and the storm fetch. */
  constructor(initrdMib: number = FILES.initrd) {
    mkdirSync(this.www, { mode: 0o755 });
    for (const [name, size] of Object.entries({ ...FILES, initrd: initrdMib })) {
      // Not a whole number of blocks.
      writeFileSync(join(this.www, name), randomBytes(size * MIB + 12_345), { mode: 0o644 });
    }
    execFileSync('chmod', ['755', this.path]);
  }

  /** Writes a file and answers its path. */
  file(name: string, text: string): string {
    const path = join(this.path, name);
    mkdirSync(join(path, '..'), { recursive: true });
    writeFileSync(path, text);
    return path;
  }

  digest(name: keyof typeof FILES): string {
    return createHash('sha256')
      .update(readFileSync(join(this.www, name)))
      .digest('hex');
  }

  forget(name: string): void {
    rmSync(join(this.path, name), { recursive: true, force: true });
  }

  /** The program of a Debian package that cannot be installed beside its rival: unpacked here. Undefined = not to be had. */
  unpacked(packageName: string, program: string): string | undefined {
    if (existsSync(program)) return program;
    const folder = join(this.path, packageName);
    mkdirSync(folder, { recursive: true });
    try {
      execFileSync('sh', ['-c', `apt-get download -qq ${packageName} && dpkg -x ${packageName}_*.deb .`], {
        cwd: folder,
        stdio: 'ignore',
      });
    } catch {
      // Reported by the caller: that peer is left out.
      return undefined;
    }
    const found = join(folder, program);
    return existsSync(found) ? found : undefined;
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}
