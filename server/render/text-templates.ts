import { compileTemplate, type Template } from './renderer.js';

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

/** What is wrong with a template; undefined = nothing. */
export function templateFault(text: string): string | undefined {
  try {
    compileTemplate('text', text);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
