import type Database from 'better-sqlite3';
import { pathSql } from './path-sql.ts';
import { Statements } from './statements.ts';

/** Rows read at a time. */
const PAGE = 1000;

type Row = Readonly<Record<string, string | number | Buffer | null>>;

/** Rows of one kind, for people and programs that have lost the index. Buffers are SHA-256. */
export interface ManifestRow {
  readonly kind: 'run' | 'folder' | 'file' | 'link' | 'version' | 'past-folder';
  readonly values: Row;
}

/**
 * All that would be needed to make the index anew, page by page and in a stable order: runs that changed something, then
 * folders, files, links, older content and folders of the past. Paths of the server as latin1 text.
 */
export class ManifestRows {
  readonly #statements: Statements;

  constructor(db: Database.Database) {
    this.#statements = new Statements(db);
  }

  /** Pages of at most PAGE rows. The database can be written between two of them. */
  *pages(): Generator<readonly ManifestRow[]> {
    yield* this.#byNumber('run', RUNS);
    yield* this.#byNumber('folder', FOLDERS);
    yield* this.#inFolders('file', FILES);
    yield* this.#inFolders('link', LINKS);
    yield* this.#byNumber('version', VERSIONS);
    yield* this.#pastFolders();
  }

  *#byNumber(kind: ManifestRow['kind'], sql: string): Generator<ManifestRow[]> {
    for (let after = 0; ;) {
      const rows = this.#statements.sql(sql).all(after, PAGE) as (Row & { readonly id: number })[];
      const last = rows.at(-1);
      if (last === undefined) return;
      after = last.id;
      yield rows.map((row) => ({ kind, values: kind === 'run' ? row : without(row, ['id']) }));
    }
  }

  *#inFolders(kind: ManifestRow['kind'], sql: string): Generator<ManifestRow[]> {
    for (let after = { folderId: 0, name: '' }; ;) {
      const rows = this.#statements.sql(sql).all(after.folderId, after.name, PAGE) as (Row & typeof after)[];
      const last = rows.at(-1);
      if (last === undefined) return;
      after = last;
      yield rows.map((row) => ({ kind, values: without(row, ['folderId', 'name']) }));
    }
  }

  *#pastFolders(): Generator<ManifestRow[]> {
    for (let after = { path: '', until: 0 }; ;) {
      const rows = this.#statements.sql(PAST_FOLDERS).all(after.path, after.until, PAGE) as (Row & typeof after)[];
      const last = rows.at(-1);
      if (last === undefined) return;
      after = last;
      yield rows.map((values) => ({ kind: 'past-folder', values }));
    }
  }
}

function without(row: Row, keys: readonly string[]): Row {
  return Object.fromEntries(Object.entries(row).filter(([key]) => !keys.includes(key)));
}

const RUNS = `SELECT id, started_ms AS startedMs, CASE outcome WHEN 'running' THEN 'complete' ELSE outcome END AS outcome,
    is_pinned AS isPinned, pruned_ms AS prunedMs
  FROM run WHERE has_changed = 1 AND id > ? ORDER BY id LIMIT ?`;
const FOLDERS = `SELECT id, path, local_path AS local, unique_id AS "unique", since_run AS since, missing_since_run AS missing
  FROM folder WHERE id > ? ORDER BY id LIMIT ?`;
const IN_FOLDER = `${pathSql('folder.path', 'name')} AS path`;
const FILES = `SELECT folder_id AS folderId, name, ${IN_FOLDER},
    ${pathSql('folder.local_path', 'coalesce(local_name, name)')} AS local,
    size_bytes AS size, sha256, stamp, stamp_ms AS stampMs, precision, modified_ms AS modifiedMs,
    file.unique_id AS "unique", mode, run_id AS run, file.since_run AS since, nullif(is_unsettled, 0) AS unsettled,
    file.missing_since_run AS missing, kept_run AS kept
  FROM file JOIN folder ON folder.id = folder_id WHERE (folder_id, name) > (?, ?) ORDER BY folder_id, name LIMIT ?`;
const LINKS = `SELECT folder_id AS folderId, name, ${IN_FOLDER}, leads_to AS leadsTo
  FROM link JOIN folder ON folder.id = folder_id WHERE (folder_id, name) > (?, ?) ORDER BY folder_id, name LIMIT ?`;
const VERSIONS = `SELECT id, path, since_run AS since, until_run AS until, content_run AS run, reason, size_bytes AS size, sha256,
    stamp, stamp_ms AS stampMs, precision, modified_ms AS modifiedMs, unique_id AS "unique", mode, origin, folder,
    local_path AS local, moved_to AS movedTo, moved_place AS movedPlace, retired_ms AS retiredMs, state
  FROM version WHERE state NOT IN ('moving', 'pruning') AND id > ? ORDER BY id LIMIT ?`;
const PAST_FOLDERS = `SELECT path, parent, local_path AS local, since_run AS since, until_run AS until
  FROM past_folder WHERE (path, until_run) > (?, ?) ORDER BY path, until_run LIMIT ?`;
