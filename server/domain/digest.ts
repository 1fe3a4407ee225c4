import { invalid } from './errors.js';

/** A sha256 in 64 lower-case hex digits: the identity of a file in the image store. */
export type Digest = string & { readonly __brand: 'Digest' };

export function parseDigest(text: string, field = 'digest'): Digest {
  if (!/^[0-9a-f]{64}$/.test(text)) {
    throw invalid(`"${text.slice(0, 80)}" is not a sha256 digest`, { field, remedy: 'write 64 lower-case hex digits' });
  }
  return text as Digest;
}
