import { z } from 'zod';

/**
 * The schema of a written form as openapi.json can show it: the generator takes `exactOptional` keys for required ones.
 * `put`: the name may be left to the path. `patch`: everything may be absent, and null clears.
 */
export function shownForm(form: z.ZodObject, use: 'answer' | 'put' | 'patch'): z.ZodObject {
  const shape = Object.entries(form.shape).map(([key, schema]): [string, z.ZodType] => {
    const plain = schema instanceof z.ZodExactOptional ? zodType(schema.unwrap()).optional() : zodType(schema);
    if (use === 'patch') return [key, key === 'name' ? plain.optional() : plain.nullable().optional()];
    return [key, use === 'put' && key === 'name' ? plain.optional() : plain];
  });
  return z.strictObject(Object.fromEntries(shape));
}

function zodType(schema: z.core.$ZodType): z.ZodType {
  if (schema instanceof z.ZodType) return schema;
  throw new TypeError('a schema of another kind than zod classic');
}
