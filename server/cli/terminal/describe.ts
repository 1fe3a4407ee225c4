/**
 * A JSON object as fields to print, nested names joined by dots: `labels.rack  r1`. Lists of plain values stand on one line,
 * joined by commas; empty lists and objects are left out.
 */
export function describeFields(value: unknown, prefix = ''): readonly (readonly [string, string])[] {
  if (value === undefined || value === null) return [];
  if (Array.isArray(value)) {
    const items: readonly unknown[] = value;
    if (items.length === 0) return [];
    if (items.every((item) => typeof item !== 'object')) return [[prefix, items.map(String).join(', ')]];
    return items.flatMap((item, index) => describeFields(item, `${prefix}[${index}]`));
  }
  if (typeof value === 'object') {
    return Object.entries(value).flatMap(([key, inner]: [string, unknown]) =>
      describeFields(inner, prefix === '' ? key : `${prefix}.${key}`),
    );
  }
  return [[prefix, String(value)]];
}
