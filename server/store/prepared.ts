import { type Compilable, type RawBuilder, sql } from 'kysely';

/** The place of a value that each execution brings. */
class Parameter {
  constructor(readonly name: string) {}
}

/** A named place in a query built once: `param<number>('address')`. */
export function param<T>(name: string): RawBuilder<T> {
  return sql<T>`${new Parameter(name)}`;
}

type Value = string | number | null | Uint8Array;

/** A statement of the driver, ready to run inside the transaction that is open. */
export interface Statement {
  run(values: readonly Value[]): { readonly changes: number };
  get(values: readonly Value[]): unknown;
}

/** Compiles a statement for the one connection of the store. */
export type Prepare = (text: string) => Statement;

/**
 * A query of the hot path, built by Kysely and compiled once: to build it anew costs ten times what SQLite needs for the row, and
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
    return this.#statement.run(this.#bound(values)).changes;
  }

  /** The first row that a query finds, with its columns as they are in the table. */
  row<Row>(values: Values): Row | undefined {
    return this.#statement.get(this.#bound(values)) as Row | undefined;
  }

  #bound(values: Values): readonly Value[] {
    const bound: Value[] = [];
    for (const place of this.#parameters) {
      // Whatever is not a place stands in the query itself: a constant.
      if (place instanceof Parameter) bound.push(values[place.name] ?? null);
      else if (typeof place === 'string' || typeof place === 'number') bound.push(place);
      else bound.push(null);
    }
    return bound;
  }
}
