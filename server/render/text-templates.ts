import { FILE_VARIABLES } from '../domain/file-data.js';
import { compileTemplate, type Template, variablesOf } from './renderer.js';

/** Templates of systems' files, compiled once for each text. */
export function cachedTemplates(): (name: string, text: string, data: object) => string {
  const compiled = new Map<string, Template>();
  return (name, text, data) => {
    const key = `${name}\n${text}`;
    let template = compiled.get(key);
    if (template === undefined) {
      if (compiled.size > 10_000) compiled.clear();
      template = compileTemplate(name, text);
      compiled.set(key, template);
    }
    return template(data);
  };
}

/** What is wrong with a template of a system's file; undefined = nothing. Variables are looked at, too, but not their values. */
export function templateFault(text: string): string | undefined {
  try {
    compileTemplate('text', text);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  const unknown = variablesOf(text).find(([root = '', field]) => !isVariable(root, field));
  return unknown === undefined
    ? undefined
    : `there is no variable ${unknown.join('.') || 'this'}; there are ${words()}`;
}

function isVariable(root: string, field: string | undefined): boolean {
  if (!Object.hasOwn(FILE_VARIABLES, root)) return false;
  const fields: readonly string[] | undefined = FILE_VARIABLES[root as keyof typeof FILE_VARIABLES];
  return fields === undefined || field === undefined || fields.includes(field);
}

function words(): string {
  return Object.entries(FILE_VARIABLES)
    .flatMap(([root, fields]) => (fields ?? ['NAME']).map((field) => `${root}.${field}`))
    .join(', ');
}
