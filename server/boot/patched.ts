export type Patch<T> = { readonly [K in keyof T]?: T[K] | undefined };

/** A copy with the fields of `patch`; undefined removes one. Removes only what is there: `delete` makes an object slow for good. */
export function patched<T extends object>(base: T, patch: Patch<T>): { -readonly [K in keyof T]: T[K] } {
  const next: { -readonly [K in keyof T]: T[K] } = { ...base };
  for (const name in patch) {
    const value = patch[name];
    if (value === undefined) {
      if (next[name] !== undefined) delete next[name];
    } else if (next[name] !== value) next[name] = value;
  }
  return next;
}
