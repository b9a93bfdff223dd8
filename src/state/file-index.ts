import type Database from 'better-sqlite3';
import { folderOf, nameOf, pathIn } from '../paths.ts';
import { Statements } from './statements.ts';

/** One folder of the index. Paths are the server's bytes as latin1 text; `localPath` is relative to `current/`. */
export interface FolderRecord {
  readonly id: number;
  readonly path: string;
  readonly localPath: string;
  readonly unique: string | undefined;
  /** Of its last complete listing, all of whose files are in the index and settled. */
  readonly fingerprint: Buffer | undefined;
  readonly entryCount: number;
  readonly fileCount: number;
  readonly missingSinceRun: number | undefined;
}

/** One file that lies under `current/` with this size and content. */
export interface FileRecord {
  readonly name: string;
  readonly sizeBytes: number;
  readonly stamp: string | undefined;
  readonly stampMs: number | undefined;
  readonly precision: string;
  readonly modifiedMs: number | undefined;
  readonly unique: string | undefined;
  readonly mode: string | undefined;
  readonly sha256: Buffer;
  readonly localName: string;
  readonly isUnsettled: boolean;
  readonly missingSinceRun: number | undefined;
  /** Why the record is not believed any more; see proof-tables.ts. */
  readonly doubt?: string | undefined;
}

/** A file of the index by its place. */
export interface PlacedFile {
  readonly folderId: number;
  /** The server's. */
  readonly folderPath: string;
  readonly name: string;
  /** Relative to `current/`. */
  readonly localPath: string;
  readonly sizeBytes: number;
}

/** A file of the index that a complete listing did not show. */
export interface MissingFile extends PlacedFile {
  readonly modifiedMs: number | undefined;
  readonly missingSinceRun: number;
}

type MissingRow = Omit<MissingFile, 'localPath' | 'modifiedMs'> & {
  readonly folderLocalPath: string;
  readonly localName: string;
  readonly modifiedMs: number | null;
};

/** As SQLite gives it. */
export interface FolderRow {
  id: number;
  path: string;
  local_path: string;
  unique_id: string | null;
  fingerprint: Buffer | null;
  entry_count: number;
  file_count: number;
  missing_since_run: number | null;
}

interface FileRow {
  name: string;
  size_bytes: number;
  stamp: string | null;
  stamp_ms: number | null;
  precision: string;
  modified_ms: number | null;
  unique_id: string | null;
  mode: string | null;
  sha256: Buffer;
  local_name: string | null;
  is_unsettled: number;
  missing_since_run: number | null;
  doubt: string | null;
}

/** What is known to lie under `current/`. Every method is one statement or one transaction. */
export class FileIndex {
  readonly #db: Database.Database;
  readonly #statements: Statements;

  constructor(db: Database.Database) {
    this.#db = db;
    this.#statements = new Statements(db);
  }

  folder(path: string): FolderRecord | undefined {
    const row = this.#statements.sql('SELECT * FROM folder WHERE path = ?').get(path) as FolderRow | undefined;
    return row === undefined ? undefined : folderRecord(row);
  }

  /** The folder, present at the last complete look, that the server identified by `unique`. */
  folderPathByUnique(unique: string): string | undefined {
    return this.#statements
      .value('SELECT path FROM folder WHERE unique_id = ? AND missing_since_run IS NULL ORDER BY id LIMIT 1')
      .get(unique) as string | undefined;
  }

  /** True where no run has put anything on the disk yet. */
  isUnused(): boolean {
    return this.#statements.sql('SELECT 1 FROM folder LIMIT 1').get() === undefined;
  }

  /**
   * For a `current/` that run `runId` has made anew: nothing of what was known lies there. The root stays, as one that held
   * something: what the server shows of it is no more to be believed when it is empty than before.
   */
  forgetAll(runId: number): void {
    this.#db.exec('DELETE FROM file; DELETE FROM link; DELETE FROM folder WHERE parent_id IS NOT NULL');
    this.#statements.sql('UPDATE folder SET fingerprint = NULL, file_count = 0, since_run = ?').run(runId);
  }

  addFolder(folder: {
    parentId: number | undefined;
    path: string;
    localPath: string;
    unique: string | undefined;
    /** The run that saw it first. */
    sinceRun?: number;
  }): number {
    const result = this.#statements
      .sql('INSERT INTO folder (parent_id, path, local_path, unique_id, since_run) VALUES (?, ?, ?, ?, ?)')
      .run(folder.parentId ?? null, folder.path, folder.localPath, folder.unique ?? null, folder.sinceRun ?? null);
    return Number(result.lastInsertRowid);
  }

  /** The folder is there and will be compared entry by entry until a run has brought all of it. */
  markFolderChanging(id: number, unique: string | undefined): void {
    this.#statements
      .sql('UPDATE folder SET fingerprint = NULL, missing_since_run = NULL, unique_id = ? WHERE id = ?')
      .run(unique ?? null, id);
  }

  /** Direct subfolders of `folderId`, missing ones included, at most `limit` after the name-ordered path `after`. */
  subfolders(folderId: number, after: string, limit: number): FolderRecord[] {
    const rows = this.#statements
      .sql('SELECT * FROM folder WHERE parent_id = ? AND path > ? ORDER BY path LIMIT ?')
      .all(folderId, after, limit) as FolderRow[];
    return rows.map(folderRecord);
  }

  /** Files of a folder in the order of their names' bytes, missing ones included, at most `limit` after `after`. */
  files(folderId: number, after: string, limit: number): FileRecord[] {
    const rows = this.#statements
      .sql('SELECT * FROM file WHERE folder_id = ? AND name > ? ORDER BY name LIMIT ?')
      .all(folderId, after, limit) as FileRow[];
    return rows.map(fileRecord);
  }

  file(folderId: number, name: string): FileRecord | undefined {
    const row = this.#statements.sql('SELECT * FROM file WHERE folder_id = ? AND name = ?').get(folderId, name) as
      FileRow | undefined;
    return row === undefined ? undefined : fileRecord(row);
  }

  /** The run that brought the content of a file. */
  fileRun(folderId: number, name: string): number {
    return this.#statements
      .value('SELECT run_id FROM file WHERE folder_id = ? AND name = ?')
      .get(folderId, name) as number;
  }

  /** A file, or folder, of the folder `folder` that the last look has shown under `name` but for the case of its letters. */
  nameInOtherCase(folder: string, name: string, kind: 'file' | 'folder'): string | undefined {
    const path = pathIn(folder, name);
    const sql =
      kind === 'file'
        ? `SELECT file.name FROM folder JOIN file ON folder_id = folder.id
           WHERE path = @folder AND name = @name COLLATE NOCASE AND name <> @name AND file.missing_since_run IS NULL`
        : `SELECT substr(path, length(@path) - length(@name) + 1) FROM folder
           WHERE parent_id = (SELECT id FROM folder WHERE path = @folder)
             AND path = @path COLLATE NOCASE AND path <> @path AND missing_since_run IS NULL`;
    const values = kind === 'file' ? { folder, name } : { folder, name, path };
    return this.#statements.value(`${sql} LIMIT 1`).get(values) as string | undefined;
  }

  /** Whether the index has a file, and no folder or nothing, under a remote path. */
  hasFileAt(path: string): boolean {
    return (
      this.#statements
        .sql('SELECT 1 FROM folder JOIN file ON folder_id = folder.id WHERE folder.path = ? AND file.name = ?')
        .get(folderOf(path), nameOf(path)) !== undefined
    );
  }

  /** `sinceRun`: where the content has not come in run `runId` to this path, but was renamed to it later. */
  putFile(
    folderId: number,
    file: Omit<FileRecord, 'missingSinceRun' | 'doubt'>,
    runId: number,
    sinceRun?: number,
  ): void {
    this.#statements
      .sql(
        `INSERT OR REPLACE INTO file (folder_id, name, size_bytes, stamp, stamp_ms, precision, modified_ms, unique_id, mode,
         sha256, local_name, run_id, since_run, is_unsettled) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      )
      .run(
        folderId,
        file.name,
        file.sizeBytes,
        file.stamp ?? null,
        file.stampMs ?? null,
        file.precision,
        file.modifiedMs ?? null,
        file.unique ?? null,
        file.mode ?? null,
        file.sha256,
        file.localName === file.name ? null : file.localName,
        runId,
        sinceRun ?? null,
        file.isUnsettled ? 1 : 0,
      );
  }

  /** The same content has come again: what is known of when it came first stays. */
  confirmFile(
    folderId: number,
    name: string,
    told: Pick<FileRecord, 'stamp' | 'stampMs' | 'precision' | 'unique' | 'mode' | 'isUnsettled' | 'modifiedMs'>,
  ): void {
    this.refreshFile(folderId, name, told);
    this.#statements
      .sql('UPDATE file SET modified_ms = ?, doubt = NULL WHERE folder_id = ? AND name = ?')
      .run(told.modifiedMs ?? null, folderId, name);
  }

  /** Same content, told anew by the server: takes over what the listing says now, and that the file is there. */
  refreshFile(
    folderId: number,
    name: string,
    told: Pick<FileRecord, 'stamp' | 'stampMs' | 'precision' | 'unique' | 'mode' | 'isUnsettled'>,
  ): void {
    this.#statements
      .sql(
        `UPDATE file SET stamp = ?, stamp_ms = ?, precision = ?, unique_id = ?, mode = ?, is_unsettled = ?,
         missing_since_run = NULL, kept_run = NULL WHERE folder_id = ? AND name = ?`,
      )
      .run(
        told.stamp ?? null,
        told.stampMs ?? null,
        told.precision,
        told.unique ?? null,
        told.mode ?? null,
        told.isUnsettled ? 1 : 0,
        folderId,
        name,
      );
  }

  removeFile(folderId: number, name: string): void {
    this.#statements.sql('DELETE FROM file WHERE folder_id = ? AND name = ?').run(folderId, name);
  }

  /** `isKept`: somebody has decided that the file stays, so that it is never retired while it is missing. */
  markFileMissing(folderId: number, name: string, runId: number, isKept: boolean): void {
    this.#statements
      .sql(
        'UPDATE file SET missing_since_run = ?, kept_run = ? WHERE folder_id = ? AND name = ? AND missing_since_run IS NULL',
      )
      .run(runId, isKept ? runId : null, folderId, name);
  }

  /**
   * Files that were missing at the end of run `run` and are so still, at most `limit` after `after`. Those that somebody has
   * decided to keep are not among them.
   */
  missingFiles(run: number, after: MissingFile | undefined, limit: number): MissingFile[] {
    const rows = this.#statements
      .sql(
        `SELECT folder.id AS folderId, folder.path AS folderPath, folder.local_path AS folderLocalPath, file.name AS name,
           coalesce(local_name, name) AS localName, size_bytes AS sizeBytes, modified_ms AS modifiedMs,
           file.missing_since_run AS missingSinceRun
         FROM file JOIN folder ON folder.id = file.folder_id
         WHERE file.missing_since_run <= @run AND kept_run IS NULL
           AND (file.missing_since_run, folder_id, name) > (@afterRun, @afterFolder, @afterName)
         ORDER BY file.missing_since_run, folder_id, name LIMIT @limit`,
      )
      .all({
        run,
        limit,
        afterRun: after?.missingSinceRun ?? 0,
        afterFolder: after?.folderId ?? 0,
        afterName: after?.name ?? '',
      }) as MissingRow[];
    return rows.map(({ folderLocalPath, localName, modifiedMs, ...file }) => ({
      ...file,
      modifiedMs: modifiedMs ?? undefined,
      localPath: pathIn(folderLocalPath, localName),
    }));
  }

  /** Folders that were missing at the end of run `run` and are so still, the deepest first, at most `limit` before `before`. */
  missingFolders(run: number, before: string, limit: number): FolderRecord[] {
    const rows = this.#statements
      .sql(
        `SELECT * FROM folder WHERE missing_since_run <= @run AND (@before = '' OR path < @before) ORDER BY path DESC LIMIT @limit`,
      )
      .all({ run, before, limit }) as FolderRow[];
    return rows.map(folderRecord);
  }

  /** True where the index has neither files nor folders in it. */
  isEmptyFolder(folderId: number): boolean {
    return (
      this.#statements
        .sql('SELECT 1 FROM file WHERE folder_id = @id UNION ALL SELECT 1 FROM folder WHERE parent_id = @id LIMIT 1')
        .get({ id: folderId }) === undefined
    );
  }

  /** The folder is compared entry by entry at the next run. */
  forgetFingerprint(path: string): void {
    this.#statements.sql('UPDATE folder SET fingerprint = NULL WHERE path = ?').run(path);
  }

  clearLinks(folderId: number): void {
    this.#statements.sql('DELETE FROM link WHERE folder_id = ?').run(folderId);
  }

  /** Whether the last complete listing of the folder `path` showed a link of this name. */
  hasLink(path: string, name: string): boolean {
    return (
      this.#statements
        .sql('SELECT 1 FROM folder JOIN link ON folder_id = id WHERE path = ? AND name = ?')
        .get(path, name) !== undefined
    );
  }

  addLink(folderId: number, name: string, leadsTo: string): void {
    this.#statements
      .sql('INSERT OR REPLACE INTO link (folder_id, name, leads_to) VALUES (?, ?, ?)')
      .run(folderId, name, leadsTo);
  }
}

export function folderRecord(row: FolderRow): FolderRecord {
  return {
    id: row.id,
    path: row.path,
    localPath: row.local_path,
    unique: row.unique_id ?? undefined,
    fingerprint: row.fingerprint ?? undefined,
    entryCount: row.entry_count,
    fileCount: row.file_count,
    missingSinceRun: row.missing_since_run ?? undefined,
  };
}

function fileRecord(row: FileRow): FileRecord {
  return {
    name: row.name,
    sizeBytes: row.size_bytes,
    stamp: row.stamp ?? undefined,
    stampMs: row.stamp_ms ?? undefined,
    precision: row.precision,
    modifiedMs: row.modified_ms ?? undefined,
    unique: row.unique_id ?? undefined,
    mode: row.mode ?? undefined,
    sha256: row.sha256,
    localName: row.local_name ?? row.name,
    isUnsettled: row.is_unsettled === 1,
    missingSinceRun: row.missing_since_run ?? undefined,
    ...(row.doubt === null ? {} : { doubt: row.doubt }),
  };
}
