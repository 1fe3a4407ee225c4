import { createHash } from 'node:crypto';
import type { System } from '../domain/system.js';
import type { AnswerLines } from './machine-lines.js';
import type { RenderedFile } from './system-definitions.js';

/** Lines of a definition that say which version of an image it is; the words that name the image are of the definition itself. */
const IMAGE_LINES = /^(image|layer|disk|vmlinuz|initrd|modules)(-sha256|-size)?$/;

/**
 * `DEFINITION.IMAGES.LIMITS`, 16 hex digits each: what a live OS composes a system from. The three change apart because they are
 * answered differently: another definition composes the system anew, limits are set while it runs, another version of an image
 * waits until somebody asks for it. A VM's memory is its RAM, which does not change while it runs: its definition.
 */
export function systemDigest(system: System, lines: AnswerLines, files: readonly RenderedFile[]): string {
  const limit = (key: string): boolean => key === 'cpus' || (key === 'memory-bytes' && system.kind !== 'vm');
  const references = [system.image, system.layer, system.disk, system.kernel];
  const definition = lines.filter(([key]) => !IMAGE_LINES.test(key) && !limit(key));
  const images = lines.filter(([key]) => IMAGE_LINES.test(key) && !key.endsWith('-size'));
  const limits = lines.filter(([key]) => limit(key));
  return [[references, definition, files], images, limits].map(short).join('.');
}

function short(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('hex').slice(0, 16);
}
