import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import assert from 'node:assert/strict';
import Database from 'better-sqlite3';
import { bytesOf, placeOf } from '../support/tree-compare.ts';
import { sha256Of } from './site.ts';
import type { SiteState } from './site.ts';

interface Proven {
  readonly folder: string;
  readonly path: string;
  readonly remotePath: string;
  readonly sha256: string;
}

/** What a run says that it has read again is what the server had at a moment of the run, and what lies on the NAS. */
export function checkProofs(
  databasePath: string,
  targetFolder: string,
  { fromMs, toMs, moments }: { readonly fromMs: number; readonly toMs: number; readonly moments: readonly SiteState[] },
): void {
  const db = new Database(databasePath, { readonly: true });
  const read = (sql: string): Proven[] => db.prepare(sql).all(fromMs, toMs) as Proven[];
  const files = (column: string): Proven[] =>
    read(
      `SELECT 'current' AS folder, lower(hex(sha256)) AS sha256,
         CASE folder.path WHEN '/' THEN '' ELSE folder.path END || '/' || name AS remotePath,
         CASE folder.local_path WHEN '' THEN '' ELSE folder.local_path || '/' END || coalesce(local_name, name) AS path
       FROM file JOIN folder ON folder.id = folder_id WHERE doubt IS NULL AND ${column} BETWEEN ? AND ?`,
    );
  try {
    for (const { remotePath, sha256 } of files('verified_ms')) {
      const isTrue = moments.some((state) => state.files.get(remotePath) === sha256);
      assert.ok(isTrue, `${remotePath} is verified, and is not what the server has`);
    }
    const versions = read(
      `SELECT 'versions/' || folder AS folder, local_path AS path, path AS remotePath, lower(hex(sha256)) AS sha256
       FROM version WHERE state = 'kept' AND folder IS NOT NULL AND rehashed_ms BETWEEN ? AND ?`,
    );
    for (const { folder, path, sha256 } of [...files('rehashed_ms'), ...versions]) {
      const content = readFileSync(placeOf(join(targetFolder, folder), bytesOf(path)));
      assert.equal(sha256Of(content), sha256, `${folder}/${path} was read again, and is not what was brought`);
    }
  } finally {
    db.close();
  }
}
