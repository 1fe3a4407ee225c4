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

/** Changes of what names mean: inside these blocks a name may be one of an inner value. */
const CONTEXT_BLOCKS = new Set(['each', 'with']);

/** The variables that a template uses, each as its parts (`['machine', 'name']`), as far as they start from the data itself. */
export function variablesOf(source: string): readonly (readonly string[])[] {
  const found: string[][] = [];
  class Paths extends Handlebars.Visitor {
    override PathExpression(path: hbs.AST.PathExpression): void {
      // `@index` and `../name` are not of the data at the top; helpers are called by name.
      if (!path.data && path.depth === 0 && handlebars.helpers[path.original] === undefined) found.push(path.parts);
    }

    override BlockStatement(block: hbs.AST.BlockStatement): void {
      this.acceptArray(block.params);
      const helper = block.path.original;
      if (handlebars.helpers[helper] === undefined) this.accept(block.path);
      // A block named after a variable goes into it as `with` does.
      else if (!CONTEXT_BLOCKS.has(helper)) this.accept(block.program);
      this.accept(block.inverse);
    }
  }
  new Paths().accept(handlebars.parse(source));
  return found;
}

function firstLines(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n').slice(0, 4).join(' | ');
}
