import type Database from 'better-sqlite3';
import { Statements } from './statements.ts';

/** What is told of a file that a listing did not show, beside what the server says when asked for it. */
export interface HiddenFile {
  readonly name: string;
  readonly mode: string | undefined;
}

const FILES = `FROM file WHERE folder_id = @folderId AND missing_since_run IS NULL AND NOT EXISTS (
  SELECT 1 FROM run_entry WHERE run_folder_id = @runFolderId AND name = file.name)`;

/** What the index has of one folder and a listing of this run, not seen whole, does not show. */
export class HiddenTables {
  readonly #statements: Statements;

  constructor(db: Database.Database) {
    this.#statements = new Statements(db);
  }

  fileCount(runFolderId: number, folderId: number): number {
    return this.#statements.value(`SELECT count(*) ${FILES}`).get({ runFolderId, folderId }) as number;
  }

  /** In the order of their names. */
  files(runFolderId: number, folderId: number, offset: number, limit: number): HiddenFile[] {
    const rows = this.#statements
      .sql(`SELECT name, mode ${FILES} ORDER BY name LIMIT @limit OFFSET @offset`)
      .all({ runFolderId, folderId, offset, limit }) as { name: string; mode: string | null }[];
    return rows.map(({ name, mode }) => ({ name, mode: mode ?? undefined }));
  }

  /** Direct subfolders of `path`. */
  subfolders(runFolderId: number, folderId: number, path: string): { name: string; unique: string | undefined }[] {
    const nameStart = path === '/' ? 2 : path.length + 2;
    const rows = this.#statements
      .sql(
        `SELECT substr(path, @nameStart) AS name, unique_id AS "unique" FROM folder
         WHERE parent_id = @folderId AND missing_since_run IS NULL AND NOT EXISTS (
           SELECT 1 FROM run_entry WHERE run_folder_id = @runFolderId AND name = substr(folder.path, @nameStart))
         ORDER BY path`,
      )
      .all({ runFolderId, folderId, nameStart }) as { name: string; unique: string | null }[];
    return rows.map(({ name, unique }) => ({ name, unique: unique ?? undefined }));
  }

  /** Whether a folder of this run is one that its parent's listing, not seen whole, does not show. */
  isHiddenFolder(runFolderId: number): boolean {
    return (
      this.#statements
        .sql(
          `SELECT 1 FROM run_folder AS child JOIN run_folder AS parent ON parent.id = child.parent_id
           WHERE child.id = @runFolderId AND parent.incomplete IS NOT NULL AND NOT EXISTS (
             SELECT 1 FROM run_entry WHERE run_folder_id = parent.id
               AND name = substr(child.path, CASE parent.path WHEN '/' THEN 2 ELSE length(parent.path) + 2 END))`,
        )
        .get({ runFolderId }) !== undefined
    );
  }

  /** As if the folder had never been looked for. */
  dropFolder(runFolderId: number): void {
    this.#statements.sql('DELETE FROM run_folder WHERE id = ?').run(runFolderId);
  }
}
