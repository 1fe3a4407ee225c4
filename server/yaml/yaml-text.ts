import { type Document, isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument, type YAMLError } from 'yaml';
import { type Path, type Problem, quoted, refusal } from './problem.js';

/** A YAML file that parsed, with the line of every key. */
export class YamlText {
  /** What it says, as plain data. */
  readonly value: unknown;
  readonly #fileName: string;
  readonly #document: Document.Parsed;
  readonly #lines: LineCounter;

  /** Throws `invalid` with every syntax error, its line and the reason (duplicate keys are one). */
  constructor(text: string, fileName: string) {
    this.#fileName = fileName;
    this.#lines = new LineCounter();
    this.#document = parseDocument(text, { lineCounter: this.#lines, prettyErrors: false, stringKeys: true });
    const faults = [...this.#document.errors, ...this.#document.warnings];
    if (faults.length > 0) {
      const problems = faults.map((fault): Problem => {
        const { line, col } = this.#lines.linePos(fault.pos[0]);
        return { path: [], place: `${fileName}:${line}`, ...syntaxProblem(fault, text, col) };
      });
      throw refusal(problems, () => undefined);
    }
    try {
      this.value = this.#document.toJS({ maxAliasCount: 100 });
    } catch (error) {
      // Only aliases fail here: unknown ones, or so many that they would fill the memory.
      const message = error instanceof Error ? error.message : String(error);
      throw refusal([{ path: [], message }], () => fileName);
    }
  }

  /** `site.yaml:12` for the value at `path`, or for the nearest thing around it that is there. */
  place(path: Path): string {
    return `${this.#fileName}:${this.lineOf(path)}`;
  }

  /** The line (from 1) of a key or list entry, or of the nearest one around it. */
  lineOf(path: Path): number {
    let node: unknown = this.#document.contents;
    let offset = 0;
    for (const step of path) {
      if (isAlias(node)) node = node.resolve(this.#document);
      if (isMap(node)) {
        const pair = node.items.find(({ key }) => isScalar(key) && String(key.value) === step);
        if (pair === undefined) break;
        if (isScalar(pair.key)) offset = pair.key.range?.[0] ?? offset;
        node = pair.value;
      } else if (isSeq(node) && typeof step === 'number') {
        node = node.items[step];
        const range = startOf(node);
        if (range === undefined) break;
        offset = range;
      } else break;
    }
    return this.#lines.linePos(offset).line;
  }
}

/** The parser's own words, and what stands there; the commonest mistakes in words of ours. */
function syntaxProblem({ code, message, pos }: YAMLError, text: string, column: number): Omit<Problem, 'path'> {
  // Up to the end of its line: what a person looks for.
  const rest = text.slice(pos[0]).split('\n', 1)[0]?.trim() ?? '';
  if (code === 'DUPLICATE_KEY') {
    const key = /^[^:\s]+/.exec(rest)?.[0] ?? rest;
    return { message: `the key ${quoted(key)} is there twice`, allowed: 'each key once' };
  }
  const found = rest === '' ? 'at the end of a line' : `at ${quoted(rest)}`;
  if (code === 'TAB_AS_INDENT') {
    return { message: `column ${column}, ${found}: a tab as indentation`, allowed: 'spaces' };
  }
  return { message: `column ${column}, ${found}: ${message}`, allowed: 'YAML, e.g. key: [a, b]' };
}

function startOf(node: unknown): number | undefined {
  return isScalar(node) || isMap(node) || isSeq(node) || isAlias(node) ? node.range?.[0] : undefined;
}
