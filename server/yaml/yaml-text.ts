import { type Document, isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument } from 'yaml';
import { type Path, refusal } from './problem.js';

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
      const problems = faults.map(({ pos, message }) => ({
        path: [],
        place: `${fileName}:${this.#lines.linePos(pos[0]).line}`,
        message,
      }));
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

function startOf(node: unknown): number | undefined {
  return isScalar(node) || isMap(node) || isSeq(node) || isAlias(node) ? node.range?.[0] : undefined;
}
