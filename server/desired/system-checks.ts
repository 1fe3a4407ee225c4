import type { Image, ImageKind } from '../domain/image.js';
import { formatIpv4 } from '../domain/ipv4.js';
import { networkKind, networkOf, type System } from '../domain/system.js';
import { type Path, type Problem, quoted } from '../yaml/problem.js';
import type { Merged } from './merged.js';
import type { SiteContext } from './site-file.js';

/** The machine gets command and environment in one answer of at most 64 KiB (docs/booting.md); the rest of it is short. */
const TEXT_MAX = 60 * 1024;

/** What is wrong with a system by itself: fields its kind has not, images that are not there, templates that do not compile. */
export function systemProblems(merged: Merged, { image, templateFault }: SiteContext): Problem[] {
  return [...merged.systems.values()].flatMap(({ value: system, path }) => {
    if (path === undefined) return [];
    return [
      ...kindProblems(system, path),
      ...networkProblems(system, path, merged),
      ...healthProblems(system, path),
      ...imageProblems(system, path, image),
      ...sizeProblems(system, path),
      ...fileProblems(system, [...path, 'files'], templateFault),
    ];
  });
}

/** What a kind must have and cannot have. */
function kindProblems(system: System, path: Path): Problem[] {
  const { kind, image, disk, kernel, layer, command, env, files, memoryBytes, storage } = system;
  const problems: Problem[] = [];
  const refuse = (field: string, message: string, allowed: string): void =>
    void problems.push({ path: [...path, field], message, allowed });
  if (kind !== 'vm') {
    if (image === undefined) refuse('image', 'is missing', 'the template, e.g. base');
    if (command.length === 0) refuse('command', 'is missing', 'a program and its arguments, e.g. [/bin/httpd, -f]');
    if (disk !== undefined) refuse('disk', `a ${kind} has no disk`, 'no disk, or kind: vm');
    if (kernel !== undefined) refuse('kernel', `a ${kind} has the machine’s kernel`, 'no kernel, or kind: vm');
    return problems;
  }
  if (memoryBytes === undefined) refuse('memory', 'is missing: the RAM of the VM', 'a size, e.g. 256M');
  if (storage !== 'ram' && 'label' in storage && storage.sizeBytes === undefined) {
    refuse('storage', 'a VM writes to a disk, which has a size', '{label, path, size}');
  }
  if (image !== undefined) {
    if (disk !== undefined) refuse('disk', 'image and disk exclude each other', 'one of image, disk');
    if (command.length === 0) refuse('command', 'is missing', 'a program and its arguments, e.g. [/sbin/init]');
    return problems;
  }
  const why =
    disk === undefined ? 'a VM that netboots gets its system from its role' : 'a VM with a disk has its own system';
  if (kernel !== undefined) refuse('kernel', why, 'no kernel');
  if (layer !== undefined) refuse('layer', why, 'no layer');
  if (command.length > 0) refuse('command', why, 'no command');
  if (Object.keys(env).length > 0) refuse('env', why, 'no env');
  if (Object.keys(files).length > 0) refuse('files', why, 'no files');
  if (disk === undefined && storage !== 'ram') refuse('storage', why, 'ram');
  return problems;
}

function networkProblems(system: System, path: Path, { machines }: Merged): Problem[] {
  const network = networkOf(system);
  const kind = networkKind(network);
  const refuse = (message: string, allowed: string): Problem[] => [{ path: [...path, 'network'], message, allowed }];
  if (system.kind === 'chroot' && kind !== 'host')
    return refuse('a chroot has the machine’s network', 'host, or kind: container');
  if (system.kind === 'vm' && kind === 'host')
    return refuse('a VM has a card of its own', '{bridge: boot} | {nat: boot}');
  if (system.kind === 'vm' && system.image === undefined && system.disk === undefined && kind !== 'bridge') {
    return refuse('a VM that netboots must reach the server as a machine does', '{bridge: boot, mac: MAC}');
  }
  if (network === 'host' || !('bridge' in network) || network.address === undefined) return [];
  const { address } = network;
  const owner = machines.find(({ value }) => value.address === address)?.value.name;
  return owner === undefined
    ? []
    : refuse(`${formatIpv4(address)} belongs to machine ${owner} already`, 'a free address');
}

/** The machine must reach what it checks. */
function healthProblems(system: System, path: Path): Problem[] {
  const { kind, health } = system;
  if (health === undefined || kind !== 'vm') return [];
  const refuse = (message: string, allowed: string): Problem[] => [{ path: [...path, 'health'], message, allowed }];
  if ('command' in health.check) return refuse('nobody runs a command inside a VM', 'http | tcp');
  const network = networkOf(system);
  const bridged = network !== 'host' && 'bridge' in network && network.address === undefined;
  return bridged ? refuse('the machine does not know the address of this VM', 'a network with an address, or nat') : [];
}

function imageProblems(system: System, path: Path, image: SiteContext['image']): Problem[] {
  if (image === undefined) return [];
  const wanted = (field: 'image' | 'layer' | 'disk' | 'kernel', kind: ImageKind): Problem[] =>
    imageProblem(system[field], [...path, field], kind, image);
  return [
    ...wanted('image', 'rootfs'),
    ...wanted('layer', 'rootfs'),
    ...wanted('disk', 'disk'),
    ...wanted('kernel', 'kernel'),
  ];
}

function imageProblem(
  reference: string | undefined,
  path: Path,
  kind: ImageKind,
  image: (reference: string) => Image | undefined,
): Problem[] {
  if (reference === undefined) return [];
  const found = image(reference);
  if (found === undefined) {
    const allowed = 'an image that "anybios image list" shows; import it first';
    return [{ path, message: `there is no image ${quoted(reference)}`, allowed }];
  }
  if (found.kind === kind) return [];
  return [{ path, message: `${quoted(reference)} is a ${found.kind} image`, allowed: `an image of kind ${kind}` }];
}

function sizeProblems({ command, env }: System, path: Path): Problem[] {
  const text = [...command, ...Object.entries(env).flat()].join('\n');
  const bytes = Buffer.byteLength(text);
  if (bytes <= TEXT_MAX) return [];
  return [{ path, message: `command and env have ${bytes} bytes`, allowed: `at most ${TEXT_MAX} bytes together` }];
}

function fileProblems({ files }: System, path: Path, templateFault: SiteContext['templateFault']): Problem[] {
  const names = Object.keys(files);
  return Object.entries(files).flatMap(([name, text]) => {
    const problems: Problem[] = [];
    const inside = names.find((other) => other.startsWith(`${name}/`));
    if (inside !== undefined) {
      problems.push({ path: [...path, name], message: `is a file and the folder of ${inside} at once` });
    }
    const fault = templateFault?.(text);
    if (fault !== undefined) problems.push({ path: [...path, name], message: `its template is wrong: ${fault}` });
    return problems;
  });
}
