import type Database from 'better-sqlite3';
import { STEPS, STEP_PATH } from './path-sql.ts';
import { Statements } from './statements.ts';

/** What the work of a run amounts to so far: read only, and complete once the work is. */
export class RunResults {
  readonly #statements: Statements;

  constructor(db: Database.Database) {
    this.#statements = new Statements(db);
  }

  counts(): {
    listed: number;
    unchanged: number;
    new: number;
    changed: number;
    renamed: number;
    vanished: number;
    downloaded: number;
    failed: number;
    retired: number;
    foldersComplete: number;
    foldersIncomplete: number;
  } {
    const folders = this.#statements
      .sql(
        `SELECT coalesce(sum(file_count), 0) AS listed,
           coalesce(sum(CASE WHEN is_unchanged THEN file_count ELSE unchanged_count END), 0) AS unchanged,
           count(*) FILTER (WHERE state = 'listed' AND incomplete IS NULL) AS foldersComplete,
           count(*) FILTER (WHERE state <> 'listed' OR incomplete IS NOT NULL) AS foldersIncomplete
         FROM run_folder`,
      )
      .get() as { listed: number; unchanged: number; foldersComplete: number; foldersIncomplete: number };
    const steps = this.#statements
      .sql(
        `SELECT
           count(*) FILTER (WHERE action = 'download' AND reason = 'new') AS new,
           count(*) FILTER (WHERE (action = 'download' AND reason <> 'new') OR (action = 'recheck' AND state <> 'done'))
             AS changed,
           count(*) FILTER (WHERE action = 'rename') AS renamed,
           count(*) FILTER (WHERE action = 'recheck' AND state = 'done') AS rechecked,
           coalesce(sum(file_count) FILTER (WHERE action IN ('vanish', 'vanish-folder')), 0) AS vanished,
           count(*) FILTER (WHERE action = 'download' AND state = 'done') AS downloaded,
           count(*) FILTER (WHERE state = 'failed') AS failed,
           coalesce(sum(file_count) FILTER (WHERE action IN ('retire', 'retire-folder', 'retire-vanished') AND state = 'done'), 0) AS retired
         FROM run_step`,
      )
      .get() as {
      new: number;
      changed: number;
      renamed: number;
      rechecked: number;
      vanished: number;
      downloaded: number;
      failed: number;
      retired: number;
    };
    const { rechecked, ...rest } = steps;
    return { ...folders, ...rest, unchanged: folders.unchanged + rechecked };
  }

  /** What was asked for and not got, folders first. `path` is the server's bytes as latin1 text. */
  failures(limit: number): { path: string; code: string; detail: string | undefined }[] {
    const rows = this.#statements
      .sql(
        `SELECT path, incomplete AS code, detail FROM run_folder WHERE incomplete IS NOT NULL
         UNION ALL
         SELECT ${STEP_PATH}, error_code, error_detail FROM ${STEPS} WHERE step.state = 'failed'
         LIMIT ?`,
      )
      .all(limit) as { path: string; code: string; detail: string | null }[];
    return rows.map((row) => ({ path: row.path, code: row.code, detail: row.detail ?? undefined }));
  }

  /** Files that this work has brought, found gone or moved away, in the order of the plan. Paths as in `failures`. */
  changes(limit: number): { path: string; code: string; sizeBytes: number }[] {
    return this.#statements
      .sql(
        `SELECT ${STEP_PATH} AS path,
           CASE WHEN action LIKE 'vanish%' THEN 'vanished' WHEN action LIKE 'retire%' THEN 'retired'
             WHEN reason IN ('new', 'renamed') THEN 'new' ELSE 'changed' END AS code,
           coalesce(got_size, size_bytes) AS sizeBytes
         FROM ${STEPS} WHERE step.state = 'done' AND action NOT IN ('recheck', 'reject') ORDER BY step.id LIMIT ?`,
      )
      .all(limit) as { path: string; code: string; sizeBytes: number }[];
  }

  /** What the index says lies under `current/`. */
  storedTotals(): { files: number; bytes: number } {
    return this.#statements.sql('SELECT count(*) AS files, coalesce(sum(size_bytes), 0) AS bytes FROM file').get() as {
      files: number;
      bytes: number;
    };
  }

  failureCount(): number {
    return this.#statements
      .value(
        `SELECT (SELECT count(*) FROM run_folder WHERE incomplete IS NOT NULL)
           + (SELECT count(*) FROM run_step WHERE state = 'failed')`,
      )
      .get() as number;
  }
}
