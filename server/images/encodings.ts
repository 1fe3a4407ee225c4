/** Content codings (RFC 9110, section 8.4.1) that an image may lie ready in, the best one first. */
export const ENCODINGS = { zstd: { suffix: '.zst' }, gzip: { suffix: '.gz' } } as const;
export type Encoding = keyof typeof ENCODINGS;

/** Those of them that this Accept-Encoding names (section 12.5.3), the best one first. `*` is not taken as a wish. */
export function chooseVariant(accept: string | string[] | undefined): readonly Encoding[] {
  if (accept === undefined) return [];
  const named = new Set(
    String(accept)
      .toLowerCase()
      .split(',')
      .map((item) => item.split(';').map((part) => part.trim()))
      .filter(([, ...parameters]) => !parameters.some((parameter) => /^q\s*=\s*0(\.0{0,3})?$/.test(parameter)))
      .map(([name]) => (name === 'x-gzip' ? 'gzip' : name)),
  );
  return (Object.keys(ENCODINGS) as Encoding[]).filter((encoding) => named.has(encoding));
}
