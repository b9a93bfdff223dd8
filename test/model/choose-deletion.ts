import Database from 'better-sqlite3';
import type { DeletionWish } from '../../src/engine/delete-version.ts';

/** Any older content or any version, whether it may be deleted or not. */
export function chooseDeletion(
  databasePath: string,
  what: 'content' | 'point',
  pick: number,
): { readonly wish: DeletionWish; readonly sha256: string | undefined } | undefined {
  const db = new Database(databasePath, { readonly: true });
  try {
    const sql =
      what === 'content'
        ? 'SELECT id, until_run AS untilRun, path, lower(hex(sha256)) AS sha256 FROM version ORDER BY id'
        : 'SELECT id FROM run WHERE has_changed = 1 ORDER BY id';
    const rows = db.prepare(sql).all() as { id: number; untilRun: number; path: string; sha256: string }[];
    const row = rows[pick % Math.max(1, rows.length)];
    if (row === undefined) return undefined;
    const { id, path, untilRun, sha256 } = row;
    if (what === 'point') return { wish: { kind: 'point', runId: id }, sha256: undefined };
    return { wish: { kind: 'content', path, key: { untilRun, rowId: id } }, sha256 };
  } finally {
    db.close();
  }
}
