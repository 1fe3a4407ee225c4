import { type Compilable, CompiledQuery, type Kysely, type QueryResult, type RawBuilder, sql } from 'kysely';
import type { Tables } from './tables.js';

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

/**
 * A query compiled once and run with new values: building it anew costs ten times what SQLite needs for the row. Values are given
 * by parameter name.
 */
export class Prepared<Row, Values extends Readonly<Record<string, string | number | null>>> {
  readonly #sql: string;
  readonly #parameters: readonly unknown[];

  constructor(query: Compilable<Row>) {
    const compiled = query.compile();
    this.#sql = compiled.sql;
    this.#parameters = compiled.parameters;
  }

  run(database: Kysely<Tables>, values: Values): Promise<QueryResult<Row>> {
    return this.runRows(database, [values]);
  }

  /** As many rows as the query has. */
  runRows(database: Kysely<Tables>, rows: readonly Values[]): Promise<QueryResult<Row>> {
    const parameters = this.#parameters.map((value) =>
      value instanceof Parameter ? rows[value.row]?.[value.name] : value,
    );
    return database.executeQuery<Row>(CompiledQuery.raw(this.#sql, parameters));
  }
}
