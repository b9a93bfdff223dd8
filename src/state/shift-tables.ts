import type Database from 'better-sqlite3';
import { STEPS, STEP_PATH } from './path-sql.ts';
import { Statements } from './statements.ts';

/** Known files of equal size whose listed times have all moved by `deltaMs`; `isMoved`: and that have another identity. */
export interface Shift {
  readonly deltaMs: number;
  readonly isMoved: boolean;
}

export interface ShiftGroup extends Shift {
  readonly precision: string;
  readonly files: number;
}

export interface ShiftSample {
  /** The server's bytes as latin1 text. */
  readonly path: string;
  readonly sizeBytes: number;
  readonly sha256: Buffer;
}

/** Groups that are looked at; a shift that is worth the name is the largest of them. */
const GROUPS_MAX = 20;
/** Steps that are settled in one transaction. */
const STEPS_PAGE = 10_000;
const DAY_MS = 86_400_000;

const IS_MOVED = `(entry.unique_id IS NOT NULL AND file.unique_id IS NOT NULL AND entry.unique_id <> file.unique_id)`;
/** Steps of files that are told as changed although they have the same size; unproven ones are for the server to prove. */
// The plus keeps the planner from the index by state, in which a range of steps would have to be looked for.
const EQUAL_SIZES = `${STEPS}
  JOIN run_entry AS entry ON entry.run_folder_id = place.id AND entry.name = step.name
  JOIN file ON file.folder_id = place.folder_id AND file.name = step.name
  WHERE +step.state = 'todo' AND step.action IN ('download', 'recheck') AND step.reason = 'changed'
    AND entry.size_bytes = file.size_bytes AND entry.precision = file.precision AND file.is_unsettled = 0 AND file.doubt IS NULL`;
/** Of a time that is told by its day, an hour shows as a whole day or not at all. */
const IN_SHIFT = `${IS_MOVED} = @isMoved AND (entry.stamp_ms - file.stamp_ms = @deltaMs
  OR (entry.precision = 'day' AND entry.stamp_ms - file.stamp_ms = @dayMs))`;

/** What a plan says of files whose times or identities were told anew, all in the same way. */
export class ShiftTables {
  readonly #db: Database.Database;
  readonly #statements: Statements;

  constructor(db: Database.Database) {
    this.#db = db;
    this.#statements = new Statements(db);
  }

  /** Known files that the plan takes for changed. */
  changedFiles(): number {
    return this.#statements
      .value(
        `SELECT count(*) FROM run_step WHERE state = 'todo' AND action IN ('download', 'recheck') AND reason = 'changed'`,
      )
      .get() as number;
  }

  /** The largest first. */
  groups(): ShiftGroup[] {
    const rows = this.#statements
      .sql(
        `SELECT entry.precision AS precision, entry.stamp_ms - file.stamp_ms AS deltaMs, ${IS_MOVED} AS isMoved,
           count(*) AS files
         FROM ${EQUAL_SIZES} AND entry.stamp_ms IS NOT NULL AND file.stamp_ms IS NOT NULL
         GROUP BY 1, 2, 3 ORDER BY files DESC, deltaMs LIMIT ${GROUPS_MAX}`,
      )
      .all() as (Omit<ShiftGroup, 'isMoved'> & { isMoved: number })[];
    return rows.map((row) => ({ ...row, isMoved: row.isMoved === 1 }));
  }

  /** At most `limit` files of the shift, at random, those up to `sizeBytesMax` before larger ones. */
  sample(shift: Shift, limit: number, sizeBytesMax: number): ShiftSample[] {
    return this.#statements
      .sql(
        `SELECT ${STEP_PATH} AS path, file.size_bytes AS sizeBytes, file.sha256 AS sha256
         FROM ${EQUAL_SIZES} AND ${IN_SHIFT}
         ORDER BY file.size_bytes > @sizeBytesMax, random() LIMIT @limit`,
      )
      .all({ ...values(shift), limit, sizeBytesMax }) as ShiftSample[];
  }

  /**
   * Takes over what the server tells now for the files of the shift among the next steps after `afterId`, whose work is
   * done with it. Gives the last of those steps; undefined where there are none left. One transaction.
   */
  settle(shift: Shift, afterId: number): number | undefined {
    return this.#db.transaction(() => this.#settle(shift, afterId))();
  }

  #settle(shift: Shift, afterId: number): number | undefined {
    const last = this.#statements
      .value(`SELECT max(id) FROM (SELECT id FROM run_step WHERE id > ? ORDER BY id LIMIT ${STEPS_PAGE})`)
      .get(afterId) as number | null;
    if (last === null) return undefined;
    const range = { ...values(shift), afterId, last };
    const ids = `SELECT step.id FROM ${EQUAL_SIZES} AND ${IN_SHIFT} AND step.id > @afterId AND step.id <= @last`;
    // The mark comes first: once the file's record tells the new time, the two no longer differ.
    this.#statements.sql(`UPDATE run_step SET reason = 'shifted' WHERE id IN (${ids})`).run(range);
    this.#statements
      .sql(
        `UPDATE file SET stamp = told.stamp, stamp_ms = told.stamp_ms, unique_id = told.unique_id, mode = told.mode,
           missing_since_run = NULL, kept_run = NULL
         FROM (SELECT place.folder_id, entry.* FROM run_step AS step
           JOIN run_folder AS place ON place.id = step.run_folder_id
           JOIN run_entry AS entry ON entry.run_folder_id = place.id AND entry.name = step.name
           WHERE step.reason = 'shifted' AND step.id > @afterId AND step.id <= @last) AS told
         WHERE file.folder_id = told.folder_id AND file.name = told.name`,
      )
      .run({ afterId, last });
    this.#statements
      .sql(
        `UPDATE run_step SET action = 'recheck', state = 'done'
         WHERE reason = 'shifted' AND id > @afterId AND id <= @last`,
      )
      .run({ afterId, last });
    return last;
  }
}

function values({ deltaMs, isMoved }: Shift): { deltaMs: number; dayMs: number; isMoved: number } {
  return { deltaMs, dayMs: Math.sign(deltaMs) * DAY_MS, isMoved: isMoved ? 1 : 0 };
}
