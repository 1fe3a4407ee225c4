import { z } from 'zod';

/** A written form as openapi.json shows it. `put`: the name may be left to the path. `patch`: keys may be absent, null clears. */
export function shownForm(form: z.ZodObject, use: 'put' | 'patch'): z.ZodObject {
  const shape = Object.entries(form.shape).map(([key, schema]): [string, z.core.$ZodType] => {
    if (key === 'name') return [key, z.optional(schema)];
    return [key, use === 'patch' ? z.optional(z.nullable(schema)) : schema];
  });
  return z.strictObject(Object.fromEntries(shape));
}
