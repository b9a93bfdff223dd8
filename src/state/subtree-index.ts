import type Database from 'better-sqlite3';
import { pathIn } from '../paths.ts';
import { folderRecord } from './file-index.ts';
import type { FolderRecord, FolderRow, PlacedFile } from './file-index.ts';
import { Statements } from './statements.ts';

/** All of a subtree by the order of paths: `/a`, and what lies from `/a/` up to, not including, `/a0` (`0` follows `/`). */
const SUBTREE = `(folder.path = @path OR (folder.path >= @from AND folder.path < @to))`;
/** The same as one range of the index, with neighbours such as `/a-b` in it: a page of it needs no sorting of all the rest. */
const SUBTREE_IN_ORDER = `folder.path >= @start AND folder.path < @to AND (folder.path = @path OR folder.path >= @from)`;

function subtree(path: string): { path: string; from: string; to: string } {
  return { path, from: path === '/' ? '/' : `${path}/`, to: path === '/' ? '0' : `${path}0` };
}

/** What is known of a folder with all that lies below it. Every method is one statement or one transaction. */
export class SubtreeIndex {
  readonly #db: Database.Database;
  readonly #statements: Statements;

  constructor(db: Database.Database) {
    this.#db = db;
    this.#statements = new Statements(db);
  }

  /** Files at and below `path` that are not yet known to be missing. */
  presentFilesBelow(path: string): number {
    return this.#statements
      .value(
        `SELECT count(*) FROM file JOIN folder ON folder.id = file.folder_id
         WHERE file.missing_since_run IS NULL AND ${SUBTREE}`,
      )
      .get(subtree(path)) as number;
  }

  /**
   * Files at and below `path`, missing ones included, in the order of their folders' paths and their names, at most `limit`
   * after the file `afterName` of the folder `afterFolder`.
   */
  filesInSubtree(path: string, after: { folder: string; name: string }, limit: number): PlacedFile[] {
    const rows = this.#statements
      .sql(
        `SELECT folder.id AS folderId, folder.path AS folderPath, folder.local_path AS folderLocalPath, file.name AS name,
           coalesce(local_name, name) AS localName, size_bytes AS sizeBytes
         FROM folder JOIN file ON folder.id = file.folder_id
         WHERE ${SUBTREE_IN_ORDER} AND (folder.path, name) > (@afterFolder, @afterName)
         ORDER BY folder.path, name LIMIT @limit`,
      )
      .all({
        ...subtree(path),
        start: after.folder > path ? after.folder : path,
        afterFolder: after.folder,
        afterName: after.name,
        limit,
      }) as (Omit<PlacedFile, 'localPath'> & { folderLocalPath: string; localName: string })[];
    return rows.map(({ folderLocalPath, localName, ...file }) => ({
      ...file,
      localPath: pathIn(folderLocalPath, localName),
    }));
  }

  /** Folders at and below `path`, the deepest first, at most `limit` before `before` in that order; '' for the first page. */
  foldersInSubtree(path: string, before: string, limit: number): FolderRecord[] {
    const range = subtree(path);
    const rows = this.#statements
      .sql(`SELECT * FROM folder WHERE ${SUBTREE_IN_ORDER} ORDER BY folder.path DESC LIMIT @limit`)
      .all({ ...range, start: path, to: before === '' ? range.to : before, limit }) as FolderRow[];
    return rows.map(folderRecord);
  }

  /** Files at and below `path`, missing ones included. */
  filesBelow(path: string): number {
    return this.#statements
      .value(`SELECT count(*) FROM file JOIN folder ON folder.id = file.folder_id WHERE ${SUBTREE}`)
      .get(subtree(path)) as number;
  }

  /** The whole subtree has gone from the server: its files stay on disk and in the index, marked. See FileIndex.markFileMissing. */
  markSubtreeMissing(path: string, runId: number, isKept: boolean): void {
    this.#db.transaction(() => {
      this.#statements
        .sql(
          `UPDATE file SET missing_since_run = @runId, kept_run = @keptRun WHERE missing_since_run IS NULL
         AND folder_id IN (SELECT id FROM folder WHERE ${SUBTREE})`,
        )
        .run({ ...subtree(path), runId, keptRun: isKept ? runId : null });
      this.#statements
        .sql(
          `UPDATE folder SET missing_since_run = @runId, fingerprint = NULL WHERE missing_since_run IS NULL AND ${SUBTREE}`,
        )
        .run({ ...subtree(path), runId });
    })();
  }

  /** Forgets a subtree that `untilRun` has moved away; that its folders were there stays known. */
  removeSubtree(path: string, untilRun: number): void {
    this.#db.transaction(() => {
      this.#statements
        .sql(
          `INSERT OR REPLACE INTO past_folder (path, parent, local_path, since_run, until_run)
           SELECT folder.path, above.path, folder.local_path, coalesce(folder.since_run, 0), @untilRun
           FROM folder LEFT JOIN folder above ON above.id = folder.parent_id WHERE ${SUBTREE}`,
        )
        .run({ ...subtree(path), untilRun });
      for (const table of ['file', 'link']) {
        this.#statements
          .sql(`DELETE FROM ${table} WHERE folder_id IN (SELECT id FROM folder WHERE ${SUBTREE})`)
          .run(subtree(path));
      }
      this.#statements.sql(`DELETE FROM folder WHERE ${SUBTREE}`).run(subtree(path));
    })();
  }
}
