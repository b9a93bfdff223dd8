import { existsSync } from 'node:fs';
import type Database from 'better-sqlite3';
import { asStateError } from './database.ts';
import { openSqliteToRead } from './open-sqlite.ts';
import { taskDatabasePath } from './task-database.ts';

/** The schema that knows trees of the past: the number of its migration. */
const SCHEMA_MIN = 4;

/** The database of a task, open only to read what its runs have left. Never hinders a run. */
export interface PastReading {
  readonly db: Database.Database;
  close(): void;
}

/** undefined where the task has no database yet, or one of a version that kept no trees. Throws `state-unreadable`. */
export function openPastReading(stateDir: string, stateKey: string): PastReading | undefined {
  const path = taskDatabasePath(stateDir, stateKey);
  if (!existsSync(path)) return undefined;
  try {
    const db = openSqliteToRead(path);
    if ((db.pragma('user_version', { simple: true }) as number) >= SCHEMA_MIN) {
      return {
        db,
        close: () => {
          db.close();
        },
      };
    }
    db.close();
    return undefined;
  } catch (error) {
    throw asStateError(error, path);
  }
}
