import { openSqlite } from './open-sqlite.ts';

/** Reads that are written down together: more would be lost with a killed process, fewer would make each wait. */
const BATCH = 200;

/**
 * The hashes of files that were read already, each under the file's identity on the disk and valid as long as `state` (size,
 * times) is the same: so that long reading that is cut short goes on where it was. Where the memory itself fails, as on a full
 * disk, it remembers nothing from then on, and nobody else fails of it.
 */
export class ReadMemory {
  #db: ReturnType<typeof openSqlite> | undefined;
  #waiting = 0;

  private constructor(db: ReturnType<typeof openSqlite>) {
    this.#db = db;
  }

  /** Opens the SQLite file `path`, made at need. undefined where it cannot be used: then everything is read. */
  static open(path: string): ReadMemory | undefined {
    try {
      const db = openSqlite(path, { timeout: 0 });
      try {
        // It is worth no wait: after a power cut all is read again.
        db.pragma('journal_mode = WAL');
        db.pragma('synchronous = OFF');
        db.exec('CREATE TABLE IF NOT EXISTS read_file (id TEXT PRIMARY KEY, state TEXT, sha256 BLOB) WITHOUT ROWID');
        db.prepare('SELECT count(*) FROM read_file').get();
        return new ReadMemory(db);
      } catch {
        db.close();
        return undefined;
      }
    } catch {
      return undefined;
    }
  }

  recall(id: string, state: string): Buffer | undefined {
    return this.#attempt(
      (db) =>
        db.prepare('SELECT sha256 FROM read_file WHERE id = ? AND state = ?').pluck().get(id, state) as
          Buffer | undefined,
    );
  }

  note(id: string, state: string, sha256: Buffer): void {
    this.#attempt((db) => {
      if (!db.inTransaction) db.exec('BEGIN');
      db.prepare('INSERT OR REPLACE INTO read_file (id, state, sha256) VALUES (?, ?, ?)').run(id, state, sha256);
      if (++this.#waiting >= BATCH) this.#commit(db);
    });
  }

  close(): void {
    this.#attempt((db) => {
      this.#commit(db);
    });
    this.#db?.close();
    this.#db = undefined;
  }

  #commit(db: ReturnType<typeof openSqlite>): void {
    this.#waiting = 0;
    if (db.inTransaction) db.exec('COMMIT');
  }

  #attempt<T>(work: (db: ReturnType<typeof openSqlite>) => T): T | undefined {
    const db = this.#db;
    if (db === undefined) return undefined;
    try {
      return work(db);
    } catch {
      this.#db = undefined;
      db.close();
      return undefined;
    }
  }
}
