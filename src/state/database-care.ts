import { rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type Database from 'better-sqlite3';
import { APP_DATABASE } from './database-copies.ts';
import { asStateError, integrityFaults } from './database.ts';
import { readMeta } from './meta.ts';
import { openSqlite, openSqliteToRead } from './open-sqlite.ts';
import { namesIn } from './state-files.ts';
import { careLockPath, taskDatabasePath } from './task-database.ts';

/** One database of the product. */
export interface DatabaseFile {
  readonly path: string;
  /** With its write-ahead log. */
  readonly bytes: number;
  /** undefined: the application's own. */
  readonly task: { readonly id: number; readonly name: string } | undefined;
}

/** The application's database and that of each task which has one, the largest first. */
export function databaseFiles(
  stateDir: string,
  tasks: readonly { readonly id: number; readonly name: string; readonly stateKey: string }[],
): DatabaseFile[] {
  const files: DatabaseFile[] = [];
  const add = (path: string, task: DatabaseFile['task']): void => {
    const bytes = sizeOf(path);
    if (bytes !== undefined) files.push({ path, bytes: bytes + (sizeOf(`${path}-wal`) ?? 0), task });
  };
  add(join(stateDir, APP_DATABASE), undefined);
  for (const { id, name, stateKey } of tasks) add(taskDatabasePath(stateDir, stateKey), { id, name });
  return files.sort((a, b) => b.bytes - a.bytes);
}

/** `busy`: a run holds it, or somebody writes; it is left as it is. */
export type CareResult =
  | { readonly kind: 'done'; readonly freedBytes: number }
  | { readonly kind: 'sound' }
  | { readonly kind: 'damaged'; readonly faults: readonly string[] }
  | { readonly kind: 'busy' };

/** Gives unused space back to the volume. Takes seconds, minutes for a database of a million files. */
export function compactDatabase(file: Pick<DatabaseFile, 'path' | 'bytes' | 'task'>): CareResult {
  return withDatabase(file.path, file.task !== undefined, (db) => {
    db.exec('VACUUM');
    db.pragma('wal_checkpoint(TRUNCATE)');
    return { kind: 'done', freedBytes: Math.max(0, file.bytes - (sizeOf(file.path) ?? 0)) };
  });
}

/** Reads the whole file. A run may go on meanwhile. */
export function checkDatabase(file: Pick<DatabaseFile, 'path'>): CareResult {
  return withDatabase(file.path, false, (db) => {
    const faults = integrityFaults(db);
    return faults.length === 0 ? { kind: 'sound' } : { kind: 'damaged', faults };
  });
}

/** The identity that the task's folder bears in its marker file; undefined where the task has never run. */
export function readTaskMarker(stateDir: string, stateKey: string): string | undefined {
  const path = taskDatabasePath(stateDir, stateKey);
  if (sizeOf(path) === undefined) return undefined;
  const db = openSqliteToRead(path);
  try {
    return readMeta(db, 'marker');
  } catch (error) {
    throw asStateError(error, path);
  } finally {
    db.close();
  }
}

/** Forgets what is known of a task whose files are gone. Not while it runs. */
export function removeTaskDatabase(stateDir: string, stateKey: string): void {
  const path = taskDatabasePath(stateDir, stateKey);
  const folder = join(stateDir, 'tasks');
  const name = path.slice(folder.length + 1);
  // Beside it lie the log, the lock and copies from before an upgrade.
  for (const entry of namesIn(folder)) if (entry.startsWith(name)) rmSync(join(folder, entry), { force: true });
}

const BUSY_MS = 2000;

function withDatabase(path: string, isHeld: boolean, work: (db: Database.Database) => CareResult): CareResult {
  const locks: Database.Database[] = [];
  let db: Database.Database | undefined;
  try {
    if (isHeld) {
      // The lock of a run, as in task-database.ts: a run must not meet a database that is being rewritten. The first one
      // tells it that this is no other run, and worth waiting for.
      for (const lockPath of [careLockPath(path), `${path}-lock`]) {
        const lock = openSqlite(lockPath, { timeout: 0 });
        locks.push(lock);
        lock.exec('BEGIN EXCLUSIVE');
      }
    }
    db = openSqlite(path, { fileMustExist: true, timeout: BUSY_MS });
    return work(db);
  } catch (error) {
    const code = (error as { code?: unknown }).code;
    if (code === 'SQLITE_BUSY' || code === 'SQLITE_LOCKED') return { kind: 'busy' };
    if (code === 'SQLITE_CORRUPT' || code === 'SQLITE_NOTADB') {
      return { kind: 'damaged', faults: [error instanceof Error ? error.message : String(error)] };
    }
    throw asStateError(error, path);
  } finally {
    db?.close();
    for (const lock of locks.reverse()) lock.close();
  }
}

function sizeOf(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.size;
}
