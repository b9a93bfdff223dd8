import type Database from 'better-sqlite3';
import { Statements } from './statements.ts';

/** `notice`: worth knowing. `failure`: asked for and not got. `change`: a file that was brought, has gone or was moved. */
export type RunEventLevel = 'notice' | 'failure' | 'change';

export interface RunEvent {
  readonly atMs: number;
  readonly level: RunEventLevel;
  /** A key of the texts: `error.<code>` for failures, `notice.<code>` for notices, `file.<code>` for changes. */
  readonly code: string;
  readonly path: string | undefined;
  readonly detail: string | undefined;
  /** Of the file, where it is known. */
  readonly sizeBytes?: number | undefined;
}

/** Events of one level kept for one run; a run that fails everywhere must not fill the disk. */
export const RUN_EVENTS_MAX = 20_000;

/** Runs and their events, for people: what the pages and the command line show of the past. */
export class RunLog {
  readonly #statements: Statements;
  readonly #eventCounts = new Map<string, number>();

  constructor(db: Database.Database) {
    this.#statements = new Statements(db);
  }

  /** Runs that no process finished: there can be such rows only after a crash, since a run holds the database. */
  markInterrupted(nowMs: number): void {
    this.#statements.sql(`UPDATE run SET outcome = 'interrupted', ended_ms = ? WHERE outcome = 'running'`).run(nowMs);
  }

  start(nowMs: number, resumesRun: number | undefined): number {
    const result = this.#statements
      .sql(`INSERT INTO run (started_ms, outcome, resumes_run) VALUES (?, 'running', ?)`)
      .run(nowMs, resumesRun ?? null);
    return Number(result.lastInsertRowid);
  }

  /** Forgets the events of runs that began before; the runs themselves stay. */
  forgetEventsBefore(startedMs: number): void {
    this.#statements
      .sql('DELETE FROM run_event WHERE run_id IN (SELECT id FROM run WHERE started_ms < ?)')
      .run(startedMs);
  }

  close(runId: number, nowMs: number, outcome: string, report: string): void {
    this.#statements
      .sql('UPDATE run SET ended_ms = ?, outcome = ?, report = ? WHERE id = ?')
      .run(nowMs, outcome, report, runId);
  }

  /** Beyond RUN_EVENTS_MAX of a level the event is dropped; the report has the true numbers. */
  add(runId: number, event: RunEvent): void {
    const counted = this.#eventCounts.get(event.level) ?? 0;
    if (counted >= RUN_EVENTS_MAX) return;
    this.#eventCounts.set(event.level, counted + 1);
    this.#statements
      .sql('INSERT INTO run_event (run_id, at_ms, level, code, path, detail, size_bytes) VALUES (?, ?, ?, ?, ?, ?, ?)')
      .run(
        runId,
        event.atMs,
        event.level,
        event.code,
        event.path ?? null,
        event.detail ?? null,
        event.sizeBytes ?? null,
      );
  }

  events(runId: number, level: RunEventLevel, limit: number): RunEvent[] {
    const rows = this.#statements
      .sql('SELECT at_ms, level, code, path, detail FROM run_event WHERE run_id = ? AND level = ? ORDER BY id LIMIT ?')
      .all(runId, level, limit) as {
      at_ms: number;
      level: RunEventLevel;
      code: string;
      path: string | null;
      detail: string | null;
    }[];
    return rows.map((row) => ({
      atMs: row.at_ms,
      level: row.level,
      code: row.code,
      path: row.path ?? undefined,
      detail: row.detail ?? undefined,
    }));
  }
}
