import Handlebars from 'handlebars';
import { invalid } from '../domain/errors.js';

/** A compiled template: `text(data)` throws `invalid` naming the template and the missing variable, never prints a hole. */
export type Template = (data: object) => string;

// noEscape: HTML escaping turns `=` into `&#x3D;` and breaks boot lines. strict: a missing variable is an error.
// Handlebars refuses prototype properties by default; templates see plain data only.
const handlebars = Handlebars.create();
const OPTIONS = { noEscape: true, strict: true, preventIndent: true } as const;

/** Compiles once. `name` is for error messages (a file name, or `systems[web].files[/etc/motd]`). Throws `invalid` on a syntax error. */
export function compileTemplate(name: string, source: string): Template {
  try {
    handlebars.parse(source); // compile() is lazy; a syntax error must show at load, not at the first boot
  } catch (error) {
    throw invalid(`template ${name}: ${firstLines(error)}`, { field: name, remedy: 'correct the Handlebars syntax' });
  }
  const compiled = handlebars.compile(source, OPTIONS);
  return (data) => {
    try {
      return compiled(data);
    } catch (error) {
      throw invalid(`template ${name}: ${firstLines(error)}`, {
        field: name,
        remedy: 'use a variable that exists (docs/operating.md lists them), or define the param in the profile',
      });
    }
  };
}

function firstLines(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n').slice(0, 4).join(' | ');
}
