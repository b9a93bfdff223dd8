import type Database from 'better-sqlite3';
import { pathIn } from '../paths.ts';
import { entryRow, runFolder, stepRow } from './run-rows.ts';
import type {
  Arrived,
  EntryRow,
  ListedFolder,
  NewStep,
  RunEntryRow,
  RunFolder,
  RunFolderRow,
  RunFolderState,
  Step,
  StepAction,
  StepRow,
  StepState,
  Subfolder,
  Work,
  WorkStage,
} from './run-rows.ts';
import { Statements } from './statements.ts';

/** The work of one run: what was seen, what is to be done, how far it is. Every method is a statement or a transaction. */
export class RunTables {
  readonly #db: Database.Database;
  readonly #statements: Statements;

  constructor(db: Database.Database) {
    this.#db = db;
    this.#statements = new Statements(db);
  }

  work(): Work | undefined {
    const value = this.#statements.value(`SELECT value FROM meta WHERE key = 'work'`).get() as string | undefined;
    return value === undefined ? undefined : (JSON.parse(value) as Work);
  }

  setWork(work: Work): void {
    this.#statements.sql(`INSERT OR REPLACE INTO meta (key, value) VALUES ('work', ?)`).run(JSON.stringify(work));
  }

  /** Forgets all work. */
  clear(): void {
    this.#db.transaction(() => {
      this.#db.exec(
        `DELETE FROM run_step; DELETE FROM run_entry; DELETE FROM run_folder; DELETE FROM meta WHERE key = 'work'`,
      );
    })();
  }

  /** Begins work with the root waiting to be listed. */
  begin(work: Work, root: string): void {
    this.transaction(() => {
      this.clear();
      this.setWork(work);
      this.#statements.sql(`INSERT INTO run_folder (path, depth, state) VALUES (?, 0, 'waiting')`).run(root);
    });
  }

  /** Everything that `body` writes is kept, or nothing of it. */
  transaction(body: () => void): void {
    this.#db.transaction(body)();
  }

  /** Makes each commit wait for the disk, or only the important moments: the former while files are being recorded. */
  setDurable(isDurable: boolean): void {
    this.#db.pragma(`synchronous = ${isDurable ? 'FULL' : 'NORMAL'}`);
  }

  // --- scan

  folders(state: RunFolderState, afterId: number, limit: number): RunFolder[] {
    const rows = this.#statements
      .sql('SELECT * FROM run_folder WHERE state = ? AND id > ? ORDER BY id LIMIT ?')
      .all(state, afterId, limit) as RunFolderRow[];
    return rows.map(runFolder);
  }

  folderByPath(path: string): RunFolder | undefined {
    const row = this.#statements.sql('SELECT * FROM run_folder WHERE path = ?').get(path) as RunFolderRow | undefined;
    return row === undefined ? undefined : runFolder(row);
  }

  folderById(id: number): RunFolder | undefined {
    const row = this.#statements.sql('SELECT * FROM run_folder WHERE id = ?').get(id) as RunFolderRow | undefined;
    return row === undefined ? undefined : runFolder(row);
  }

  /** The folder found first in this run that the server identifies by `unique`. */
  folderByUnique(unique: string): RunFolder | undefined {
    const row = this.#statements
      .sql(
        `SELECT * FROM run_folder WHERE unique_id = ? AND state <> 'deferred' AND alias_of IS NULL ORDER BY id LIMIT 1`,
      )
      .get(unique) as RunFolderRow | undefined;
    return row === undefined ? undefined : runFolder(row);
  }

  /** A folder that is not followed, with the code that says why. */
  addUnfollowed(parent: RunFolder, path: string, code: string, detail: string): void {
    this.#statements
      .sql(
        `INSERT OR IGNORE INTO run_folder (parent_id, path, depth, state, incomplete, detail)
         VALUES (?, ?, ?, 'failed', ?, ?)`,
      )
      .run(parent.id, path, parent.depth + 1, code, detail);
  }

  setUnique(id: number, unique: string): void {
    this.#statements.sql('UPDATE run_folder SET unique_id = ? WHERE id = ?').run(unique, id);
  }

  addSubfolders(parent: RunFolder, subfolders: readonly Subfolder[]): void {
    const insert = this.#statements.sql(
      'INSERT OR IGNORE INTO run_folder (parent_id, path, depth, unique_id, state) VALUES (?, ?, ?, ?, ?)',
    );
    for (const folder of subfolders) {
      insert.run(parent.id, folder.path, parent.depth + 1, folder.unique ?? null, folder.state);
    }
  }

  addEntries(runFolderId: number, entries: readonly EntryRow[]): void {
    const insert = this.#statements.sql(
      `INSERT INTO run_entry (run_folder_id, name, type, size_bytes, stamp, stamp_ms, precision, unique_id, mode, leads_to)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    );
    for (const entry of entries) {
      insert.run(
        runFolderId,
        entry.name,
        entry.type,
        entry.sizeBytes,
        entry.stamp ?? null,
        entry.stampMs ?? null,
        entry.precision,
        entry.unique ?? null,
        entry.mode ?? null,
        entry.leadsTo ?? null,
      );
    }
  }

  /** Forgets what a listing of this folder has brought so far. */
  dropListing(runFolderId: number): void {
    this.#statements.sql('DELETE FROM run_entry WHERE run_folder_id = ?').run(runFolderId);
    this.#statements.sql('DELETE FROM run_step WHERE run_folder_id = ?').run(runFolderId);
  }

  setListed(runFolderId: number, listed: ListedFolder): void {
    this.#statements
      .sql(
        `UPDATE run_folder SET state = 'listed', incomplete = ?, detail = ?, fingerprint = ?, entry_count = ?, file_count = ?,
           is_unchanged = ?, alias_of = ? WHERE id = ?`,
      )
      .run(
        listed.incomplete ?? null,
        listed.detail ?? null,
        listed.fingerprint,
        listed.entryCount,
        listed.fileCount,
        listed.isUnchanged ? 1 : 0,
        listed.aliasOf ?? null,
        runFolderId,
      );
  }

  /** One that was listed and not seen whole stays that: what fails of it later may come right, and it would look whole. */
  setFailed(runFolderId: number, code: string, detail: string | undefined): void {
    this.#statements
      .sql(
        `UPDATE run_folder SET state = 'failed', incomplete = ?, detail = ?
         WHERE id = ? AND (state <> 'listed' OR incomplete IS NULL)`,
      )
      .run(code, detail ?? null, runFolderId);
  }

  /**
   * What failed earlier is tried again: for a run that goes on. Folders only while the scan is still going on: later,
   * one that was not listed stays failed, since nothing would list it. One that was, and could not be made here, is tried
   * again; one whose listing has turned out to be cut short has no other.
   */
  retryFailed(stage: WorkStage): void {
    this.transaction(() => {
      if (stage === 'scanning') {
        this.#db.exec(
          `UPDATE run_folder SET state = 'waiting', incomplete = NULL, detail = NULL
           WHERE state = 'failed' AND incomplete <> 'folder-too-deep'`,
        );
      }
      this.#db.exec(
        `UPDATE run_folder SET state = 'listed', incomplete = NULL, detail = NULL
         WHERE state = 'failed' AND fingerprint IS NOT NULL AND incomplete <> 'listing-truncated'`,
      );
      this.#db.exec(
        `UPDATE run_step SET state = 'todo', error_code = NULL, error_detail = NULL
         WHERE state = 'failed' AND action NOT IN ('reject', 'verify')`,
      );
    });
  }

  waitingCount(): number {
    return this.#statements
      .value(`SELECT count(*) FROM run_folder WHERE state IN ('waiting', 'deferred')`)
      .get() as number;
  }

  // --- plan

  entries(runFolderId: number, after: string, limit: number): EntryRow[] {
    const rows = this.#statements
      .sql('SELECT * FROM run_entry WHERE run_folder_id = ? AND name > ? ORDER BY name LIMIT ?')
      .all(runFolderId, after, limit) as RunEntryRow[];
    return rows.map(entryRow);
  }

  entry(runFolderId: number, name: string): EntryRow | undefined {
    const row = this.#statements
      .sql('SELECT * FROM run_entry WHERE run_folder_id = ? AND name = ?')
      .get(runFolderId, name) as RunEntryRow | undefined;
    return row === undefined ? undefined : entryRow(row);
  }

  /** Under a listed name lies another object now; the listing says nothing any more of what was brought of its folder. */
  setOtherUnique(runFolderId: number, name: string, unique: string): void {
    this.transaction(() => {
      this.#statements
        .sql('UPDATE run_entry SET unique_id = ? WHERE run_folder_id = ? AND name = ?')
        .run(unique, runFolderId, name);
      this.#statements.sql('UPDATE run_folder SET fingerprint = NULL WHERE id = ?').run(runFolderId);
    });
  }

  /** Forgets a plan that was not finished. */
  clearPlan(): void {
    this.#db.exec(
      `DELETE FROM run_step WHERE reason <> 'unusable'; UPDATE run_folder SET unchanged_count = 0 WHERE unchanged_count <> 0`,
    );
  }

  addStep(step: NewStep): void {
    this.#statements
      .sql(
        `INSERT INTO run_step (run_folder_id, name, action, reason, state, file_count, size_bytes, local_path)
         VALUES (?, ?, ?, ?, 'todo', ?, ?, ?)`,
      )
      .run(step.runFolderId, step.name, step.action, step.reason, step.fileCount, step.sizeBytes, step.localPath);
  }

  /** `unusable`: the listing's line is no use. `unplaced`: no local name was found for it; that is found anew by a plan. */
  addReject(runFolderId: number, name: string, reason: 'unusable' | 'unplaced', why: string): void {
    this.#statements
      .sql(
        `INSERT INTO run_step (run_folder_id, name, action, reason, state, local_path, error_code, error_detail)
         VALUES (?, ?, 'reject', ?, 'failed', '', 'name-unusable', ?)`,
      )
      .run(runFolderId, name, reason, why);
  }

  /** What reading content again has found at `path`, `/a/b`: a failure of the run, once for each path and code. */
  addFinding(path: string, code: string, detail: string): void {
    this.#statements
      .sql(
        `INSERT INTO run_step (run_folder_id, name, action, reason, state, local_path, error_code, error_detail)
         SELECT id, @name, 'verify', 'proof', 'failed', '', @code, @detail FROM run_folder WHERE path = '/'
           AND NOT EXISTS (SELECT 1 FROM run_step WHERE action = 'verify' AND name = @name AND error_code = @code)`,
      )
      .run({ name: path.slice(1), code, detail });
  }

  setPlanned(runFolderId: number, folderId: number, unchangedCount: number): void {
    this.#statements
      .sql('UPDATE run_folder SET folder_id = ?, unchanged_count = ? WHERE id = ?')
      .run(folderId, unchangedCount, runFolderId);
  }

  folderIdOf(runFolderId: number): number {
    return this.#statements.value('SELECT folder_id FROM run_folder WHERE id = ?').get(runFolderId) as number;
  }

  /** Folders of the index below `folderId`, not yet marked missing, that the listing `runFolderId` no longer shows. */
  vanishedSubfolders(runFolderId: number, folderId: number, parentPath: string): string[] {
    const nameStart = parentPath === '/' ? 2 : parentPath.length + 2;
    return this.#statements
      .value(
        `SELECT path FROM folder WHERE parent_id = ? AND missing_since_run IS NULL AND NOT EXISTS (
           SELECT 1 FROM run_entry WHERE run_folder_id = ? AND name = substr(folder.path, ?) AND type IN ('folder', 'excluded'))`,
      )
      .all(folderId, runFolderId, nameStart) as string[];
  }

  // --- transfer

  steps(state: StepState, actions: readonly StepAction[], afterId: number, limit: number): Step[] {
    const wanted = actions.map((action) => `'${action}'`).join(', ');
    const rows = this.#statements
      .sql(`SELECT * FROM run_step WHERE state = ? AND action IN (${wanted}) AND id > ? ORDER BY id LIMIT ?`)
      .all(state, afterId, limit) as StepRow[];
    return rows.map(stepRow);
  }

  setStep(id: number, state: StepState): void {
    this.#statements.sql('UPDATE run_step SET state = ? WHERE id = ?').run(state, id);
  }

  /** The newest complete run before `runId`. */
  lastCompleteRunBefore(runId: number): number | undefined {
    const id = this.#statements.value(`SELECT max(id) FROM run WHERE outcome = 'complete' AND id < ?`).get(runId);
    return (id as number | null) ?? undefined;
  }

  /** Forgets planned steps of one kind that were not done. */
  dropSteps(action: StepAction): void {
    this.#statements.sql(`DELETE FROM run_step WHERE action = ? AND state <> 'done'`).run(action);
  }

  /** What lies under `current/` after this run is not what lay there before: the run is one that can be gone back to. */
  noteChange(runId: number): void {
    this.#statements.sql('UPDATE run SET has_changed = 1 WHERE id = ? AND has_changed = 0').run(runId);
  }

  /** A recheck that found the file as it was, or that it has to come. */
  setRechecked(id: number, isChanged: boolean): void {
    this.#statements
      .sql(
        isChanged
          ? `UPDATE run_step SET action = 'download', reason = 'changed' WHERE id = ?`
          : `UPDATE run_step SET state = 'done' WHERE id = ?`,
      )
      .run(id);
  }

  setWhole(id: number, got: Arrived): void {
    this.#statements
      .sql(
        `UPDATE run_step SET state = 'whole', got_size = ?, got_ms = ?, got_sha256 = ?, is_unsettled = ? WHERE id = ?`,
      )
      .run(got.sizeBytes, got.modifiedMs ?? null, got.sha256, got.isUnsettled ? 1 : 0, id);
  }

  setStepFailed(id: number, code: string, detail: string | undefined): void {
    this.#statements
      .sql(`UPDATE run_step SET state = 'failed', error_code = ?, error_detail = ? WHERE id = ?`)
      .run(code, detail ?? null, id);
  }

  /** Folders that have to be there on disk: those seen and not known to be as they were. */
  folderPlaces(afterId: number, limit: number): { id: number; path: string; localPath: string }[] {
    return this.#statements
      .sql(
        `SELECT run_folder.id AS id, folder.path AS path, folder.local_path AS localPath
         FROM run_folder JOIN folder ON folder.id = folder_id
         WHERE run_folder.id > ? AND is_unchanged = 0 ORDER BY run_folder.id LIMIT ?`,
      )
      .all(afterId, limit) as { id: number; path: string; localPath: string }[];
  }

  /**
   * Throws where a step was passed over: no run may end as if it were done. Those that wait for a decision are none, nor are
   * those of a killed run that was retiring what has gone: they are planned anew.
   */
  assertNoneLeft(): void {
    const left = this.#statements
      .sql(
        `SELECT action, reason, name FROM run_step WHERE state IN ('todo', 'whole') AND action <> 'retire-vanished' LIMIT 1`,
      )
      .get();
    if (left !== undefined) throw new Error(`a step was passed over: ${JSON.stringify(left)}`);
  }

  /** Files and bytes that are still to be brought: as announced, and added as floating point, since servers may lie. */
  downloadTotals(): { files: number; bytes: number } {
    return this.#statements
      .sql(
        `SELECT count(*) AS files, total(size_bytes) AS bytes FROM run_step
         WHERE action IN ('download', 'recheck') AND state IN ('todo', 'whole')`,
      )
      .get() as { files: number; bytes: number };
  }

  // --- finish

  /** The remote path that a step is about. */
  pathOf(step: Step): string {
    const folder = this.folderById(step.runFolderId)?.path ?? '';
    return pathIn(folder, step.name);
  }

  /**
   * For each folder that was seen whole and all of whose steps are done: what its listing was, so that the next run can
   * pass over it. Folders with a file that is unsettled or doubted are left to be compared.
   */
  settleFolders(runId: number): void {
    this.#statements
      .sql(
        `UPDATE folder SET fingerprint = seen.fingerprint, entry_count = seen.entry_count, file_count = seen.file_count,
           complete_run = @runId
         FROM run_folder AS seen
         WHERE folder.id = seen.folder_id AND seen.state = 'listed' AND seen.incomplete IS NULL AND seen.is_unchanged = 0
           AND seen.alias_of IS NULL
           AND NOT EXISTS (SELECT 1 FROM run_step WHERE run_folder_id = seen.id AND state <> 'done')`,
      )
      .run({ runId });
    this.#statements
      .sql(
        `UPDATE folder SET fingerprint = NULL WHERE id IN (SELECT folder_id FROM run_folder WHERE folder_id IS NOT NULL)
           AND EXISTS (SELECT 1 FROM file WHERE file.folder_id = folder.id AND (is_unsettled = 1 OR doubt IS NOT NULL))`,
      )
      .run();
  }
}
