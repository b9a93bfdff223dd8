import type Database from 'better-sqlite3';
import { pathSql } from './path-sql.ts';
import { Statements } from './statements.ts';

/**
 * Why content left its path: something else came there, of the same kind or of another, it has gone, was renamed, or is
 * not what was brought.
 */
export type VersionReason = 'replaced' | 'made-way' | 'vanished' | 'renamed' | 'damaged';

/** Content on its way out of `current/`. Paths of the server as latin1 text. */
export interface MovingVersion {
  readonly id: number;
  readonly path: string;
  readonly sizeBytes: number;
  readonly modifiedMs: number | undefined;
  readonly sha256: Buffer;
  /** Where it lies or lay below `current/`. */
  readonly origin: string;
  /** Its place below `versions/`; undefined for a rename. */
  readonly place: { readonly folder: string; readonly localPath: string } | undefined;
  /** For a rename: its new place below `current/`. */
  readonly movedPlace: string | undefined;
}

/** What becomes of a file that leaves its path. */
export interface Leaving {
  readonly untilRun: number;
  readonly reason: VersionReason;
  readonly retiredMs: number;
  /** Relative to `current/`. */
  readonly origin: string;
  readonly place: { readonly folder: string; readonly localPath: string } | undefined;
  readonly movedTo?: { readonly path: string; readonly place: string } | undefined;
}

interface MovingRow {
  id: number;
  path: string;
  size_bytes: number;
  modified_ms: number | null;
  sha256: Buffer;
  origin: string;
  folder: string | null;
  local_path: string | null;
  moved_place: string | null;
}

const MOVING_COLUMNS = 'id, path, size_bytes, modified_ms, sha256, origin, folder, local_path, moved_place';

/** A clock that was set back is known by the starts of so many earlier runs; one that was ahead is forgotten after as many. */
const RUNS_BEFORE = 30;

/** What the files of a task were before: one row for each content that left its path. The writing half. */
export class VersionIndex {
  readonly #db: Database.Database;
  readonly #statements: Statements;

  constructor(db: Database.Database) {
    this.#db = db;
    this.#statements = new Statements(db);
  }

  /**
   * Notes that the file is about to leave its path, and drops its record: to be called in one transaction with whatever
   * depends on it, and before the disk is touched. Gives the number of the row, undefined where there is no record. It counts
   * as left no earlier than the runs before began: by a clock that is a year back for a night it would be deleted the next.
   */
  leave(folderId: number, name: string, leaving: Leaving): number | undefined {
    const { untilRun, reason, retiredMs, origin, place, movedTo } = leaving;
    const result = this.#statements
      .sql(
        `INSERT INTO version (path, parent, since_run, until_run, content_run, reason, size_bytes, stamp, stamp_ms, precision,
           modified_ms, unique_id, mode, sha256, origin, folder, local_path, moved_to, moved_place, retired_ms, state, doubt)
         SELECT ${pathSql('folder.path', 'name')}, folder.path,
           coalesce(file.since_run, run_id), @untilRun, run_id, @reason, size_bytes, stamp, stamp_ms, precision,
           modified_ms, file.unique_id, mode, sha256, @origin, @folder, @localPath, @movedTo, @movedPlace,
           max(@retiredMs, coalesce((SELECT max(started_ms) FROM
             (SELECT started_ms FROM run WHERE id < @untilRun ORDER BY id DESC LIMIT ${RUNS_BEFORE})), 0)), 'moving', doubt
         FROM file JOIN folder ON folder.id = folder_id WHERE folder_id = @folderId AND name = @name`,
      )
      .run({
        folderId,
        name,
        untilRun,
        reason,
        retiredMs,
        origin,
        folder: place?.folder ?? null,
        localPath: place?.localPath ?? null,
        movedTo: movedTo?.path ?? null,
        movedPlace: movedTo?.place ?? null,
      });
    if (result.changes === 0) return undefined;
    this.#statements.sql('DELETE FROM file WHERE folder_id = ? AND name = ?').run(folderId, name);
    return Number(result.lastInsertRowid);
  }

  /** Content of which an earlier run cannot tell whether it has left, at most `limit` with a number above `afterId`. */
  moving(afterId: number, limit: number): MovingVersion[] {
    const rows = this.#statements
      .sql(`SELECT ${MOVING_COLUMNS} FROM version WHERE state = 'moving' AND id > ? ORDER BY id LIMIT ?`)
      .all(afterId, limit) as MovingRow[];
    return rows.map((row) => ({
      id: row.id,
      path: row.path,
      sizeBytes: row.size_bytes,
      modifiedMs: row.modified_ms ?? undefined,
      sha256: row.sha256,
      origin: row.origin,
      place:
        row.folder === null || row.local_path === null ? undefined : { folder: row.folder, localPath: row.local_path },
      movedPlace: row.moved_place ?? undefined,
    }));
  }

  /**
   * It has left: `kept` in its place, or what was found instead. With `untilRun`, in that run and not in the one that
   * began it.
   */
  settle(id: number, state: 'kept' | 'altered' | 'lost', untilRun?: number): void {
    this.#statements
      .sql(
        `UPDATE version SET state = @state, until_run = coalesce(@untilRun, until_run),
           folder = CASE @state WHEN 'lost' THEN NULL ELSE folder END,
           local_path = CASE @state WHEN 'lost' THEN NULL ELSE local_path END,
           moved_to = CASE @state WHEN 'lost' THEN NULL ELSE moved_to END
         WHERE id = @id`,
      )
      .run({ id, state, untilRun: untilRun ?? null });
  }

  /**
   * It has not left after all: the file has its record again, and will be compared anew. False where its folder is not
   * in the index any more, or another file has the record.
   */
  restore(id: number): boolean {
    let isRestored = false;
    this.#db.transaction(() => {
      const result = this.#statements
        .sql(
          `INSERT OR IGNORE INTO file (folder_id, name, size_bytes, stamp, stamp_ms, precision, modified_ms, unique_id, mode,
             sha256, local_name, run_id, since_run, is_unsettled, doubt, missing_since_run)
           SELECT folder.id, substr(version.path, length(CASE parent WHEN '/' THEN '' ELSE parent END) + 2), size_bytes,
             stamp, stamp_ms, precision, modified_ms, version.unique_id, mode, sha256,
             CASE folder.local_path WHEN '' THEN origin ELSE substr(origin, length(folder.local_path) + 2) END,
             content_run, version.since_run, 1, doubt,
             -- What was on its way for having gone was missing in the complete run before, or it would not have been.
             CASE reason WHEN 'vanished' THEN
               (SELECT max(run.id) FROM run WHERE outcome = 'complete' AND run.id < version.until_run) END
           FROM version JOIN folder ON folder.path = parent WHERE version.id = ?`,
        )
        .run(id);
      if (result.changes === 0) return;
      isRestored = true;
      this.#statements
        .sql('UPDATE folder SET fingerprint = NULL WHERE path = (SELECT parent FROM version WHERE id = ?)')
        .run(id);
      this.#statements.sql('DELETE FROM version WHERE id = ?').run(id);
    })();
    return isRestored;
  }

  /** For a `current/` that has been made anew: what the index held of it is gone, and the trees of the past say so. */
  loseCurrent(untilRun: number, nowMs: number): void {
    this.#statements
      .sql(
        `INSERT INTO version (path, parent, since_run, until_run, content_run, reason, size_bytes, stamp, stamp_ms, precision,
           modified_ms, unique_id, mode, sha256, origin, retired_ms, state)
         SELECT ${pathSql('folder.path', 'name')}, folder.path,
           coalesce(file.since_run, run_id), @untilRun, run_id, 'vanished', size_bytes, stamp, stamp_ms, precision, modified_ms,
           file.unique_id, mode, sha256, '', @nowMs, 'lost'
         FROM file JOIN folder ON folder.id = folder_id`,
      )
      .run({ untilRun, nowMs });
    this.#statements
      .sql(
        `INSERT OR REPLACE INTO past_folder (path, parent, local_path, since_run, until_run)
         SELECT folder.path, above.path, folder.local_path, coalesce(folder.since_run, 0), ?
         FROM folder LEFT JOIN folder above ON above.id = folder.parent_id`,
      )
      .run(untilRun);
  }

  /** For a `versions/` that has been made anew: nothing of what was known lies there. */
  loseVersions(): void {
    this.#statements
      .sql(
        `UPDATE version SET state = 'lost', folder = NULL, local_path = NULL WHERE folder IS NOT NULL AND state <> 'moving'`,
      )
      .run();
  }
}
