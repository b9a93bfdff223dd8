import type Database from 'better-sqlite3';
import { Statements } from './statements.ts';

/** Something that was done beside runs. `action` is a text key `activity.<action>`. */
export interface Activity {
  readonly id: number;
  readonly atMs: number;
  /** undefined: the service itself. */
  readonly actor: string | undefined;
  readonly action: string;
  readonly subject: string | undefined;
  readonly detail: string | undefined;
}

/** Who did what and when. Never a secret. */
export class ActivityStore {
  readonly #statements: Statements;

  constructor(db: Database.Database) {
    this.#statements = new Statements(db);
  }

  add(activity: Omit<Activity, 'id'>): void {
    this.#statements
      .sql('INSERT INTO activity (at_ms, actor, action, subject, detail) VALUES (?, ?, ?, ?, ?)')
      .run(activity.atMs, activity.actor ?? null, activity.action, activity.subject ?? null, activity.detail ?? null);
  }

  removeBefore(atMs: number): void {
    this.#statements.sql('DELETE FROM activity WHERE at_ms < ?').run(atMs);
  }

  /** Newest first. */
  list(beforeId: number | undefined, limit: number): Activity[] {
    const rows = this.#statements
      .sql('SELECT * FROM activity WHERE id < ? ORDER BY id DESC LIMIT ?')
      .all(beforeId ?? Number.MAX_SAFE_INTEGER, limit) as {
      id: number;
      at_ms: number;
      actor: string | null;
      action: string;
      subject: string | null;
      detail: string | null;
    }[];
    return rows.map((row) => ({
      id: row.id,
      atMs: row.at_ms,
      actor: row.actor ?? undefined,
      action: row.action,
      subject: row.subject ?? undefined,
      detail: row.detail ?? undefined,
    }));
  }
}
