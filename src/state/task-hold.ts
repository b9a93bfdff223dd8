import { existsSync } from 'node:fs';
import { asStateError } from './database.ts';
import { HoldStore } from './hold-store.ts';
import type { Hold } from './hold-store.ts';
import { openSqliteToRead } from './open-sqlite.ts';
import { openTaskDatabase, taskDatabasePath } from './task-database.ts';

/**
 * The newest hold of the task `stateKey`, read beside a run that may be under way; undefined where there never was one.
 * Throws `state-unreadable`.
 */
export function readNewestHold(stateDir: string, stateKey: string): Hold | undefined {
  const path = taskDatabasePath(stateDir, stateKey);
  if (!existsSync(path)) return undefined;
  try {
    const db = openSqliteToRead(path);
    try {
      // A database that no run has opened since an earlier version has no such table.
      const hasHolds = db.prepare(`SELECT 1 FROM sqlite_schema WHERE name = 'hold'`).get() !== undefined;
      return hasHolds ? new HoldStore(db).newest() : undefined;
    } finally {
      db.close();
    }
  } catch (error) {
    throw asStateError(error, path);
  }
}

/**
 * Writes down what somebody has decided of the held run `runId`; the next run acts on it. False where that does not wait for
 * a decision any more. Throws `already-running` while a run holds the task's database, and errors of the state.
 */
export function decideHold(
  stateDir: string,
  stateKey: string,
  runId: number,
  decision: 'kept' | 'accepted',
  decided: { readonly atMs: number; readonly by: string | undefined },
): boolean {
  const database = openTaskDatabase(stateDir, stateKey);
  try {
    return new HoldStore(database.db).decide(runId, decision, decided.atMs, decided.by);
  } catch (error) {
    throw asStateError(error, database.db.name);
  } finally {
    database.close();
  }
}
