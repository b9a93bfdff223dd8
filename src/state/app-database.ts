import { join } from 'node:path';
import type Database from 'better-sqlite3';
import { openDatabase } from './database.ts';
import { APP_MIGRATIONS } from './migrations/app-migrations.ts';

/** The application's database: tasks, settings, accounts, and the list of all runs. Throws as `openDatabase` does. */
export function openAppDatabase(stateDir: string): Database.Database {
  return openDatabase(join(stateDir, 'site-backup.sqlite'), APP_MIGRATIONS);
}
