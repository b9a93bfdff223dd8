import type Database from 'better-sqlite3';
import { folderOf, nameOf } from '../paths.ts';
import { pathSql } from './path-sql.ts';
import { Statements } from './statements.ts';
import type { VersionReason } from './version-index.ts';

/** Where the bytes of a past file lie, relative to the task's folder. */
export interface PastPlace {
  readonly folder: 'current' | 'versions';
  /** Relative to that folder. */
  readonly path: string;
}

/**
 * What is left of a past file. `altered`: somebody had changed it in `current/` before it was kept. `lost`: it was no longer
 * there when it should have been kept. `expired`: deleted by the rule for files that have gone from the server. `deleted`: by
 * hand; `deleting`: that was begun, and it is not known whether the file still lies there.
 */
export type PastState = 'there' | 'altered' | 'lost' | 'expired' | 'deleted' | 'deleting';

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

/** Names one content among all that a path has had. */
export interface ContentKey {
  readonly untilRun: number;
  readonly rowId: number;
}

/** One content that lay under a path, and what became of it there. */
export interface PathContent {
  readonly file: PastFile;
  /** undefined for what lies there now. */
  readonly key: ContentKey | undefined;
  /** Why it left the path; undefined for what lies there now. */
  readonly reason: VersionReason | undefined;
  /** The path under which it went on. */
  readonly movedTo: string | undefined;
  /** The path under which it had come to lie before. */
  readonly movedFrom: string | undefined;
  /** The older content that has the bytes; undefined where they lie in `current/`, or nowhere. */
  readonly holder: ContentHolder | undefined;
}

/** The row of the versions that has the bytes: that of the last name under which they were known. */
export interface ContentHolder {
  readonly rowId: number;
  /** The content lay in `current/`, under one name or another, from the end of this run until the other. */
  readonly contentRun: number;
  readonly untilRun: number;
  /** Below `versions/`. */
  readonly place: { readonly folder: string; readonly localPath: string };
  /** A killed run was moving it; the next one finds out where it lies. */
  readonly isMoving: boolean;
}

interface PastRow {
  id: number | null;
  reason: VersionReason | null;
  path: string;
  size_bytes: number;
  modified_ms: number | null;
  mode: string | null;
  sha256: Buffer;
  since_run: number;
  until_run: number | null;
  content_run: number;
  state: string;
  folder: string | null;
  local_path: string | null;
  origin: string;
  moved_to: string | null;
  moved_place: string | null;
}

/** A file that was renamed more often than this since is taken for lost. */
const RENAMES_MAX = 1000;
/** Names of a folder's present files between which is looked at a time. */
const STRETCH = 2000;

const FILE_COLUMNS = `NULL AS id, NULL AS reason,
  ${pathSql('folder.path', 'file.name')} AS path, size_bytes, modified_ms,
  file.mode AS mode, sha256, coalesce(file.since_run, run_id) AS since_run, NULL AS until_run, run_id AS content_run,
  'current' AS state, NULL AS folder, NULL AS local_path,
  ${pathSql('folder.local_path', 'coalesce(local_name, file.name)')} AS origin,
  NULL AS moved_to, NULL AS moved_place`;
const VERSION_COLUMNS = `id, reason, path, size_bytes, modified_ms, mode, sha256, since_run, until_run, content_run, state,
  folder, local_path, origin, moved_to, moved_place`;
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
    const rows: PastRow[] = [];
    // A stretch of names at a time: where the folder is another now, most of what lies in one of the two tables is not of
    // this run, and each page would read on to the folder's end.
    for (let from: string | undefined = after; from !== undefined && rows.length < limit;) {
      const to = this.#statements
        .value(
          `SELECT name FROM file WHERE folder_id = (SELECT id FROM folder WHERE path = ?) AND name > ?
           ORDER BY name LIMIT 1 OFFSET ?`,
        )
        .get(folder, from, STRETCH) as string | undefined;
      rows.push(...this.#filesBetween(run, folder, from, to, limit - rows.length));
      from = to;
    }
    return rows.map((row) => this.#pastFile(row));
  }

  /** Names after `from` and not after `to`; undefined: to the end of the folder. */
  #filesBetween(run: number, folder: string, from: string, to: string | undefined, limit: number): PastRow[] {
    const prefix = folder === '/' ? '/' : `${folder}/`;
    // No name has a slash, and no byte of one is below it in its place: this is after every path of the folder.
    const end = to === undefined ? `${prefix.slice(0, -1)}0` : `${prefix}${to}`;
    return this.#statements
      .sql(
        `SELECT * FROM (
           SELECT ${FILE_COLUMNS} FROM folder JOIN file ON folder_id = folder.id
           WHERE folder.path = @folder AND file.name > @from AND (@to IS NULL OR file.name <= @to)
             AND coalesce(file.since_run, run_id) <= @run
           ORDER BY file.name LIMIT @limit)
         UNION ALL SELECT * FROM (
           SELECT ${VERSION_COLUMNS} FROM version WHERE parent = @folder AND path > @fromPath AND path <= @toPath AND ${IS_OF_RUN}
           ORDER BY path LIMIT @limit)
         ORDER BY path LIMIT @limit`,
      )
      .all({ run, folder, from, to: to ?? null, limit, fromPath: prefix + from, toPath: end }) as PastRow[];
  }

  file(run: number, path: string): PastFile | undefined {
    const row = this.#row(run, path);
    return row === undefined ? undefined : this.#pastFile(row);
  }

  /**
   * What lay under one path, the newest first and at most `limit`: what lies there now, and what lay there before. With
   * `after`, only what is older than that.
   */
  history(path: string, limit: number, after?: ContentKey): PathContent[] {
    const now = after === undefined ? this.#currentRow(path) : undefined;
    const before = this.#statements
      .sql(
        `SELECT ${VERSION_COLUMNS} FROM version WHERE path = @path AND state <> 'pruning'
           AND (until_run, id) < (@untilRun, @rowId) ORDER BY until_run DESC, id DESC LIMIT @limit`,
      )
      .all({ path, limit, untilRun: Number.MAX_SAFE_INTEGER, rowId: 0, ...after }) as PastRow[];
    return [...(now === undefined ? [] : [now]), ...before].slice(0, limit).map((row) => this.#pathContent(row));
  }

  /** The same of what lay there at the end of a run. */
  contentOfRun(run: number, path: string): PathContent | undefined {
    const row = this.#row(run, path);
    return row === undefined ? undefined : this.#pathContent(row);
  }

  /** One of what `history` gives; without `key` what lies there now. */
  content(path: string, key: ContentKey | undefined): PathContent | undefined {
    const row =
      key === undefined
        ? this.#currentRow(path)
        : (this.#statements
            .sql(
              `SELECT ${VERSION_COLUMNS} FROM version WHERE id = @rowId AND path = @path AND until_run = @untilRun
                 AND state <> 'pruning'`,
            )
            .get({ path, ...key }) as PastRow | undefined);
    return row === undefined ? undefined : this.#pathContent(row);
  }

  #pathContent(row: PastRow): PathContent {
    const { id, until_run: untilRun } = row;
    const movedFrom = this.#statements
      .value(`SELECT path FROM version WHERE moved_to = ? AND until_run = ? AND state <> 'pruning'`)
      .get(row.path, row.since_run) as string | undefined;
    return {
      file: this.#pastFile(row),
      key: id === null || untilRun === null ? undefined : { untilRun, rowId: id },
      reason: row.reason ?? undefined,
      movedTo: row.moved_to ?? undefined,
      movedFrom,
      holder: contentHolder(this.#holderOf(row)),
    };
  }

  #row(run: number, path: string): PastRow | undefined {
    const now = this.#currentRow(path);
    if (now !== undefined && now.since_run <= run) return now;
    return this.#statements
      .sql(`SELECT ${VERSION_COLUMNS} FROM version WHERE path = @path AND ${IS_OF_RUN}`)
      .get({ run, path }) as PastRow | undefined;
  }

  #currentRow(path: string): PastRow | undefined {
    return this.#statements
      .sql(
        `SELECT ${FILE_COLUMNS} FROM folder JOIN file ON folder_id = folder.id WHERE folder.path = ? AND file.name = ?`,
      )
      .get(folderOf(path), nameOf(path)) as PastRow | undefined;
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
    const goesOn = ({ moved_to: to, state }: PastRow): boolean => to !== null && state !== 'moving';
    for (let renames = 0; holder !== undefined && goesOn(holder) && renames < RENAMES_MAX; renames++) {
      holder = this.#row(holder.until_run ?? 0, holder.moved_to ?? '');
    }
    return holder !== undefined && !goesOn(holder) && holder.sha256.equals(row.sha256) ? holder : undefined;
  }
}

function contentHolder(row: PastRow | undefined): ContentHolder | undefined {
  if (row?.id == null || row.until_run === null || row.folder === null || row.local_path === null) return undefined;
  return {
    rowId: row.id,
    contentRun: row.content_run,
    untilRun: row.until_run,
    place: { folder: row.folder, localPath: row.local_path },
    isMoving: row.state === 'moving',
  };
}

function stateOf({ state, folder }: PastRow): PastState {
  if (state === 'deleted') return folder === null ? 'deleted' : 'deleting';
  if (state === 'lost' || state === 'expired' || state === 'altered') return state;
  return 'there';
}

function placesOf(row: PastRow): PastPlace[] {
  const { state, folder, local_path: localPath, moved_place: movedPlace, origin } = row;
  const current: PastPlace = { folder: 'current', path: origin };
  if (state === 'current') return [current];
  // On its way to another name.
  if (state === 'moving' && movedPlace !== null) return [{ folder: 'current', path: movedPlace }, current];
  if (folder === null || localPath === null || state === 'expired' || state === 'deleted') return [];
  const kept: PastPlace = { folder: 'versions', path: `${folder}/${localPath}` };
  return state === 'moving' ? [kept, current] : [kept];
}
