import type { System } from '../domain/system.js';
import { type Path, type Problem, quoted } from '../yaml/problem.js';
import type { Merged } from './merged.js';
import type { SiteContext } from './site-file.js';

/** The machine gets command and environment in one answer of at most 64 KiB (docs/booting.md); the rest of it is short. */
const TEXT_MAX = 60 * 1024;

/** Images that are not there, files that collide, templates that do not compile. */
export function systemProblems({ systems }: Merged, { image, templateFault }: SiteContext): Problem[] {
  return [...systems.values()].flatMap(({ value: system, path }) => {
    if (path === undefined) return [];
    return [
      ...imageProblems(system, [...path, 'image'], image),
      ...sizeProblems(system, path),
      ...fileProblems(system, [...path, 'files'], templateFault),
    ];
  });
}

function imageProblems({ image: reference }: System, path: Path, image: SiteContext['image']): Problem[] {
  if (image === undefined) return [];
  const found = image(reference);
  if (found === undefined) {
    const allowed = 'an image that "anybios image list" shows; import it first';
    return [{ path, message: `there is no image ${quoted(reference)}`, allowed }];
  }
  if (found.kind === 'rootfs') return [];
  return [{ path, message: `${quoted(reference)} is a ${found.kind} image`, allowed: 'an image of kind rootfs' }];
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
