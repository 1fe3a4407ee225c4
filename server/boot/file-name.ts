/** A requested name in one form: segments without empty ones, lower-cased copy beside it; or why it is refused. */
export type FileName =
  | { readonly kind: 'name'; readonly segments: readonly string[]; readonly path: string }
  | { readonly kind: 'refused'; readonly reason: string };

/**
 * `//name` (GRUB, shim), `\dir\name` (Windows loaders) and `/name` are the same file. Refused: `..`, `.`, NUL and other control
 * characters, a drive letter, more than 512 characters. Never touches the file system.
 */
export function normaliseFileName(raw: string): FileName {
  if (raw.length > 512) return { kind: 'refused', reason: `the name has ${raw.length} characters, the limit is 512` };
  // biome-ignore lint/suspicious/noControlCharactersInRegex: finding control characters is the point
  if (/[\u0000-\u001f\u007f]/.test(raw)) return { kind: 'refused', reason: 'the name holds a control character' };
  if (/^[A-Za-z]:[\\/]/.test(raw)) return { kind: 'refused', reason: 'the name is absolute (drive letter)' };
  const segments = raw
    .replaceAll('\\', '/')
    .split('/')
    .filter((segment) => segment !== '');
  if (segments.includes('..')) return { kind: 'refused', reason: 'the name leaves its folder ("..")' };
  if (segments.includes('.')) return { kind: 'refused', reason: 'the name has "." as a part' };
  if (segments.length === 0) return { kind: 'refused', reason: 'the name is empty' };
  return { kind: 'name', segments, path: segments.join('/') };
}
