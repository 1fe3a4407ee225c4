import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { assetsDir, compiledEntry } from '../../server/paths.js';
import type { BootLab } from './lab-boot.js';

/* Disks and images for machines of a lab. */

const KERNEL = `${assetsDir}/kernel`;

/** Words for QEMU: an empty disk of so many MiB, found as /dev/disk/by-id/virtio-SERIAL. */
export function blankDisk(lab: BootLab, serial: string, mebibytes: number): readonly string[] {
  const file = join(lab.lab.folder.machines, `${serial}.img`);
  writeFileSync(file, '');
  truncateSync(file, mebibytes * 1024 * 1024);
  return [
    '-drive',
    `file=${file},format=raw,if=none,id=${serial}`,
    '-device',
    `virtio-blk-pci,drive=${serial},serial=${serial}`,
  ];
}

/**
 * A disk of 1 MiB whose boot sector writes a line to the first serial port and halts. The BIOS puts it at 0x7c00 and starts it in
 * real mode.
 */
export function greetingDisk(text: string): Buffer {
  const program = Buffer.from([
    ...[0x31, 0xc0, 0x8e, 0xd8], // xor ax, ax; mov ds, ax
    ...[0xbe, 0x15, 0x7c], // mov si, 0x7c15: the text, behind the program
    ...[0xba, 0xf8, 0x03], // mov dx, 0x3f8: data register of the port
    ...[0xac, 0x84, 0xc0, 0x74, 0x03], // next: lodsb; test al, al; jz end
    ...[0xee, 0xeb, 0xf8], // out dx, al; jmp next
    ...[0xf4, 0xeb, 0xfd], // end: hlt; jmp end
  ]);
  const disk = Buffer.alloc(1024 * 1024);
  program.copy(disk);
  disk.write(`${text}\r\n\0`, program.length, 'latin1');
  disk.writeUInt16LE(0xaa55, 510);
  return disk;
}

/** Images through the command line program, as an operator imports them. */
export function useLabImages(lab: BootLab) {
  const run = async (...words: readonly string[]): Promise<string> => {
    const env = {
      ...process.env,
      ANYBIOS_URL: `unix:${lab.lab.folder.apiSocket}`,
      ANYBIOS_TOKEN: lab.lab.adminToken(),
    };
    const { stdout } = await promisify(execFile)(process.execPath, [compiledEntry('cli/anybios.js'), ...words], {
      env,
    });
    return stdout;
  };
  const inFolder = async <T>(use: (folder: string) => Promise<T>): Promise<T> => {
    const folder = mkdtempSync('/tmp/la-image-');
    try {
      return await use(folder);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  };
  return {
    /**
     * A new shared kernel: the shipped one, its initrd with zeros behind it, which Linux skips (init/initramfs.c). Resolves to the
     * digest of the initrd.
     */
    renewKernel: () =>
      inFolder(async (folder) => {
        const initrd = Buffer.concat([readFileSync(join(KERNEL, 'initrd.img')), Buffer.alloc(512)]);
        const file = join(folder, 'initrd');
        writeFileSync(file, initrd);
        const files = [
          '--kernel',
          join(KERNEL, 'vmlinuz'),
          '--initrd',
          file,
          '--modules',
          join(KERNEL, 'modules.squashfs'),
        ];
        await run('image', 'import', 'kernel:renewed', ...files, '--tag', 'stable');
        return createHash('sha256').update(initrd).digest('hex');
      }),
    /** A root file system of some files, or a disk. The first version of a name becomes its `stable`. */
    import: (
      reference: string,
      { from, disk }: { readonly from?: Readonly<Record<string, string>>; readonly disk?: Buffer },
    ) =>
      inFolder(async (folder) => {
        if (disk !== undefined) {
          writeFileSync(join(folder, 'disk'), disk);
          return run('image', 'import', reference, '--disk', join(folder, 'disk'), '--tag', 'stable');
        }
        const root = join(folder, 'root');
        for (const [path, text] of Object.entries(from ?? {})) {
          mkdirSync(dirname(join(root, path)), { recursive: true });
          writeFileSync(join(root, path), text);
        }
        return run('image', 'import', reference, '--from', root, '--tag', 'stable');
      }),
  };
}
