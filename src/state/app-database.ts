import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type Database from 'better-sqlite3';
import { BackupError } from '../errors.ts';
import { APP_DATABASE, hasCopies } from './database-copies.ts';
import { integrityFaults, openDatabase } from './database.ts';
import { APP_MIGRATIONS } from './migrations/app-migrations.ts';

/** The application's database: tasks, settings, accounts, and the list of all runs. Throws as `openDatabase` does. */
export function openAppDatabase(stateDir: string): Database.Database {
  return openDatabase(join(stateDir, APP_DATABASE), APP_MIGRATIONS);
}

/**
 * The same after a look at all of it. Throws `state-unreadable` too where a page of it is damaged, and where the file is
 * gone though there are copies of it: to begin with an empty one would look as if nobody had ever set up a task.
 */
export function openSoundAppDatabase(stateDir: string): Database.Database {
  const path = join(stateDir, APP_DATABASE);
  const unreadable = (detail: string): BackupError => new BackupError('state-unreadable', { facts: { path }, detail });
  if (!existsSync(path) && hasCopies(stateDir)) throw unreadable('the file is gone');
  const db = openAppDatabase(stateDir);
  const [fault] = integrityFaults(db);
  if (fault === undefined) return db;
  db.close();
  throw unreadable(fault);
}
