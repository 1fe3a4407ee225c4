type JsonObject = Readonly<Record<string, unknown>>;

/** JSON Merge Patch (RFC 7396): absent = as it was, null = gone, an object is merged, anything else is set. */
export function mergePatch(target: JsonObject, patch: JsonObject): Record<string, unknown> {
  // No prototype: a key `__proto__` is a key like any other.
  const result: Record<string, unknown> = Object.assign(Object.create(null), target);
  for (const [key, value] of Object.entries(patch)) {
    const old = result[key];
    if (value === null) delete result[key];
    else if (isObject(value)) result[key] = mergePatch(isObject(old) ? old : {}, value);
    else result[key] = value;
  }
  return { ...result };
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
