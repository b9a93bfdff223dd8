import type Database from 'better-sqlite3';
import { folderOf, nameOf } from '../paths.ts';
import { IN_TREE, STEPS, STEP_PATH, pathSql } from './path-sql.ts';
import { Statements } from './statements.ts';

const GONE_COLUMNS = `${pathSql('folder.path', 'file.name')} AS path, file.unique_id, file.size_bytes, file.stamp`;
const CAN_BE_KNOWN = `file.unique_id IS NOT NULL AND file.precision = 'second' AND file.missing_since_run IS NULL
  AND file.doubt IS NULL`;

/** Files that have gone from one path and come under another, as the work of a run shows it. */
export class RenameTables {
  readonly #statements: Statements;

  constructor(db: Database.Database) {
    this.#statements = new Statements(db);
  }

  /**
   * Turns downloads of new files into renames where a file that has just gone had the same identity, size and exact time,
   * no other has or had it, and its record is believed.
   */
  pair(): void {
    this.#statements
      .sql(
        `WITH gone AS MATERIALIZED (
           SELECT ${GONE_COLUMNS} FROM ${STEPS} JOIN folder ON folder.id = place.folder_id
             JOIN file ON file.folder_id = folder.id AND file.name = step.name
             WHERE step.state = 'todo' AND step.action = 'vanish' AND step.reason = 'vanished' AND ${CAN_BE_KNOWN}
           UNION ALL
           SELECT ${GONE_COLUMNS} FROM (SELECT ${STEP_PATH} AS top FROM ${STEPS}
               WHERE step.state = 'todo' AND step.action = 'vanish-folder' AND step.reason = 'vanished') AS tree
             JOIN folder ON ${IN_TREE} JOIN file ON file.folder_id = folder.id WHERE ${CAN_BE_KNOWN}
         ), pair AS MATERIALIZED (
           SELECT step.id AS id, gone.path AS path, gone.unique_id AS unique_id
           FROM run_step AS step
             JOIN run_entry AS entry ON entry.run_folder_id = step.run_folder_id AND entry.name = step.name
             JOIN gone ON gone.unique_id = entry.unique_id
           WHERE step.state = 'todo' AND step.action = 'download' AND step.reason = 'new' AND entry.precision = 'second'
             AND gone.size_bytes = entry.size_bytes AND gone.stamp = entry.stamp
         )
         UPDATE run_step SET action = 'rename', reason = 'renamed', from_path = single.path
         FROM (SELECT min(id) AS id, min(path) AS path FROM pair GROUP BY unique_id HAVING count(*) = 1) AS single
         WHERE run_step.id = single.id`,
      )
      .run();
  }

  /** The path under which the file of a step was known. */
  fromPath(stepId: number): string {
    return this.#statements.value('SELECT from_path FROM run_step WHERE id = ?').get(stepId) as string;
  }

  /** It has to be brought after all. */
  giveUp(stepId: number): void {
    this.#statements
      .sql(`UPDATE run_step SET action = 'download', reason = 'new', state = 'todo' WHERE id = ?`)
      .run(stepId);
  }

  /** The files at these paths have not vanished. Together, since each look goes through all steps of a folder. */
  dropVanished(paths: readonly string[]): void {
    for (const [folder, names] of groupedByFolder(paths)) {
      const { changes } = this.#statements
        .sql(
          `DELETE FROM run_step WHERE action = 'vanish' AND state = 'todo' AND name IN (SELECT value FROM json_each(?))
             AND run_folder_id = (SELECT id FROM run_folder WHERE path = ?)`,
        )
        .run(JSON.stringify(names), folder);
      // Otherwise the folder has gone, or one above it, with all that was in it.
      if (changes === 0) this.#countFewer(folder, names.length);
    }
  }

  #countFewer(folder: string, files: number): void {
    for (let path = folder; path !== '/'; path = folderOf(path)) {
      const { changes } = this.#statements
        .sql(
          `UPDATE run_step SET file_count = file_count - ? WHERE action = 'vanish-folder' AND state = 'todo' AND name = ?
             AND run_folder_id = (SELECT id FROM run_folder WHERE path = ?)`,
        )
        .run(files, nameOf(path), folderOf(path));
      if (changes > 0) return;
    }
  }
}

function groupedByFolder(paths: readonly string[]): Map<string, string[]> {
  const groups = new Map<string, string[]>();
  for (const path of paths) {
    const names = groups.get(folderOf(path)) ?? [];
    names.push(nameOf(path));
    groups.set(folderOf(path), names);
  }
  return groups;
}
