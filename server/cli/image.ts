import type { Command } from 'commander';
import { readAnswer } from './api-schema.js';
import type { Cli } from './cli.js';
import { withExamples } from './examples.js';
import { importImage } from './image-import.js';
import { imageSchema, registerImageList } from './image-list.js';
import { type ImportOptions, planImport } from './image-plan.js';
import { registerImageTag } from './image-tag.js';
import { registerImageUpkeep } from './image-upkeep.js';

/** `anybios image …` */
export function registerImage(program: Command, cli: Cli): void {
  const image = program.command('image').description('images: kernels, root file systems, disks');
  withExamples(image, [['which images are there', 'image list']]);
  registerImageList(image, cli);
  registerImageImport(image, cli);
  registerImageTag(image, cli);
  registerImageUpkeep(image, cli);
}

function registerImageImport(image: Command, cli: Cli): void {
  withExamples(
    image
      .command('import')
      .description('import a root file system, a disk, or a kernel with initrd and modules')
      .argument('<image>', 'NAME or NAME:VERSION; the version is made from the content if left out')
      .option(
        '--from <source>',
        'make a root file system of: a folder, tar, squashfs, "-", oci:FOLDER[:TAG], docker-archive:FILE, docker://HOST/NAME:TAG',
      )
      .option('--rootfs <file>', 'root file system (squashfs) as it is: a file, a URL, "-" for standard input')
      .option('--disk <file>', 'disk of a VM: a file, a URL, "-"')
      .option('--kernel <file>', 'kernel (vmlinuz): a file or a URL')
      .option('--initrd <file>', 'initrd with stage 1')
      .option('--modules <file>', 'modules of the kernel (squashfs)')
      .option('--tag <tag...>', 'tags of this version; the first version of a name becomes "stable" by itself')
      .option('--sha256 <hex>', 'the expected digest of the file; other bytes are refused')
      .option('--max-size <size>', 'refuse more than this, unpacked with --from (default: 16G)')
      .option('--timeout <time>', 'for --from: give up after this (default: 1h)')
      .option('--arch <arch>', 'for --from docker:// and oci: (default: amd64)')
      .option('--plain-http', 'for --from docker://: a registry without TLS (not needed on loopback)')
      .option('--keep-devices', 'for --from: keep device files')
      .action(async (reference: string, options: ImportOptions) => {
        const answer = await importImage(cli, planImport(reference, options), options);
        cli.print(answer, () => {
          const made = readAnswer(imageSchema, answer, 'image');
          const tags = made.tags.length === 0 ? '' : ` (${made.tags.join(', ')})`;
          return [`${made.name}:${made.version}${tags} is imported`];
        });
      }),
    [
      ['from a registry', 'image import debian:12 --from docker://localhost:5000/debian:12'],
      ['a folder, a tar', 'image import web:2 --from ./rootfs'],
      ['what docker export writes', 'image import web:3 --from - < web.tar'],
      ['an OCI layout', 'image import web:4 --from oci:./layout:latest --tag stable'],
      ['a squashfs from a URL', 'image import web:5 --rootfs https://example.org/web.squashfs --sha256 HEX'],
      ['a kernel', 'image import kernel:6.1 --kernel vmlinuz --initrd initrd.img --modules modules.squashfs'],
    ],
  );
}
