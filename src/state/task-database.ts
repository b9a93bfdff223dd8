import { createHash, randomUUID } from 'node:crypto';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type Database from 'better-sqlite3';
import { BackupError } from '../errors.ts';
import { asStateError, openDatabase } from './database.ts';
import { TASK_MIGRATIONS } from './migrations/task-migrations.ts';
import { readMeta } from './meta.ts';
import { openSqlite } from './open-sqlite.ts';
import { makePrivateFolder } from './private-folder.ts';

/** One task's database, held by this process alone until `close`. */
export interface TaskDatabase {
  readonly db: Database.Database;
  /** Random identity of this database, written into the task's folder so that no other task takes it over. */
  readonly marker: string;
  readonly close: () => void;
}

/** The file of the task `name` below `stateDir`: readable, and different for names that differ in any character. */
export function taskDatabasePath(stateDir: string, name: string): string {
  const readable = name
    .normalize('NFKD')
    .replace(/[^A-Za-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 40);
  const hash = createHash('sha256').update(name).digest('hex').slice(0, 8);
  return join(stateDir, 'tasks', `${readable === '' ? 'task' : readable}-${hash}.sqlite`);
}

/** Opens the task's database for a run. Throws `already-running` while another process holds it. */
export function openTaskDatabase(stateDir: string, name: string): TaskDatabase {
  const path = taskDatabasePath(stateDir, name);
  const release = holdTaskLock(stateDir, name);
  try {
    const db = openDatabase(path, TASK_MIGRATIONS);
    return {
      db,
      marker: readMarker(db),
      close() {
        db.close();
        release();
      },
    };
  } catch (error) {
    release();
    throw error;
  }
}

/** Keeps runs of the task away until the function it gives is called. Throws `already-running` where one is under way. */
export function holdTaskLock(stateDir: string, name: string): () => void {
  return holdLock(`${taskDatabasePath(stateDir, name)}-lock`, join(stateDir, 'tasks'), name);
}

/**
 * The same for work beside runs that deletes versions: a run that begins meanwhile waits for its end instead of failing, and
 * each commit survives a power cut. Throws `already-running` where a run, or other such work, is under way.
 */
export function openTaskDatabaseForCare(stateDir: string, name: string): TaskDatabase {
  const path = taskDatabasePath(stateDir, name);
  const release = holdLock(careLockPath(path), join(stateDir, 'tasks'), name);
  try {
    const database = openTaskDatabase(stateDir, name);
    // What it deletes must not be claimed again after a power cut: each commit waits for the disk.
    database.db.pragma('synchronous = FULL');
    return {
      ...database,
      close() {
        database.close();
        release();
      },
    };
  } catch (error) {
    release();
    throw error;
  }
}

/** True while the task's database is being compacted, or versions are deleted: whoever finds it locked has only to wait. */
export function isTaskDatabaseInCare(stateDir: string, name: string): boolean {
  const path = careLockPath(taskDatabasePath(stateDir, name));
  if (!existsSync(path)) return false;
  const lock = openSqlite(path, { timeout: 0 });
  try {
    lock.exec('BEGIN EXCLUSIVE');
    return false;
  } catch (error) {
    if ((error as { code?: unknown }).code === 'SQLITE_BUSY') return true;
    throw asStateError(error, path);
  } finally {
    lock.close();
  }
}

/** Held by who compacts the database `path`, beside the lock of a run. */
export function careLockPath(path: string): string {
  return `${path}-care`;
}

/** A copy of the task's database that is thrown away on close: what a dry run writes changes nothing. */
export function openTaskDatabaseCopy(stateDir: string, name: string): TaskDatabase {
  const path = taskDatabasePath(stateDir, name);
  const folder = mkdtempSync(join(tmpdir(), 'site-backup-dry-run-'));
  const copy = join(folder, 'copy.sqlite');
  try {
    if (existsSync(path)) copyDatabase(path, copy);
    const db = openDatabase(copy, TASK_MIGRATIONS);
    return {
      db,
      marker: readMarker(db),
      close() {
        db.close();
        rmSync(folder, { recursive: true, force: true });
      },
    };
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
}

function copyDatabase(from: string, to: string): void {
  try {
    const db = openSqlite(from, { readonly: true });
    try {
      db.prepare('VACUUM INTO ?').run(to);
    } finally {
      db.close();
    }
  } catch (error) {
    throw asStateError(error, from);
  }
}

/**
 * Holds an exclusive transaction in a database of its own: unlike a file with a process number, the lock goes when the
 * process goes, however it goes.
 */
function holdLock(path: string, folder: string, name: string): () => void {
  try {
    makePrivateFolder(folder);
    const lock = openSqlite(path, { timeout: 0 });
    try {
      lock.exec('BEGIN EXCLUSIVE');
    } catch (error) {
      lock.close();
      throw error;
    }
    return () => {
      lock.close();
    };
  } catch (error) {
    if ((error as { code?: unknown }).code === 'SQLITE_BUSY') {
      throw new BackupError('already-running', { cause: error, facts: { task: name } });
    }
    throw asStateError(error, path);
  }
}

/** The random identity of a task's database; given at its first opening. */
export function readMarker(db: Database.Database): string {
  db.prepare(`INSERT OR IGNORE INTO meta (key, value) VALUES ('marker', ?)`).run(randomUUID());
  return readMeta(db, 'marker') as string;
}
