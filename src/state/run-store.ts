import type Database from 'better-sqlite3';
import { Statements } from './statements.ts';

/** `queued`, `running`: open. `interrupted`: the service or the NAS went down; the next run goes on. */
export type StoredOutcome =
  'queued' | 'running' | 'interrupted' | 'complete' | 'incomplete' | 'failed' | 'held' | 'cancelled';

/** Why a run was started. */
export type RunCause = 'schedule' | 'catch-up' | 'user' | 'simulation';

export interface StoredRun {
  readonly id: number;
  readonly taskId: number;
  /** As the task was called then. */
  readonly taskName: string;
  /** The run's number in the task's own database, where its events lie. */
  readonly localRunId: number | undefined;
  readonly cause: RunCause;
  readonly startedBy: string | undefined;
  readonly queuedMs: number;
  readonly startedMs: number | undefined;
  readonly endedMs: number | undefined;
  readonly outcome: StoredOutcome;
  /** The run's report as JSON, its failures left out. */
  readonly report: string | undefined;
}

interface RunRow {
  id: number;
  task_id: number;
  task_name: string;
  local_run_id: number | null;
  cause: RunCause;
  started_by: string | null;
  queued_ms: number;
  started_ms: number | null;
  ended_ms: number | null;
  outcome: StoredOutcome;
  report: string | null;
}

export interface RunFilter {
  readonly taskId?: number | undefined;
  readonly outcomes?: readonly StoredOutcome[] | undefined;
  /** Only runs with a smaller number: the next page. */
  readonly beforeId?: number | undefined;
  readonly sinceMs?: number | undefined;
}

/** All runs of all tasks. */
export class RunStore {
  readonly #statements: Statements;

  constructor(db: Database.Database) {
    this.#statements = new Statements(db);
  }

  queue(
    run: { taskId: number; taskName: string; cause: RunCause; startedBy: string | undefined },
    nowMs: number,
  ): number {
    const result = this.#statements
      .sql(
        `INSERT INTO run (task_id, task_name, cause, started_by, queued_ms, outcome) VALUES (?, ?, ?, ?, ?, 'queued')`,
      )
      .run(run.taskId, run.taskName, run.cause, run.startedBy ?? null, nowMs);
    return Number(result.lastInsertRowid);
  }

  setStarted(id: number, nowMs: number): void {
    this.#statements.sql(`UPDATE run SET outcome = 'running', started_ms = ? WHERE id = ?`).run(nowMs, id);
  }

  setLocalRun(id: number, localRunId: number): void {
    this.#statements.sql('UPDATE run SET local_run_id = ? WHERE id = ?').run(localRunId, id);
  }

  close(id: number, outcome: StoredOutcome, report: string | undefined, nowMs: number): void {
    this.#statements
      .sql('UPDATE run SET outcome = ?, report = ?, ended_ms = ? WHERE id = ?')
      .run(outcome, report ?? null, nowMs, id);
  }

  /** At the start of the service: what was open then was cut off. */
  markInterrupted(nowMs: number): void {
    this.#statements
      .sql(`UPDATE run SET outcome = 'interrupted', ended_ms = ? WHERE outcome IN ('queued', 'running')`)
      .run(nowMs);
  }

  get(id: number): StoredRun | undefined {
    const row = this.#statements.sql('SELECT * FROM run WHERE id = ?').get(id) as RunRow | undefined;
    return row === undefined ? undefined : storedRun(row);
  }

  /** Newest first. */
  list(filter: RunFilter, limit: number): StoredRun[] {
    const conditions = ['1 = 1'];
    const values: (number | string)[] = [];
    if (filter.taskId !== undefined) {
      conditions.push('task_id = ?');
      values.push(filter.taskId);
    }
    if (filter.beforeId !== undefined) {
      conditions.push('id < ?');
      values.push(filter.beforeId);
    }
    if (filter.sinceMs !== undefined) {
      conditions.push('queued_ms >= ?');
      values.push(filter.sinceMs);
    }
    if (filter.outcomes !== undefined) {
      conditions.push(`outcome IN (${filter.outcomes.map(() => '?').join(', ')})`);
      values.push(...filter.outcomes);
    }
    const rows = this.#statements
      .sql(`SELECT * FROM run WHERE ${conditions.join(' AND ')} ORDER BY id DESC LIMIT ?`)
      .all(...values, limit) as RunRow[];
    return rows.map(storedRun);
  }

  lastComplete(taskId: number): StoredRun | undefined {
    return this.list({ taskId, outcomes: ['complete'] }, 1)[0];
  }

  /** The last time a schedule was served: when the task was last started by it. */
  lastScheduledMs(taskId: number): number | undefined {
    const value = this.#statements
      .value(`SELECT max(queued_ms) FROM run WHERE task_id = ? AND cause IN ('schedule', 'catch-up')`)
      .get(taskId) as number | null;
    return value ?? undefined;
  }

  removeOfTask(taskId: number): void {
    this.#statements.sql('DELETE FROM run WHERE task_id = ?').run(taskId);
  }
}

function storedRun(row: RunRow): StoredRun {
  return {
    id: row.id,
    taskId: row.task_id,
    taskName: row.task_name,
    localRunId: row.local_run_id ?? undefined,
    cause: row.cause,
    startedBy: row.started_by ?? undefined,
    queuedMs: row.queued_ms,
    startedMs: row.started_ms ?? undefined,
    endedMs: row.ended_ms ?? undefined,
    outcome: row.outcome,
    report: row.report ?? undefined,
  };
}
