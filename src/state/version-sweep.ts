import type Database from 'better-sqlite3';
import { Statements } from './statements.ts';

/** Older content that is to be deleted. */
export interface StoredVersion {
  readonly id: number;
  readonly path: string;
  readonly sizeBytes: number;
  /** undefined: nothing lies anywhere, only the row goes. */
  readonly place: { readonly folder: string; readonly localPath: string } | undefined;
}

export interface VersionTotals {
  readonly files: number;
  readonly bytes: number;
}

interface StoredRow {
  id: number;
  path: string;
  size_bytes: number;
  folder: string | null;
  local_path: string | null;
}

/**
 * Content that no kept point shows, under its path or one that it had before, lies between two kept points that are
 * neighbours: it came after the one and went not later than with the other. Told by such gaps, an index finds it. A row
 * that only tells of a rename is needed as long: from the path before, the way to the content leads over it.
 */
interface Gap {
  /** Kept points; nothing is kept between them. */
  readonly after: number;
  readonly until: number;
}

const IN_GAP = 'until_run > @after AND until_run <= @until AND content_run > @after';
const IS_SETTLED = `state IN ('kept', 'altered', 'lost', 'expired', 'deleted')`;
/** Content of files that have gone from the server before `@beforeMs`, and that no pinned point shows. */
const IS_OVERDUE = `reason = 'vanished' AND folder IS NOT NULL AND state IN ('kept', 'altered') AND retired_ms < @beforeMs
  AND NOT EXISTS (SELECT 1 FROM run WHERE is_pinned = 1 AND pruned_ms IS NULL AND id >= content_run AND id < until_run)`;
/** Content that takes room, and is not on its way out. */
const IS_STORED = `folder IS NOT NULL AND state IN ('kept', 'altered')`;
const COLUMNS = 'id, path, size_bytes, folder, local_path';
const TOTALS = 'count(*) AS files, coalesce(sum(size_bytes), 0) AS bytes';

/** Finds what is to be deleted of the older content, and forgets it. A row goes only after its file. */
export class VersionSweep {
  readonly #statements: Statements;

  constructor(db: Database.Database) {
    this.#statements = new Statements(db);
  }

  /** Whether points were pruned and what only they needed has not all been deleted. */
  isDue(): boolean {
    return this.#statements.sql(`SELECT 1 FROM meta WHERE key = 'sweep'`).get() !== undefined;
  }

  setDue(isDue: boolean): void {
    this.#statements
      .sql(
        isDue
          ? `INSERT OR REPLACE INTO meta (key, value) VALUES ('sweep', 'due')`
          : `DELETE FROM meta WHERE key = 'sweep'`,
      )
      .run();
  }

  /** Rows that no kept point needs, at most `limit` at a time. Each page is to be marked before the next one is asked for. */
  *unneeded(limit: number): Generator<readonly StoredVersion[]> {
    for (const gap of this.#gaps()) {
      for (let last = { until_run: 0, content_run: 0, id: 0 }; ;) {
        const rows = this.#statements
          .sql(
            `SELECT ${COLUMNS}, until_run, content_run FROM version WHERE ${IN_GAP} AND ${IS_SETTLED}
               AND (until_run, content_run, id) > (@until_run, @content_run, @id)
             ORDER BY until_run, content_run, id LIMIT @limit`,
          )
          .all({ ...gap, ...last, limit }) as (StoredRow & typeof last)[];
        const { until_run = 0, content_run = 0, id = 0 } = rows.at(-1) ?? {};
        if (id === 0) break;
        last = { until_run, content_run, id };
        yield rows.map(storedVersion);
      }
    }
  }

  /** What would go with these points; `overdueMs`: beside what is overdue then, see `overdue`. */
  unneededTotals(without: readonly number[], overdueMs?: number): VersionTotals {
    const totals = { files: 0, bytes: 0 };
    for (const gap of this.#gaps(without)) {
      const found = this.#totals(IN_GAP, { ...gap }, overdueMs);
      totals.files += found.files;
      totals.bytes += found.bytes;
    }
    return totals;
  }

  /** With points that are taken for pruned, only the gaps that they leave. */
  #gaps(without: readonly number[] = []): Gap[] {
    const going = new Set(without);
    const kept = this.#statements
      .value('SELECT id FROM run WHERE has_changed = 1 AND pruned_ms IS NULL ORDER BY id')
      .all() as number[];
    const ends = [-1, ...kept.filter((id) => !going.has(id)), Number.MAX_SAFE_INTEGER];
    const gaps = ends.slice(1).map((until, index) => ({ after: ends[index] ?? -1, until }));
    const isAsked = ({ after, until }: Gap): boolean => without.some((id) => id > after && id < until);
    return gaps.filter((gap) => gap.until > gap.after + 1 && (without.length === 0 || isAsked(gap)));
  }

  /** Rows whose files are to be deleted, at most `limit` after `afterId`. */
  pruning(afterId: number, limit: number): StoredVersion[] {
    const rows = this.#statements
      .sql(`SELECT ${COLUMNS} FROM version WHERE state = 'pruning' AND id > ? ORDER BY id LIMIT ?`)
      .all(afterId, limit) as StoredRow[];
    return rows.map(storedVersion);
  }

  /** From here on nothing reads it. */
  markPruning(id: number): void {
    this.#statements.sql(`UPDATE version SET state = 'pruning' WHERE id = ?`).run(id);
  }

  forget(id: number): void {
    this.#statements.sql('DELETE FROM version WHERE id = ?').run(id);
  }

  /** Folders of the past that no kept point shows. */
  forgetFolders(): void {
    this.#statements
      .sql(
        `DELETE FROM past_folder WHERE NOT EXISTS
           (SELECT 1 FROM run WHERE has_changed = 1 AND pruned_ms IS NULL AND id >= since_run AND id < until_run)`,
      )
      .run();
  }

  /** Content of files that went from the server before `beforeMs`. Each page is to be marked before the next one is asked for. */
  overdue(beforeMs: number, limit: number): number[] {
    return this.#statements
      .value(`SELECT id FROM version WHERE ${IS_OVERDUE} LIMIT @limit`)
      .all({ beforeMs, limit }) as number[];
  }

  /** What was marked, and may lie there still. */
  expired(afterId: number, limit: number): StoredVersion[] {
    const rows = this.#statements
      .sql(
        `SELECT ${COLUMNS} FROM version WHERE reason = 'vanished' AND folder IS NOT NULL AND state = 'expired' AND id > ?
         ORDER BY +id LIMIT ?`,
      )
      .all(afterId, limit) as StoredRow[];
    return rows.map(storedVersion);
  }

  overdueTotals(beforeMs: number): VersionTotals {
    return this.#statements.sql(`SELECT ${TOTALS} FROM version WHERE ${IS_OVERDUE}`).get({ beforeMs }) as VersionTotals;
  }

  /** From here on nothing reads it, and the trees of the past say why. */
  markExpired(id: number): void {
    this.#statements.sql(`UPDATE version SET state = 'expired' WHERE id = ?`).run(id);
  }

  /** By hand: from here on nothing reads it, and the trees of the past say so. */
  markDeleted(id: number): void {
    this.#statements.sql(`UPDATE version SET state = 'deleted' WHERE id = ?`).run(id);
  }

  /** What was to be deleted by hand, and may lie there still. */
  deleting(afterId: number, limit: number): StoredVersion[] {
    const rows = this.#statements
      .sql(
        `SELECT ${COLUMNS} FROM version WHERE state = 'deleted' AND folder IS NOT NULL AND id > ? ORDER BY id LIMIT ?`,
      )
      .all(afterId, limit) as StoredRow[];
    return rows.map(storedVersion);
  }

  forgetPlace(id: number): void {
    this.#statements.sql('UPDATE version SET folder = NULL, local_path = NULL WHERE id = ?').run(id);
  }

  /** What lies below `versions/` by the index; with `overdueMs`, without what is overdue then. */
  storedTotals(overdueMs?: number): VersionTotals {
    return this.#totals('TRUE', {}, overdueMs);
  }

  /** What only the point `runId` needs, where `before` and `after` are the nearest points that stay. As `storedTotals`. */
  totalsOfPoint(runId: number, before: number, after: number, overdueMs?: number): VersionTotals {
    const isOfPoint = 'until_run > @runId AND until_run <= @after AND content_run > @before AND content_run <= @runId';
    return this.#totals(isOfPoint, { runId, before, after }, overdueMs);
  }

  #totals(where: string, values: Readonly<Record<string, number>>, overdueMs: number | undefined): VersionTotals {
    const all = this.#statements
      .sql(`SELECT ${TOTALS} FROM version WHERE ${IS_STORED} AND ${where}`)
      .get(values) as VersionTotals;
    if (overdueMs === undefined) return all;
    const overdue = this.#statements
      .sql(`SELECT ${TOTALS} FROM version WHERE ${IS_OVERDUE} AND ${where}`)
      .get({ ...values, beforeMs: overdueMs }) as VersionTotals;
    return { files: all.files - overdue.files, bytes: all.bytes - overdue.bytes };
  }
}

function storedVersion(row: StoredRow): StoredVersion {
  return {
    id: row.id,
    path: row.path,
    sizeBytes: row.size_bytes,
    place:
      row.folder === null || row.local_path === null ? undefined : { folder: row.folder, localPath: row.local_path },
  };
}
