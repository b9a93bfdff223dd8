import type Database from 'better-sqlite3';
import { Statements } from './statements.ts';

/** A run that has changed what lies under `current/`: the tree as it left it can be gone back to until it is pruned. */
export interface RestorePoint {
  readonly runId: number;
  readonly startedMs: number;
  /** undefined for a run that is under way. */
  readonly endedMs: number | undefined;
  readonly outcome: string;
  readonly isPinned: boolean;
  /** JSON; undefined where the run left none. */
  readonly report: string | undefined;
}

/** Some points, taken together. */
export interface PointsShowing {
  readonly count: number;
  readonly isAnyPinned: boolean;
  /** undefined where there are none. */
  readonly oldestMs: number | undefined;
  readonly newestMs: number | undefined;
}

interface PointRow {
  id: number;
  started_ms: number;
  ended_ms: number | null;
  outcome: string;
  is_pinned: number;
  report: string | null;
}

const IS_POINT = 'has_changed = 1 AND pruned_ms IS NULL';

/** The trees of the past that are kept. */
export class RestorePoints {
  readonly #statements: Statements;

  constructor(db: Database.Database) {
    this.#statements = new Statements(db);
  }

  /** Points, the newest first, at most `limit` before the run `beforeRun`. */
  list(beforeRun: number, limit: number): RestorePoint[] {
    const rows = this.#statements
      .sql(
        `SELECT id, started_ms, ended_ms, outcome, is_pinned, report FROM run WHERE ${IS_POINT} AND id < ? ORDER BY id DESC LIMIT ?`,
      )
      .all(beforeRun, limit) as PointRow[];
    return rows.map(restorePoint);
  }

  /**
   * The point that has the tree at the end of run `runId`: that run, or the last one before it that changed anything.
   * `pruned`: there was one, and it is no longer kept. `unknown`: no such run, or nothing was there yet.
   */
  of(runId: number): RestorePoint | 'pruned' | 'unknown' {
    const isKnown = this.#statements.sql('SELECT 1 FROM run WHERE id = ?').get(runId) !== undefined;
    const row = this.#statements
      .sql(
        `SELECT id, started_ms, ended_ms, outcome, is_pinned, report, pruned_ms FROM run WHERE has_changed = 1 AND id <= ?
         ORDER BY id DESC LIMIT 1`,
      )
      .get(runId) as (PointRow & { pruned_ms: number | null }) | undefined;
    if (!isKnown || row === undefined) return 'unknown';
    return row.pruned_ms === null ? restorePoint(row) : 'pruned';
  }

  /** All that are kept, the oldest first: one row for each run that changed something. */
  all(): RestorePoint[] {
    return this.list(Number.MAX_SAFE_INTEGER, -1).reverse();
  }

  /** The oldest that is kept after the run `afterRun`. */
  oldest(afterRun: number): RestorePoint | undefined {
    const row = this.#statements
      .sql(
        `SELECT id, started_ms, ended_ms, outcome, is_pinned, report FROM run WHERE ${IS_POINT} AND id > ? ORDER BY id LIMIT 1`,
      )
      .get(afterRun) as PointRow | undefined;
    return row === undefined ? undefined : restorePoint(row);
  }

  /** The nearest kept points before and after this run; undefined where there is none. */
  neighbours(runId: number): { before: number | undefined; after: number | undefined } {
    const nearest = (sql: string): number | undefined =>
      (this.#statements.value(sql).get(runId) as number | null) ?? undefined;
    return {
      before: nearest(`SELECT max(id) FROM run WHERE ${IS_POINT} AND id < ?`),
      after: nearest(`SELECT min(id) FROM run WHERE ${IS_POINT} AND id > ?`),
    };
  }

  /** The kept points that show content which came with run `fromRun` and left with run `untilRun`. */
  showing(fromRun: number, untilRun: number): PointsShowing {
    const row = this.#statements
      .sql(
        `SELECT count(*) AS count, coalesce(sum(is_pinned), 0) AS pinned, min(started_ms) AS oldestMs, max(started_ms) AS newestMs
         FROM run WHERE ${IS_POINT} AND id >= ? AND id < ?`,
      )
      .get(fromRun, untilRun) as { count: number; pinned: number; oldestMs: number | null; newestMs: number | null };
    const { count, pinned, oldestMs, newestMs } = row;
    return { count, isAnyPinned: pinned > 0, oldestMs: oldestMs ?? undefined, newestMs: newestMs ?? undefined };
  }

  /** When these runs began, whether they are points or not. */
  startsOf(runIds: readonly number[]): ReadonlyMap<number, number> {
    const rows = this.#statements
      .sql('SELECT id, started_ms FROM run WHERE id IN (SELECT value FROM json_each(?))')
      .all(JSON.stringify(runIds)) as Pick<PointRow, 'id' | 'started_ms'>[];
    return new Map(rows.map((row) => [row.id, row.started_ms]));
  }

  /**
   * When the last run ended that came to its end; undefined where none has. Of one that was interrupted, only the time is
   * known when it was found; and one that failed may have failed by a wrong clock, as certificates do.
   */
  lastEndMs(): number | undefined {
    return this.#statements
      .value(`SELECT ended_ms FROM run WHERE outcome IN ('complete', 'incomplete', 'held') ORDER BY id DESC LIMIT 1`)
      .get() as number | undefined;
  }

  count(): number {
    return this.#statements.value(`SELECT count(*) FROM run WHERE ${IS_POINT}`).get() as number;
  }

  /** The point that has the tree of the last complete run. */
  lastComplete(): number | undefined {
    const run = this.#statements.value(`SELECT max(id) FROM run WHERE outcome = 'complete'`).get() as number | null;
    const point = run === null ? undefined : this.of(run);
    return typeof point === 'object' ? point.runId : undefined;
  }

  /** They can no longer be gone back to. What only they needed is then to be swept. */
  markPruned(runIds: readonly number[], nowMs: number): void {
    for (const runId of runIds) {
      this.#statements.sql('UPDATE run SET pruned_ms = ? WHERE id = ?').run(nowMs, runId);
    }
  }

  /** A pinned point is never pruned. False where there is no such point. */
  setPinned(runId: number, isPinned: boolean): boolean {
    const { changes } = this.#statements
      .sql(`UPDATE run SET is_pinned = ? WHERE id = ? AND ${IS_POINT}`)
      .run(isPinned ? 1 : 0, runId);
    return changes === 1;
  }
}

function restorePoint(row: PointRow): RestorePoint {
  return {
    runId: row.id,
    startedMs: row.started_ms,
    endedMs: row.ended_ms ?? undefined,
    outcome: row.outcome,
    isPinned: row.is_pinned === 1,
    report: row.report ?? undefined,
  };
}
