import type Database from 'better-sqlite3';
import { Remembered } from './remembered.ts';
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
  /** Queued at this time or later. */
  readonly sinceMs?: number | undefined;
  /** Queued before this time. */
  readonly untilMs?: number | undefined;
  readonly hasSimulations?: boolean | undefined;
}

/** What charts and lists need of one run. */
export interface RunMark {
  readonly id: number;
  readonly taskId: number;
  readonly outcome: StoredOutcome;
  readonly queuedMs: number;
  readonly startedMs: number | undefined;
  readonly endedMs: number | undefined;
  /** Content received; undefined where the run left no report, or nobody asked. */
  readonly bytes: number | undefined;
}

/** What ran in some time, simulations left out. */
export interface RunTotals {
  readonly runs: number;
  readonly failed: number;
  readonly files: number;
  readonly bytes: number;
}

/** Runs of a task that are kept however old they are. */
export const RUNS_KEPT = 100;

/** All runs of all tasks. */
export class RunStore {
  readonly #statements: Statements;
  /** The list of tasks asks the same of each task at every look, and seldom is anything new. */
  readonly #remembered: Remembered;

  constructor(db: Database.Database) {
    this.#statements = new Statements(db);
    this.#remembered = new Remembered(db);
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
    if (filter.untilMs !== undefined) {
      conditions.push('queued_ms < ?');
      values.push(filter.untilMs);
    }
    if (filter.hasSimulations === false) conditions.push(`cause <> 'simulation'`);
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

  /** The newest run that ended, whatever came of it; a simulation is none. */
  lastEnded(taskId: number): StoredRun | undefined {
    return this.#last(taskId, ['interrupted', 'complete', 'incomplete', 'failed', 'held', 'cancelled']);
  }

  /** The newest run that saw the site to its end: the last one whose numbers are those of the site. */
  lastFinished(taskId: number): StoredRun | undefined {
    return this.#last(taskId, ['complete', 'incomplete']);
  }

  /** The newest run that has looked at the whole site, whether or not it then did what it had found. */
  lastPlanned(taskId: number): StoredRun | undefined {
    return this.#last(taskId, ['complete', 'incomplete', 'held']);
  }

  #last(taskId: number, outcomes: readonly StoredOutcome[]): StoredRun | undefined {
    return this.#remembered.get(`last ${taskId} ${outcomes.join()}`, () => {
      return this.list({ taskId, outcomes, hasSimulations: false }, 1)[0];
    });
  }

  /** The numbers of the task's runs by those that they have in its own database; simulations have none there. */
  idsOfLocal(taskId: number, localRunIds: readonly number[]): ReadonlyMap<number, number> {
    const rows = this.#statements
      .sql(
        `SELECT id, local_run_id FROM run WHERE task_id = ? AND cause <> 'simulation'
           AND local_run_id IN (SELECT value FROM json_each(?))`,
      )
      .all(taskId, JSON.stringify(localRunIds)) as Pick<RunRow, 'id' | 'local_run_id'>[];
    return new Map(rows.map((row) => [row.local_run_id ?? 0, row.id]));
  }

  /** The number of the task's run after, or before, this one. */
  neighbour(taskId: number, id: number, side: 'newer' | 'older'): number | undefined {
    const sql =
      side === 'newer'
        ? 'SELECT id FROM run WHERE task_id = ? AND id > ? ORDER BY id LIMIT 1'
        : 'SELECT id FROM run WHERE task_id = ? AND id < ? ORDER BY id DESC LIMIT 1';
    return this.#statements.value(sql).get(taskId, id) as number | undefined;
  }

  /**
   * The last `count` runs of each task, simulations left out, oldest first. Without `bytes`: to read 1,500 reports for
   * the list of tasks took a third of its time.
   */
  marksOfTasks(count: number): ReadonlyMap<number, readonly RunMark[]> {
    return this.#remembered.get(`marks ${count}`, () => this.#readMarks(count));
  }

  #readMarks(count: number): Map<number, RunMark[]> {
    const rows = this.#statements
      .sql(
        `SELECT run.id, run.task_id, run.outcome, run.queued_ms, run.started_ms, run.ended_ms, NULL AS bytes
         FROM task JOIN run ON run.id IN
           (SELECT id FROM run WHERE task_id = task.id AND cause <> 'simulation' ORDER BY id DESC LIMIT ?)
         ORDER BY run.id`,
      )
      .all(count) as MarkRow[];
    const marks = new Map<number, RunMark[]>();
    for (const row of rows) {
      const ofTask = marks.get(row.task_id);
      if (ofTask === undefined) marks.set(row.task_id, [runMark(row)]);
      else ofTask.push(runMark(row));
    }
    return marks;
  }

  /** The task's runs queued at `sinceMs` or later, simulations left out, oldest first; the newest `limit` of them. */
  marks(taskId: number, sinceMs: number, limit: number): RunMark[] {
    const rows = this.#statements
      .sql(
        `SELECT id, task_id, outcome, queued_ms, started_ms, ended_ms, json_extract(report, '$.bytes') AS bytes FROM run
         WHERE task_id = ? AND cause <> 'simulation' AND queued_ms >= ? ORDER BY id DESC LIMIT ?`,
      )
      .all(taskId, sinceMs, limit) as MarkRow[];
    return rows.map(runMark).reverse();
  }

  totalsSince(sinceMs: number): RunTotals {
    return this.#statements
      .sql(
        `SELECT count(*) AS runs, count(*) FILTER (WHERE outcome = 'failed') AS failed,
           coalesce(sum(json_extract(report, '$.counts.downloaded')), 0) AS files,
           coalesce(sum(json_extract(report, '$.bytes')), 0) AS bytes
         FROM run WHERE queued_ms >= ? AND cause <> 'simulation'`,
      )
      .get(sinceMs) as RunTotals;
  }

  /** The last time a schedule was served: when the task was last started by it. */
  lastScheduledMs(taskId: number): number | undefined {
    const value = this.#statements
      .value(`SELECT max(queued_ms) FROM run WHERE task_id = ? AND cause IN ('schedule', 'catch-up')`)
      .get(taskId) as number | null;
    return value ?? undefined;
  }

  /**
   * Forgets runs queued before `queuedMs`, but of each task the last RUNS_KEPT and the last of each outcome: a task that runs
   * every five minutes leaves a hundred thousand a year.
   */
  removeBefore(queuedMs: number): void {
    const ofTask = this.#statements.sql(
      `DELETE FROM run WHERE task_id = @taskId AND queued_ms < @queuedMs AND ended_ms IS NOT NULL
         AND id NOT IN (SELECT max(id) FROM run WHERE task_id = @taskId GROUP BY outcome)
         AND id < (SELECT id FROM run WHERE task_id = @taskId ORDER BY id DESC LIMIT 1 OFFSET @kept)`,
    );
    for (const taskId of this.#statements.value('SELECT DISTINCT task_id FROM run').all()) {
      ofTask.run({ taskId, queuedMs, kept: RUNS_KEPT - 1 });
    }
  }

  removeOfTask(taskId: number): void {
    this.#statements.sql('DELETE FROM run WHERE task_id = ?').run(taskId);
  }
}

interface MarkRow {
  id: number;
  task_id: number;
  outcome: StoredOutcome;
  queued_ms: number;
  started_ms: number | null;
  ended_ms: number | null;
  bytes: number | null;
}

function runMark(row: MarkRow): RunMark {
  return {
    id: row.id,
    taskId: row.task_id,
    outcome: row.outcome,
    queuedMs: row.queued_ms,
    startedMs: row.started_ms ?? undefined,
    endedMs: row.ended_ms ?? undefined,
    bytes: row.bytes ?? undefined,
  };
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
