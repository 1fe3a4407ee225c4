import { invalid } from '../domain/errors.js';

type JsonObject = Readonly<Record<string, unknown>>;

/** No resource is as deep; more would only be there to fill the stack. */
const DEPTH_LIMIT = 32;

/** JSON Merge Patch (RFC 7396): absent = as it was, null = gone, an object is merged, anything else is set. Throws `invalid`. */
export function mergePatch(target: JsonObject, patch: JsonObject, depth = 1): Record<string, unknown> {
  if (depth > DEPTH_LIMIT) throw invalid(`objects in objects, more than ${DEPTH_LIMIT} deep`);
  // No prototype: a key `__proto__` is a key like any other.
  const result: Record<string, unknown> = Object.assign(Object.create(null), target);
  for (const [key, value] of Object.entries(patch)) {
    const old = result[key];
    if (value === null) delete result[key];
    else if (isObject(value)) result[key] = mergePatch(isObject(old) ? old : {}, value, depth + 1);
    else result[key] = value;
  }
  return { ...result };
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
