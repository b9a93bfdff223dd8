import type Database from 'better-sqlite3';
import type { FolderLoss } from './hold-store.ts';
import { IN_TREE, STEPS, STEP_PATH } from './path-sql.ts';
import { Statements } from './statements.ts';

/** What a plan would do to what is there, in sums. Files that were missing before the run count in none of them. */
export interface GuardTotals {
  /** That the backup holds and that were on the server at the last look. */
  readonly heldFiles: number;
  readonly heldBytes: number;
  readonly vanishedFiles: number;
  readonly vanishedBytes: number;
  /** Files here that other content would replace, and by how many bytes they would grow in all; below 0: shrink. */
  readonly changedFiles: number;
  readonly grownBytes: number;
  /** Of the changed ones: had content and are empty; and all that are smaller than before. */
  readonly emptiedFiles: number;
  readonly shrunkFiles: number;
  readonly newFiles: number;
  readonly newBytes: number;
  /** The ending that most new and changed files carry, where no file here has it. */
  readonly suffix: { readonly text: string; readonly files: number } | undefined;
  /** The source folder and those right below it that held files and show none now, the largest first. */
  readonly emptiedFolders: readonly { readonly path: string; readonly files: number }[];
}

/** Which files examples are wanted of. */
export type GuardedKind = 'vanished' | 'changed' | 'emptied' | 'shrunk' | 'suffix';

const EMPTIED_FOLDERS_MAX = 100;

/**
 * One row (top, parent, files, bytes) for each file and each subtree that the plan would take away. CROSS JOIN keeps SQLite
 * from beginning with all files.
 */
const GONE = `
  SELECT ${STEP_PATH} AS top, place.path AS parent, 1 AS files, file.size_bytes AS bytes
    FROM ${STEPS} JOIN file ON file.folder_id = place.folder_id AND file.name = step.name
    WHERE step.state = 'todo' AND step.reason <> 'kept' AND step.action IN ('vanish', 'retire')
      AND file.missing_since_run IS NULL
  UNION ALL
  SELECT tree.top, tree.parent, count(*), sum(file.size_bytes)
    FROM (SELECT ${STEP_PATH} AS top, place.path AS parent FROM ${STEPS}
      WHERE step.state = 'todo' AND step.reason <> 'kept' AND step.action IN ('vanish-folder', 'retire-folder')) AS tree
    CROSS JOIN folder ON ${IN_TREE} CROSS JOIN file ON file.folder_id = folder.id
    WHERE file.missing_since_run IS NULL GROUP BY tree.top`;

/** Files here that would be replaced. A forced download counts only where the listing shows another file. */
const CHANGED = `${STEPS}
  JOIN run_entry AS entry ON entry.run_folder_id = place.id AND entry.name = step.name
  JOIN file ON file.folder_id = place.folder_id AND file.name = step.name
  WHERE step.state = 'todo' AND step.action IN ('download', 'recheck') AND (step.reason = 'changed'
    OR (step.reason = 'forced' AND (entry.size_bytes <> file.size_bytes OR entry.stamp IS NOT file.stamp)))`;

/** Folders of this run where files lie, or above which they lie, that wait for a decision: none can be made there. */
const BLOCKED = `SELECT folder.id FROM (SELECT ${STEP_PATH} AS top FROM ${STEPS} WHERE step.state = 'held' AND step.action = 'retire') AS tree
  CROSS JOIN run_folder AS folder ON ${IN_TREE}`;

const NEW = `step.state = 'todo' AND step.action = 'download' AND step.reason = 'new'`;
/** The text behind the last dot, in lower case. */
const SUFFIX = `lower(substr(step.name, length(rtrim(step.name, replace(step.name, '.', ''))) + 1))`;

/** What the guards read of a plan, and what they do to it. Nothing here grows in memory with the number of files. */
export class GuardTables {
  readonly #statements: Statements;

  constructor(db: Database.Database) {
    this.#statements = new Statements(db);
  }

  totals(): GuardTotals {
    const held = this.#row(
      'SELECT count(*) AS files, coalesce(sum(size_bytes), 0) AS bytes FROM file WHERE missing_since_run IS NULL',
    ) as { files: number; bytes: number };
    const gone = this.#row(
      `SELECT coalesce(sum(files), 0) AS files, coalesce(sum(bytes), 0) AS bytes FROM (${GONE})`,
    ) as { files: number; bytes: number };
    const changed = this.#row(
      `SELECT count(*) AS files, total(entry.size_bytes - file.size_bytes) AS grown,
         count(*) FILTER (WHERE entry.size_bytes = 0 AND file.size_bytes > 0) AS emptied,
         count(*) FILTER (WHERE entry.size_bytes < file.size_bytes) AS shrunk,
         count(*) FILTER (WHERE file.missing_since_run IS NOT NULL) AS returned,
         coalesce(sum(file.size_bytes) FILTER (WHERE file.missing_since_run IS NOT NULL), 0) AS returnedBytes
       FROM ${CHANGED}`,
    ) as Record<'files' | 'grown' | 'emptied' | 'shrunk' | 'returned' | 'returnedBytes', number>;
    const fresh = this.#row(
      `SELECT count(*) AS files, total(step.size_bytes) AS bytes FROM run_step AS step WHERE ${NEW}`,
    ) as { files: number; bytes: number };
    return {
      // What had gone and is back as another file is about to be replaced, too.
      heldFiles: held.files + changed.returned,
      heldBytes: held.bytes + changed.returnedBytes,
      vanishedFiles: gone.files,
      vanishedBytes: gone.bytes,
      changedFiles: changed.files,
      grownBytes: changed.grown,
      emptiedFiles: changed.emptied,
      shrunkFiles: changed.shrunk,
      newFiles: fresh.files,
      newBytes: fresh.bytes,
      suffix: this.#newSuffix(),
      emptiedFolders: this.#emptiedFolders(held.files, gone.files, fresh.files),
    };
  }

  /** The first paths, as the server's bytes. `suffix`: the ending that is asked about. */
  examples(kind: GuardedKind, limit: number, suffix = ''): string[] {
    const sql = {
      vanished: `SELECT top FROM (${GONE}) LIMIT ?`,
      changed: `SELECT ${STEP_PATH} FROM ${CHANGED} LIMIT ?`,
      emptied: `SELECT ${STEP_PATH} FROM ${CHANGED} AND entry.size_bytes = 0 AND file.size_bytes > 0 LIMIT ?`,
      shrunk: `SELECT ${STEP_PATH} FROM ${CHANGED} AND entry.size_bytes < file.size_bytes LIMIT ?`,
      suffix: `SELECT ${STEP_PATH} FROM ${STEPS} WHERE step.state = 'todo' AND step.action = 'download' AND ${SUFFIX} = ? LIMIT ?`,
    }[kind];
    const values = kind === 'suffix' ? [suffix, limit] : [limit];
    return this.#statements.value(sql).all(...values) as string[];
  }

  /** The folders that have lost most files: each with what lay directly in it, or all of a subtree that has gone. */
  losses(limit: number): FolderLoss[] {
    const rows = this.#statements
      .sql(
        `SELECT CASE WHEN isTree THEN top ELSE parent END AS path, sum(files) AS lost, isTree
         FROM (SELECT gone.*, EXISTS (SELECT 1 FROM folder WHERE folder.path = gone.top) AS isTree FROM (${GONE}) AS gone)
         GROUP BY path, isTree ORDER BY lost DESC, path LIMIT ?`,
      )
      .all(limit) as { path: string; lost: number; isTree: number }[];
    return rows.map(({ path, lost, isTree }) => {
      const before = isTree === 1 ? lost : this.#presentIn(path);
      return { path, before, now: before - lost };
    });
  }

  // --- what becomes of the steps

  /** Everything waits but the files that are new and need no other to make way for them. */
  holdSteps(): void {
    this.#run(
      `UPDATE run_step SET state = 'held' WHERE state = 'todo' AND action <> 'reject'
         AND NOT (action = 'download' AND reason = 'new')`,
    );
    // Where a file and a folder change places, what comes would push away what has to stay.
    this.#run(
      `UPDATE run_step SET state = 'held' WHERE state = 'todo' AND (run_folder_id, name) IN (
         SELECT run_folder_id, name FROM run_step WHERE state = 'held' AND action = 'retire-folder')`,
    );
    this.#run(`UPDATE run_step SET state = 'held' WHERE state = 'todo' AND run_folder_id IN (${BLOCKED})`);
  }

  releaseSteps(): void {
    this.#run(`UPDATE run_step SET state = 'todo' WHERE state = 'held'`);
  }

  /** What the plan has found gone stays by decision. */
  keepVanished(): void {
    this.#run(`UPDATE run_step SET reason = 'kept' WHERE state = 'todo' AND action IN ('vanish', 'vanish-folder')`);
  }

  hasHeldSteps(): boolean {
    return this.#statements.sql(`SELECT 1 FROM run_step WHERE state = 'held' LIMIT 1`).get() !== undefined;
  }

  /** To be called before `isBlocked`: looks once through what is held, which may be every file of the site. */
  findBlocked(): void {
    this.#run('CREATE TEMP TABLE IF NOT EXISTS blocked_folder (id INTEGER PRIMARY KEY)');
    this.#run('DELETE FROM blocked_folder');
    this.#run(`INSERT OR IGNORE INTO blocked_folder ${BLOCKED}`);
  }

  /** True where the files that lie at the path or above it wait for a decision, so that no folder can be made there. */
  isBlocked(runFolderId: number): boolean {
    return this.#statements.sql('SELECT 1 FROM blocked_folder WHERE id = ?').get(runFolderId) !== undefined;
  }

  // --- the server's identity

  identity(): Readonly<Record<string, string>> | undefined {
    const value = this.#statements.value(`SELECT value FROM meta WHERE key = 'server-identity'`).get();
    return typeof value === 'string' ? (JSON.parse(value) as Record<string, string>) : undefined;
  }

  setIdentity(identity: Readonly<Record<string, string>>): void {
    this.#statements
      .sql(`INSERT OR REPLACE INTO meta (key, value) VALUES ('server-identity', ?)`)
      .run(JSON.stringify(identity));
  }

  #newSuffix(): GuardTotals['suffix'] {
    const most = this.#row(
      `SELECT ${SUFFIX} AS text, count(*) AS files FROM run_step AS step
       WHERE step.state = 'todo' AND step.action = 'download' AND step.reason IN ('new', 'changed')
         AND instr(substr(step.name, 2), '.') > 0 GROUP BY text ORDER BY files DESC, text LIMIT 1`,
    ) as { text: string; files: number } | undefined;
    if (most === undefined || most.text === '') return undefined;
    const pattern = `%.${most.text.replace(/[\\%_]/g, '\\$&')}`;
    const isKnown = this.#statements.sql(`SELECT 1 FROM file WHERE name LIKE ? ESCAPE '\\' LIMIT 1`).get(pattern);
    return isKnown === undefined ? most : undefined;
  }

  #emptiedFolders(held: number, gone: number, fresh: number): GuardTotals['emptiedFolders'] {
    if (held > 0 && gone >= held && fresh === 0) return [{ path: '/', files: held }];
    return this.#statements
      .sql(
        `SELECT tree.top AS path, tree.lost AS files FROM (
           SELECT CASE instr(substr(top, 2), '/') WHEN 0 THEN top ELSE substr(top, 1, instr(substr(top, 2), '/')) END AS top,
             sum(files) AS lost FROM (${GONE}) GROUP BY 1) AS tree
         WHERE EXISTS (SELECT 1 FROM folder WHERE folder.path = tree.top)
           AND tree.lost >= (SELECT count(*) FROM folder CROSS JOIN file ON file.folder_id = folder.id
             WHERE ${IN_TREE} AND file.missing_since_run IS NULL)
           AND NOT EXISTS (SELECT 1 FROM run_folder AS folder CROSS JOIN run_step AS step ON step.run_folder_id = folder.id
             WHERE ${IN_TREE} AND ${NEW})
         ORDER BY files DESC, path LIMIT ${EMPTIED_FOLDERS_MAX}`,
      )
      .all() as { path: string; files: number }[];
  }

  #presentIn(path: string): number {
    return this.#statements
      .value(
        `SELECT count(*) FROM folder JOIN file ON file.folder_id = folder.id
         WHERE folder.path = ? AND file.missing_since_run IS NULL`,
      )
      .get(path) as number;
  }

  #row(sql: string): unknown {
    return this.#statements.sql(sql).get();
  }

  #run(sql: string): void {
    this.#statements.sql(sql).run();
  }
}
