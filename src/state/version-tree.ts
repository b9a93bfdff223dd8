import type Database from 'better-sqlite3';
import { Statements } from './statements.ts';

/** Where the bytes of a past file lie, relative to the task's folder. */
export interface PastPlace {
  readonly folder: 'current' | 'versions';
  /** Relative to that folder. */
  readonly path: string;
}

/**
 * What is left of a past file. `altered`: somebody had changed it in `current/` before it was kept. `lost`: it was no longer
 * there when it should have been kept. `expired`: deleted by the rule for files that have gone from the server.
 */
export type PastState = 'there' | 'altered' | 'lost' | 'expired';

/** One file as a run has left it. Paths and names of the server as latin1 text. */
export interface PastFile {
  readonly path: string;
  readonly sizeBytes: number;
  readonly modifiedMs: number | undefined;
  readonly mode: string | undefined;
  readonly sha256: Buffer;
  /** The run from whose end on this content lay under this path. */
  readonly sinceRun: number;
  /** The run that replaced or retired it; undefined for what lies there now. */
  readonly untilRun: number | undefined;
  readonly state: PastState;
  /** Where to read it: the first of these places that holds it. Empty but for `there` and `altered`. */
  readonly places: readonly PastPlace[];
}

interface PastRow {
  path: string;
  size_bytes: number;
  modified_ms: number | null;
  mode: string | null;
  sha256: Buffer;
  since_run: number;
  until_run: number | null;
  state: string;
  place: string | null;
  origin: string;
  moved_to: string | null;
}

/** A file that was renamed more often than this since is taken for lost. */
const RENAMES_MAX = 1000;

const FILE_COLUMNS = `CASE folder.path WHEN '/' THEN '/' ELSE folder.path || '/' END || file.name AS path, size_bytes, modified_ms,
  file.mode AS mode, sha256, coalesce(file.since_run, run_id) AS since_run, NULL AS until_run, 'current' AS state, NULL AS place,
  CASE folder.local_path WHEN '' THEN '' ELSE folder.local_path || '/' END || coalesce(local_name, file.name) AS origin,
  NULL AS moved_to`;
const VERSION_COLUMNS = `path, size_bytes, modified_ms, mode, sha256, since_run, until_run, state,
  CASE WHEN folder IS NULL THEN NULL ELSE folder || '/' || local_path END AS place, origin, moved_to`;
/** What is still being moved counts as there: the run that finds it in one of its two places says when it left. */
const IS_OF_RUN = `since_run <= @run AND (until_run > @run OR state = 'moving') AND state <> 'pruning'`;

/**
 * What lay under `current/` at the end of a run, for any run that has not been pruned. Reads only; a run that is under way
 * meanwhile may move a file between two calls, which is why a file can have two places.
 */
export class VersionTree {
  readonly #statements: Statements;

  constructor(db: Database.Database) {
    this.#statements = new Statements(db);
  }

  /** Whether there was a folder of this path. */
  hasFolder(run: number, path: string): boolean {
    const found = this.#statements
      .sql(
        `SELECT 1 FROM folder WHERE path = @path AND coalesce(since_run, 0) <= @run
         UNION ALL SELECT 1 FROM past_folder WHERE path = @path AND since_run <= @run AND until_run > @run LIMIT 1`,
      )
      .get({ run, path });
    return found !== undefined;
  }

  /** Paths of the direct subfolders, in the order of their bytes, at most `limit` after the path `after`. */
  folders(run: number, parent: string, after: string, limit: number): string[] {
    return this.#statements
      .value(
        `SELECT path FROM folder WHERE parent_id = (SELECT id FROM folder WHERE path = @parent) AND path > @after
           AND coalesce(since_run, 0) <= @run
         UNION SELECT path FROM past_folder WHERE parent = @parent AND path > @after AND since_run <= @run AND until_run > @run
         ORDER BY path LIMIT @limit`,
      )
      .all({ run, parent, after, limit }) as string[];
  }

  /** Files of one folder, in the order of their names' bytes, at most `limit` after the name `after`. */
  files(run: number, folder: string, after: string, limit: number): PastFile[] {
    const rows = this.#statements
      .sql(
        `SELECT * FROM (
           SELECT ${FILE_COLUMNS} FROM folder JOIN file ON folder_id = folder.id
           WHERE folder.path = @folder AND file.name > @after AND coalesce(file.since_run, run_id) <= @run
           ORDER BY file.name LIMIT @limit)
         UNION ALL SELECT * FROM (
           SELECT ${VERSION_COLUMNS} FROM version WHERE parent = @folder AND path > @afterPath AND ${IS_OF_RUN}
           ORDER BY path LIMIT @limit)
         ORDER BY path LIMIT @limit`,
      )
      .all({ run, folder, after, limit, afterPath: `${folder === '/' ? '' : folder}/${after}` }) as PastRow[];
    return rows.map((row) => this.#pastFile(row));
  }

  file(run: number, path: string): PastFile | undefined {
    const row = this.#row(run, path);
    return row === undefined ? undefined : this.#pastFile(row);
  }

  /** All that is known of one path, the newest first: what lies there now, and what lay there before. */
  history(path: string, limit: number): PastFile[] {
    const now = this.#currentRow(path);
    const before = this.#statements
      .sql(
        `SELECT ${VERSION_COLUMNS} FROM version WHERE path = ? AND state <> 'pruning' ORDER BY until_run DESC, id DESC LIMIT ?`,
      )
      .all(path, limit) as PastRow[];
    return [...(now === undefined ? [] : [now]), ...before].slice(0, limit).map((row) => this.#pastFile(row));
  }

  #row(run: number, path: string): PastRow | undefined {
    const now = this.#currentRow(path);
    if (now !== undefined && now.since_run <= run) return now;
    return this.#statements
      .sql(`SELECT ${VERSION_COLUMNS} FROM version WHERE path = @path AND ${IS_OF_RUN}`)
      .get({ run, path }) as PastRow | undefined;
  }

  #currentRow(path: string): PastRow | undefined {
    const slash = path.lastIndexOf('/');
    return this.#statements
      .sql(
        `SELECT ${FILE_COLUMNS} FROM folder JOIN file ON folder_id = folder.id WHERE folder.path = ? AND file.name = ?`,
      )
      .get(slash === 0 ? '/' : path.slice(0, slash), path.slice(slash + 1)) as PastRow | undefined;
  }

  #pastFile(row: PastRow): PastFile {
    const holder = this.#holderOf(row);
    return {
      path: row.path,
      sizeBytes: row.size_bytes,
      modifiedMs: row.modified_ms ?? undefined,
      mode: row.mode ?? undefined,
      sha256: row.sha256,
      sinceRun: row.since_run,
      untilRun: row.until_run ?? undefined,
      state: holder === undefined ? 'lost' : stateOf(holder),
      places: holder === undefined ? [] : placesOf(holder),
    };
  }

  /** The row that has the bytes: of a file that was renamed since, the one of its last name. */
  #holderOf(row: PastRow): PastRow | undefined {
    let holder: PastRow | undefined = row;
    for (let renames = 0; holder?.moved_to != null && renames < RENAMES_MAX; renames++) {
      holder = this.#row(holder.until_run ?? 0, holder.moved_to);
    }
    return holder?.moved_to == null && holder?.sha256.equals(row.sha256) === true ? holder : undefined;
  }
}

function stateOf({ state }: PastRow): PastState {
  if (state === 'lost' || state === 'expired' || state === 'altered') return state;
  return 'there';
}

function placesOf({ state, place, origin }: PastRow): PastPlace[] {
  const current: PastPlace = { folder: 'current', path: origin };
  if (state === 'current') return [current];
  if (place === null || state === 'expired') return [];
  const kept: PastPlace = { folder: 'versions', path: place };
  return state === 'moving' ? [kept, current] : [kept];
}
