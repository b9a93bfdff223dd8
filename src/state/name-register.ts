import type Database from 'better-sqlite3';
import { Statements } from './statements.ts';

/** Which names are taken in one local folder; in a temporary table, since a folder may hold any number of files. */
export class NameRegister {
  readonly #statements: Statements;

  constructor(db: Database.Database) {
    db.exec('CREATE TEMP TABLE IF NOT EXISTS taken_name (key TEXT PRIMARY KEY) WITHOUT ROWID');
    this.#statements = new Statements(db);
  }

  /** Begins with an empty folder. */
  clear(): void {
    this.#statements.sql('DELETE FROM taken_name').run();
  }

  take(key: string): void {
    this.#statements.sql('INSERT OR IGNORE INTO taken_name (key) VALUES (?)').run(key);
  }

  release(key: string): void {
    this.#statements.sql('DELETE FROM taken_name WHERE key = ?').run(key);
  }

  isTaken(key: string): boolean {
    return this.#statements.value('SELECT 1 FROM taken_name WHERE key = ?').get(key) !== undefined;
  }
}
