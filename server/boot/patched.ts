export type Patch<T> = { readonly [K in keyof T]?: T[K] | undefined };

/** A copy with the fields of `patch`; undefined removes one. Removes only what is there: `delete` makes an object slow for good. */
export function patched<T extends object>(base: T, patch: Patch<T>): { -readonly [K in keyof T]: T[K] } {
  const next: { -readonly [K in keyof T]: T[K] } = { ...base };
  for (const name of Object.keys(patch) as (keyof T)[]) {
    const value = patch[name];
    if (value !== undefined) next[name] = value;
    else if (name in next) delete next[name];
  }
  return next;
}
