import type Database from 'better-sqlite3';
import { FileIndex } from './file-index.ts';
import { Statements } from './statements.ts';
import { VersionIndex } from './version-index.ts';

/** A row of a manifest, with the names that it has there; SHA-256 as a Buffer, paths of the server as latin1 text. */
export type ManifestValues = Readonly<Record<string, string | number | Buffer | undefined>>;

/** A file of the index, by where it lies. */
export interface ClaimedFile {
  readonly folderId: number;
  readonly name: string;
  readonly sizeBytes: number;
  readonly sha256: Buffer;
}

/** A file that lies on the disk, as it was read. */
export interface FoundFile {
  readonly localName: string;
  readonly sizeBytes: number;
  readonly sha256: Buffer;
  /** undefined: nothing may be concluded from its time. */
  readonly modifiedMs: number | undefined;
}

/** Older content that the index claims. */
export interface ClaimedVersion {
  readonly id: number;
  readonly place: { readonly folder: string; readonly localPath: string };
  readonly sizeBytes: number;
  readonly sha256: Buffer;
}

const PAGE = 500;

/** An index in the making: filled from a manifest, then made to fit what lies on the disk. */
export class AdoptionIndex {
  readonly #db: Database.Database;
  readonly #statements: Statements;
  readonly #files: FileIndex;
  readonly #versions: VersionIndex;
  readonly #nowMs: number;
  #runId = 0;

  constructor(db: Database.Database, nowMs: number) {
    this.#db = db;
    this.#statements = new Statements(db);
    this.#files = new FileIndex(db);
    this.#versions = new VersionIndex(db);
    this.#nowMs = nowMs;
  }

  /** Does `work` in one transaction: a manifest is taken in whole or not at all. Others have to wait. */
  async whole(work: () => Promise<void>): Promise<void> {
    this.#db.exec('BEGIN');
    try {
      await work();
      this.#db.exec('COMMIT');
    } catch (error) {
      this.#db.exec('ROLLBACK');
      throw error;
    }
  }

  /** `hasChanged`: it can be gone back to. One that is known already stays as it is. */
  addRun(run: ManifestValues, hasChanged: boolean): void {
    this.#statements
      .sql(
        `INSERT OR IGNORE INTO run (id, started_ms, ended_ms, outcome, has_changed, is_pinned, pruned_ms)
         VALUES (@id, @startedMs, @startedMs, @outcome, @hasChanged, @isPinned, @prunedMs)`,
      )
      .run({
        ...columns(run, ['id', 'startedMs', 'outcome', 'prunedMs']),
        isPinned: run['isPinned'] ?? 0,
        hasChanged: hasChanged ? 1 : 0,
      });
  }

  /** False where the folder above it is not known. */
  addFolder(folder: ManifestValues, parent: string | undefined): boolean {
    const { changes } = this.#statements
      .sql(
        `INSERT INTO folder (parent_id, path, local_path, unique_id, since_run, missing_since_run)
         SELECT (SELECT id FROM folder WHERE path = @parent), @path, @local, @unique, @since, @missing
         WHERE @parent IS NULL OR EXISTS (SELECT 1 FROM folder WHERE path = @parent)`,
      )
      .run({ ...columns(folder, ['path', 'local', 'unique', 'since', 'missing']), parent: parent ?? null });
    return changes === 1;
  }

  /** False where its folder is not known at that place. */
  addFile(file: ManifestValues, at: { folder: string; name: string; localFolder: string; localName: string }): boolean {
    const { changes } = this.#statements
      .sql(
        `INSERT INTO file (folder_id, name, size_bytes, stamp, stamp_ms, precision, modified_ms, unique_id, mode, sha256,
           local_name, run_id, since_run, is_unsettled, missing_since_run, kept_run)
         SELECT id, @name, @size, @stamp, @stampMs, @precision, @modifiedMs, @unique, @mode, @sha256, nullif(@localName, @name),
           @run, @since, coalesce(@unsettled, 0), @missing, @kept FROM folder WHERE path = @folder AND local_path = @localFolder`,
      )
      .run({ ...columns(file, FILE_VALUES), ...at });
    return changes === 1;
  }

  addLink(folder: string, name: string, leadsTo: string): void {
    this.#statements
      .sql('INSERT OR REPLACE INTO link (folder_id, name, leads_to) SELECT id, ?, ? FROM folder WHERE path = ?')
      .run(name, leadsTo, folder);
  }

  addVersion(version: ManifestValues, parent: string): void {
    this.#statements
      .sql(
        `INSERT INTO version (path, parent, since_run, until_run, content_run, reason, size_bytes, stamp, stamp_ms, precision,
           modified_ms, unique_id, mode, sha256, origin, folder, local_path, moved_to, moved_place, retired_ms, state)
         VALUES (@path, @parent, @since, @until, @run, @reason, @size, @stamp, @stampMs, @precision, @modifiedMs, @unique, @mode,
           @sha256, @origin, @folder, @local, @movedTo, @movedPlace, @retiredMs, @state)`,
      )
      .run({ ...columns(version, VERSION_VALUES), parent });
  }

  addPastFolder(folder: ManifestValues): void {
    this.#statements
      .sql(
        `INSERT OR REPLACE INTO past_folder (path, parent, local_path, since_run, until_run)
         VALUES (@path, @parent, @local, @since, @until)`,
      )
      .run(columns(folder, ['path', 'parent', 'local', 'since', 'until']));
  }

  /** The comparison with the disk begins; it counts as a run of its own. */
  begin(): void {
    this.#db.exec(
      `CREATE INDEX adopt_folder ON folder (local_path);
       CREATE INDEX adopt_file ON file (folder_id, local_name) WHERE local_name IS NOT NULL`,
    );
    const { lastInsertRowid } = this.#statements
      .sql(`INSERT INTO run (started_ms, outcome) VALUES (?, 'running')`)
      .run(this.#nowMs);
    this.#runId = Number(lastInsertRowid);
  }

  /** What the index says lies at this place below `current/`. */
  claimed(localFolder: string, localName: string): ClaimedFile | undefined {
    const row = this.#statements
      .sql(
        `SELECT folder_id AS folderId, name, size_bytes AS sizeBytes, sha256 FROM folder JOIN file ON folder_id = folder.id
         WHERE local_path = @localFolder AND (local_name = @localName OR (name = @localName AND local_name IS NULL))`,
      )
      .get({ localFolder, localName }) as ClaimedFile | undefined;
    return row;
  }

  /** It was read and is what the index says. */
  confirm({ folderId, name }: ClaimedFile): void {
    this.#statements
      .sql('UPDATE file SET rehashed_ms = ? WHERE folder_id = ? AND name = ?')
      .run(this.#nowMs, folderId, name);
  }

  /** What the index says is not what lies there: the trees of the past say that it is lost. */
  lose({ folderId, name }: Pick<ClaimedFile, 'folderId' | 'name'>): void {
    const leaving = { untilRun: this.#runId, retiredMs: this.#nowMs, origin: '', place: undefined };
    this.#db.transaction(() => {
      const id = this.#versions.leave(folderId, name, { ...leaving, reason: 'vanished' });
      if (id !== undefined) this.#versions.settle(id, 'lost');
      this.#forgetFingerprints(folderId);
    })();
  }

  folderAt(localPath: string): { id: number; path: string } | undefined {
    return this.#statements
      .sql('SELECT id, path FROM folder WHERE local_path = ? ORDER BY id LIMIT 1')
      .get(localPath) as { id: number; path: string } | undefined;
  }

  /** undefined where the index has another place for a folder of this path. */
  makeFolder(path: string, localPath: string, parentId: number | undefined): number | undefined {
    if (this.#files.folder(path) !== undefined) return undefined;
    return this.#files.addFolder({ parentId, path, localPath, unique: undefined, sinceRun: this.#runId });
  }

  /**
   * Takes in a file of which only the disk tells: the next run compares it by size and time with the server's. False where
   * the index has another place for a file of this name.
   */
  addFound(folderId: number, name: string, file: FoundFile): boolean {
    if (this.#files.file(folderId, name) !== undefined) return false;
    const told = { stamp: undefined, stampMs: undefined, precision: 'none', unique: undefined, mode: undefined };
    this.#files.putFile(folderId, { ...told, ...file, name, isUnsettled: false }, this.#runId);
    this.confirm({ folderId, name, sizeBytes: file.sizeBytes, sha256: file.sha256 });
    this.#forgetFingerprints(folderId);
    return true;
  }

  /** Files that the index claims and nobody has found, a page at a time. */
  unfound(): (ClaimedFile & { readonly folder: string })[] {
    return this.#statements
      .sql(
        `SELECT folder_id AS folderId, name, size_bytes AS sizeBytes, sha256, folder.path AS folder FROM file
         JOIN folder ON folder.id = folder_id WHERE rehashed_ms IS NOT ? LIMIT ?`,
      )
      .all(this.#nowMs, PAGE) as (ClaimedFile & { folder: string })[];
  }

  /** Older content, a page at a time. */
  claimedVersions(afterId: number): ClaimedVersion[] {
    const rows = this.#statements
      .sql(
        `SELECT id, folder, local_path AS localPath, size_bytes AS sizeBytes, sha256 FROM version
         WHERE folder IS NOT NULL AND state = 'kept' AND id > ? ORDER BY id LIMIT ?`,
      )
      .all(afterId, PAGE) as (Omit<ClaimedVersion, 'place'> & ClaimedVersion['place'])[];
    return rows.map(({ folder, localPath, ...row }) => ({ ...row, place: { folder, localPath } }));
  }

  loseVersion(id: number, state: 'altered' | 'lost'): void {
    this.#versions.settle(id, state);
  }

  /** How many files and bytes the index holds, and how many versions. */
  totals(): { files: number; bytes: number; versions: number } {
    return this.#statements
      .sql(
        `SELECT (SELECT count(*) FROM file) AS files, (SELECT coalesce(sum(size_bytes), 0) FROM file) AS bytes,
           (SELECT count(*) FROM version WHERE folder IS NOT NULL AND state = 'kept') AS versions`,
      )
      .get() as { files: number; bytes: number; versions: number };
  }

  /** The comparison is over. What was taken in by it stays one that can be gone back to; without any, it leaves no trace. */
  finish(adopted: object): void {
    this.#db.transaction(() => {
      const isNeeded = this.#statements
        .sql(
          `SELECT 1 FROM file WHERE run_id = @run UNION ALL SELECT 1 FROM version WHERE until_run = @run
           UNION ALL SELECT 1 FROM folder WHERE since_run = @run LIMIT 1`,
        )
        .get({ run: this.#runId });
      if (isNeeded === undefined) this.#statements.sql('DELETE FROM run WHERE id = ?').run(this.#runId);
      // The source folder held something, whatever is lost here from now on: it is not to be believed when it is empty.
      this.#db.exec(
        'UPDATE folder SET entry_count = max(entry_count, 1) WHERE parent_id IS NULL AND EXISTS (SELECT 1 FROM file)',
      );
      // Not complete: nobody has asked the server.
      this.#statements
        .sql(`UPDATE run SET outcome = 'incomplete', ended_ms = ?, has_changed = 1 WHERE id = ?`)
        .run(this.#nowMs, this.#runId);
      this.#statements
        .sql(`INSERT OR REPLACE INTO meta (key, value) VALUES ('adopted', ?)`)
        .run(JSON.stringify({ atMs: this.#nowMs, ...adopted }));
      this.#db.exec('DROP INDEX adopt_folder; DROP INDEX adopt_file');
    })();
  }

  #forgetFingerprints(folderId: number): void {
    this.#statements.sql('UPDATE folder SET fingerprint = NULL WHERE id = ?').run(folderId);
  }
}

const TOLD = ['size', 'stamp', 'stampMs', 'precision', 'modifiedMs', 'unique', 'mode', 'sha256', 'run', 'since'];
const FILE_VALUES = [...TOLD, 'unsettled', 'missing', 'kept'];
const VERSION_VALUES = [
  ...TOLD,
  ...['path', 'until', 'reason', 'origin', 'folder', 'local', 'movedTo', 'movedPlace', 'retiredMs', 'state'],
];

/** These values, NULL where there is none. */
function columns(values: ManifestValues, names: readonly string[]): Record<string, string | number | Buffer | null> {
  return Object.fromEntries(names.map((name) => [name, values[name] ?? null]));
}
