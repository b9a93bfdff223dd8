import { existsSync } from 'node:fs';
import type Database from 'better-sqlite3';
import { asStateError } from './database.ts';
import { openSqliteToRead } from './open-sqlite.ts';
import { taskDatabasePath } from './task-database.ts';

/** One thing that a run wrote down. `id` grows; it is the place from which the next page is read. */
export interface HistoryEvent {
  readonly id: number;
  readonly atMs: number;
  readonly code: string;
  readonly path: string | undefined;
  readonly detail: string | undefined;
  /** Of the file, where it is known. */
  readonly sizeBytes: number | undefined;
}

/** `failure` and `notice` as in run-log.ts; `change`: a file that the run copied or found gone. */
export type HistoryLevel = 'notice' | 'failure' | 'change';

export interface HistoryFilter {
  readonly code?: string | undefined;
  /** Part of the path, in any case of its ASCII letters. */
  readonly pathPart?: string | undefined;
  /** Only events with a larger id. */
  readonly afterId?: number | undefined;
}

/** A reader of what a task's runs wrote down. It sees also what a run under way writes, and never hinders it. */
export interface RunHistory {
  /** The codes of a level with their numbers, the most frequent first. */
  codes(localRunId: number, level: HistoryLevel): { code: string; count: number }[];
  /** In the order in which they were written; at most `limit`. */
  events(localRunId: number, level: HistoryLevel, filter: HistoryFilter, limit: number): HistoryEvent[];
  close(): void;
}

/**
 * Opens the database of the task `stateKey` only to read its runs. undefined where the task has none yet. Throws
 * `state-unreadable` where it cannot be read.
 */
export function openRunHistory(stateDir: string, stateKey: string): RunHistory | undefined {
  const path = taskDatabasePath(stateDir, stateKey);
  if (!existsSync(path)) return undefined;
  try {
    const db = openSqliteToRead(path);
    return new DatabaseRunHistory(db, path);
  } catch (error) {
    throw asStateError(error, path);
  }
}

interface EventRow {
  id: number;
  at_ms: number;
  code: string;
  path: string | null;
  detail: string | null;
  size_bytes?: number | null;
}

class DatabaseRunHistory implements RunHistory {
  readonly #db: Database.Database;
  readonly #path: string;

  constructor(db: Database.Database, path: string) {
    this.#db = db;
    this.#path = path;
  }

  codes(localRunId: number, level: HistoryLevel): { code: string; count: number }[] {
    return this.#read(() =>
      this.#db
        .prepare(
          'SELECT code, count(*) AS count FROM run_event WHERE run_id = ? AND level = ? GROUP BY code ORDER BY count DESC, code',
        )
        .all(localRunId, level),
    ) as { code: string; count: number }[];
  }

  events(localRunId: number, level: HistoryLevel, filter: HistoryFilter, limit: number): HistoryEvent[] {
    const conditions = ['run_id = ?', 'level = ?', 'id > ?'];
    const values: (string | number)[] = [localRunId, level, filter.afterId ?? 0];
    if (filter.code !== undefined) {
      conditions.push('code = ?');
      values.push(filter.code);
    }
    if (filter.pathPart !== undefined) {
      conditions.push(`path LIKE '%' || ? || '%' ESCAPE '\\'`);
      values.push(filter.pathPart.replace(/[\\%_]/g, '\\$&'));
    }
    const rows = this.#read(() =>
      this.#db
        .prepare(`SELECT * FROM run_event WHERE ${conditions.join(' AND ')} ORDER BY id LIMIT ?`)
        .all(...values, limit),
    ) as EventRow[];
    return rows.map((row) => ({
      id: row.id,
      atMs: row.at_ms,
      code: row.code,
      path: row.path ?? undefined,
      detail: row.detail ?? undefined,
      sizeBytes: row.size_bytes ?? undefined,
    }));
  }

  close(): void {
    this.#db.close();
  }

  #read(read: () => unknown): unknown {
    try {
      return read();
    } catch (error) {
      throw asStateError(error, this.#path);
    }
  }
}
