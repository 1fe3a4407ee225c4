/** As much of openapi.json as the check reads. */
export interface OpenApi {
  readonly paths: Readonly<Record<string, Readonly<Record<string, { readonly responses: Responses }>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
}
type Responses = Readonly<Record<string, { readonly content?: Readonly<Record<string, { readonly schema: Schema }>> }>>;

export interface Schema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly anyOf?: readonly Schema[];
  readonly allOf?: readonly Schema[];
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean | Schema;
  readonly pattern?: string;
  readonly format?: string;
}

/** What an answer has that openapi.json does not describe, or lacks; empty = it is as described. A path that is not there is not looked at. */
export function answerFaults(document: OpenApi, method: string, path: string, status: number, body: unknown): string[] {
  const item = itemOf(document, path.replace(/\?.*$/, ''));
  const responses = item?.[method.toLowerCase()]?.responses;
  if (responses === undefined) return [];
  const response = responses[String(status)] ?? (status >= 400 ? responses.default : undefined);
  if (response === undefined) return [`status ${status} is not described`];
  const schema = response.content?.['application/json']?.schema;
  if (schema === undefined) return body === undefined || typeof body === 'string' ? [] : ['no JSON body is described'];
  return faults(schema, body, 'answer', document);
}

function itemOf({ paths }: OpenApi, path: string): OpenApi['paths'][string] | undefined {
  // Words before parameters: /events/stream is not /events/{id}.
  const names = Object.keys(paths).sort((a, b) => a.split('{').length - b.split('{').length);
  const name = names.find((one) => new RegExp(`^/api/v1${one.replace(/\{\w+\}/g, '[^/]+')}$`).test(path));
  return name === undefined ? undefined : paths[name];
}

/** JSON Schema, the part that our routes use; a key that no `properties` names is a fault, unless others are allowed. */
export function faults(schema: Schema, value: unknown, at: string, document: OpenApi): string[] {
  if (schema.$ref !== undefined) {
    const found = document.components.schemas[schema.$ref.replace('#/components/schemas/', '')];
    return found === undefined ? [`${at}: ${schema.$ref} is not there`] : faults(found, value, at, document);
  }
  if (schema.anyOf !== undefined) {
    const each = schema.anyOf.map((one) => faults(one, value, at, document));
    return each.some((found) => found.length === 0) ? [] : (each[0] ?? []);
  }
  if (schema.allOf !== undefined) return schema.allOf.flatMap((one) => faults(one, value, at, document));
  const types = schema.type === undefined ? [] : [schema.type].flat();
  if (types.length > 0 && !types.some((type) => isType(type, value))) return [`${at}: is not ${types.join(' or ')}`];
  const found: string[] = [];
  if (schema.enum !== undefined && !schema.enum.includes(value))
    found.push(`${at}: ${String(value)} is not in the enum`);
  if (schema.const !== undefined && schema.const !== value) found.push(`${at}: is not ${String(schema.const)}`);
  if (typeof value === 'string') {
    if (schema.pattern !== undefined && !new RegExp(schema.pattern).test(value))
      found.push(`${at}: does not fit pattern`);
    if (schema.format === 'date-time' && !/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/.test(value))
      found.push(`${at}: is no date-time`);
  }
  if (Array.isArray(value)) {
    const { items } = schema;
    if (items !== undefined) found.push(...value.flatMap((one, i) => faults(items, one, `${at}[${i}]`, document)));
  } else if (typeof value === 'object' && value !== null) found.push(...objectFaults(schema, value, at, document));
  return found;
}

function objectFaults(schema: Schema, value: object, at: string, document: OpenApi): string[] {
  const { properties, required = [], additionalProperties } = schema;
  const found = required.filter((key) => !(key in value)).map((key) => `${at}.${key}: is missing`);
  for (const [key, inner] of Object.entries(value)) {
    const known = properties?.[key];
    if (known !== undefined) found.push(...faults(known, inner, `${at}.${key}`, document));
    else if (typeof additionalProperties === 'object')
      found.push(...faults(additionalProperties, inner, `${at}.${key}`, document));
    else if (properties !== undefined && additionalProperties !== true) found.push(`${at}.${key}: is not described`);
  }
  return found;
}

function isType(type: string, value: unknown): boolean {
  switch (type) {
    case 'array':
      return Array.isArray(value);
    case 'null':
      return value === null;
    case 'object':
      return typeof value === 'object' && value !== null && !Array.isArray(value);
    case 'integer':
      return Number.isInteger(value);
    default:
      return typeof value === type;
  }
}
