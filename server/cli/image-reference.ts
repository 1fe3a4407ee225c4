import { invalid } from '../domain/errors.js';

/** `NAME` (stable), or `NAME:WORD` with a version or a tag. Throws `invalid`. */
export function parseReference(text: string): { readonly name: string; readonly word: string } {
  const [name = '', word = 'stable', ...rest] = text.split(':');
  if (name !== '' && word !== '' && rest.length === 0) return { name, word };
  throw invalid(`"${text}" is not an image`, { field: 'NAME:VERSION', remedy: 'write NAME or NAME:VERSION' });
}

/** `NAME:WORD`. Throws `invalid` for a bare name, which would mean the stable one. */
export function parseVersion(text: string): { readonly name: string; readonly word: string } {
  if (text.includes(':')) return parseReference(text);
  throw invalid(`"${text}" is not a version of an image`, {
    field: 'NAME:VERSION',
    remedy: 'write NAME:VERSION, as "anybios image list" shows them',
  });
}
