import { type Compilable, type RawBuilder, sql } from 'kysely';

/** The place of a value that each execution brings. */
class Parameter {
  constructor(
    readonly name: string,
    readonly row: number,
  ) {}
}

/** A named place in a query built once: `param<number>('address')`; `row` counts the rows of an insert of several. */
export function param<T>(name: string, row = 0): RawBuilder<T> {
  return sql<T>`${new Parameter(name, row)}`;
}

type Value = string | number | null;

/** A statement of the driver, ready to run inside the transaction that is open. */
export interface Statement {
  run(values: readonly Value[]): { readonly changes: number; readonly lastInsertRowid: number | bigint };
}

/** Compiles a statement for the one connection of the store. */
export type Prepare = (text: string) => Statement;

/**
 * A write of the hot path, built by Kysely and compiled once: to build it anew costs ten times what SQLite needs for the row, and
 * to pass it through Kysely's promises twice as much. Values are given by parameter name.
 */
export class Prepared<Values extends Readonly<Record<string, Value>>> {
  readonly #statement: Statement;
  readonly #parameters: readonly unknown[];

  constructor(query: Compilable<unknown>, prepare: Prepare) {
    const compiled = query.compile();
    this.#statement = prepare(compiled.sql);
    this.#parameters = compiled.parameters;
  }

  /** The number of rows that were written. */
  run(values: Values): number {
    return this.#statement.run(this.#bound([values])).changes;
  }

  /** As many rows as the query has; the number of the last one. Those of one insert follow each other. */
  insert(rows: readonly Values[]): number {
    return Number(this.#statement.run(this.#bound(rows)).lastInsertRowid);
  }

  #bound(rows: readonly Values[]): readonly Value[] {
    const bound: Value[] = [];
    for (const place of this.#parameters) {
      // Whatever is not a place stands in the query itself: a constant.
      if (place instanceof Parameter) bound.push(rows[place.row]?.[place.name] ?? null);
      else if (typeof place === 'string' || typeof place === 'number') bound.push(place);
      else bound.push(null);
    }
    return bound;
  }
}
