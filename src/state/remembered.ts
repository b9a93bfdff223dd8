import type Database from 'better-sqlite3';

/**
 * Answers of one database that are given again as long as nothing in it has changed, by whichever connection. Whoever
 * gets one must not change it.
 */
export class Remembered {
  readonly #db: Database.Database;
  readonly #ownChanges: Database.Statement;
  readonly #othersChanges: Database.Statement;
  readonly #answers = new Map<string, unknown>();
  #stamp = '';

  constructor(db: Database.Database) {
    this.#db = db;
    // The first counts rows that this connection has changed, the second changes with every commit of another one.
    this.#ownChanges = db.prepare('SELECT total_changes()').pluck();
    this.#othersChanges = db.prepare('PRAGMA data_version').pluck();
  }

  /** The answer to `question`, from `read` where it is not known. */
  get<T>(question: string, read: () => T): T {
    // What is seen in a transaction may be taken back, and no counter tells.
    if (this.#db.inTransaction) return read();
    const stamp = `${String(this.#ownChanges.get())} ${String(this.#othersChanges.get())}`;
    if (stamp !== this.#stamp) this.#answers.clear();
    this.#stamp = stamp;
    if (!this.#answers.has(question)) this.#answers.set(question, read());
    return this.#answers.get(question) as T;
  }
}
