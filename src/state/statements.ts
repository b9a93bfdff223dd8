import type Database from 'better-sqlite3';

/** Prepares each SQL text once for one database. */
export class Statements {
  readonly #db: Database.Database;
  readonly #prepared = new Map<string, Database.Statement>();
  readonly #plucked = new Map<string, Database.Statement>();

  constructor(db: Database.Database) {
    this.#db = db;
  }

  sql(text: string): Database.Statement {
    let statement = this.#prepared.get(text);
    if (statement === undefined) {
      statement = this.#db.prepare(text);
      this.#prepared.set(text, statement);
    }
    return statement;
  }

  /** The same, giving only the first column. */
  value(text: string): Database.Statement {
    let statement = this.#plucked.get(text);
    if (statement === undefined) {
      statement = this.#db.prepare(text).pluck();
      this.#plucked.set(text, statement);
    }
    return statement;
  }
}
