import { existsSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type Database from 'better-sqlite3';
import { BackupError, isBackupError } from '../errors.ts';
import { asStateError, openDatabase } from './database.ts';
import { TASK_MIGRATIONS } from './migrations/task-migrations.ts';
import { readMeta, removeMeta, writeMeta } from './meta.ts';
import { openSqliteToRead } from './open-sqlite.ts';
import { ReadMemory } from './read-memory.ts';
import { flush } from './state-files.ts';
import { holdTaskLock, readMarker, taskDatabasePath } from './task-database.ts';

const META_ADOPTING = 'adopting';

/** A database in the making for a task whose folder holds a backup already. Held by this process alone until `close`. */
export interface AdoptionDatabase {
  readonly db: Database.Database;
  /** What was read for this adoption, also before it was cut short; undefined where that cannot be kept. */
  readonly memory: ReadMemory | undefined;
  /** Its new identity, for the marker file of the folder. */
  readonly marker: string;
  /** Puts it in the place of the task's own. From here on the folder has to be marked, and then `settle` called. */
  readonly commit: () => void;
  /** After `commit`: the folder bears the marker. */
  readonly settle: () => void;
  readonly close: () => void;
}

/**
 * Begins a database beside that of the task `name`, forgetting what an adoption that was cut short has left there, but for
 * what it had read of the same folder. Throws
 * `already-running` while a run holds the task, and `task-has-backup` where it knows a backup of its own. A database that
 * cannot be read is no hindrance: it is laid aside at `commit`.
 */
export function openAdoptionDatabase(stateDir: string, name: string, folder: string): AdoptionDatabase {
  const path = taskDatabasePath(stateDir, name);
  const release = holdTaskLock(stateDir, name);
  try {
    const isDamaged = !isReplaceable(path, name);
    const memoryPath = `${path}.adopting-read`;
    if (unfinishedAdoption(stateDir, name) !== folder) removeDatabase(memoryPath);
    writeFileSync(notePath(path), folder, { mode: 0o600, flush: true });
    const staging = `${path}.adopting`;
    removeDatabase(staging);
    const db = openDatabase(staging, TASK_MIGRATIONS);
    // Until `commit` a crash means to begin anew: no write has to wait for the disk.
    db.pragma('synchronous = OFF');
    let isOpen = true;
    const closeStaging = (): void => {
      if (isOpen) db.close();
      isOpen = false;
    };
    const memory = ReadMemory.open(memoryPath);
    let isMemoryOpen = true;
    const closeMemory = (): void => {
      if (isMemoryOpen) memory?.close();
      isMemoryOpen = false;
    };
    return {
      db,
      memory,
      marker: readMarker(db),
      commit() {
        writeMeta(db, META_ADOPTING, '1');
        db.pragma('wal_checkpoint(TRUNCATE)');
        db.pragma('journal_mode = DELETE');
        closeStaging();
        flush(staging);
        if (isDamaged) renameSync(path, `${path}.damaged`);
        // A log that belongs to the old file would be played into the new one.
        for (const suffix of ['-wal', '-shm']) rmSync(path + suffix, { force: true });
        renameSync(staging, path);
        flush(dirname(path));
      },
      settle() {
        const settled = openDatabase(path, TASK_MIGRATIONS);
        removeMeta(settled, META_ADOPTING);
        settled.close();
        closeMemory();
        removeDatabase(memoryPath);
        rmSync(notePath(path), { force: true });
      },
      close() {
        closeMemory();
        closeStaging();
        removeDatabase(staging);
        release();
      },
    };
  } catch (error) {
    release();
    throw asStateError(error, path);
  }
}

/**
 * The folder whose adoption by the task was begun and not ended, also where it was stopped: a run there would bring all of it
 * again, beside what is to be adopted.
 */
export function unfinishedAdoption(stateDir: string, name: string): string | undefined {
  const note = notePath(taskDatabasePath(stateDir, name));
  return existsSync(note) ? readFileSync(note, 'utf8') : undefined;
}

function notePath(databasePath: string): string {
  return `${databasePath}.adopting-folder`;
}

/** The task database of this state folder whose folder bears `marker`, by the name of its file. */
export function databaseWithMarker(stateDir: string, marker: string, except: string): string | undefined {
  const folder = join(stateDir, 'tasks');
  const own = basename(taskDatabasePath(stateDir, except));
  if (!existsSync(folder)) return undefined;
  return readdirSync(folder).find(
    (name) => name.endsWith('.sqlite') && name !== own && markerOf(join(folder, name)) === marker,
  );
}

function markerOf(path: string): string | undefined {
  try {
    const db = openSqliteToRead(path);
    try {
      return readMeta(db, 'marker');
    } finally {
      db.close();
    }
  } catch {
    // What cannot be read is no task that could run.
    return undefined;
  }
}

/** False where it cannot be read. Throws where it knows a backup that was not left by a cut-short adoption. */
function isReplaceable(path: string, task: string): boolean {
  if (!existsSync(path)) return true;
  let db: Database.Database;
  try {
    db = openDatabase(path, TASK_MIGRATIONS);
  } catch (error) {
    if (isBackupError(error, 'state-unreadable')) return false;
    throw error;
  }
  try {
    const isUsed = db.prepare('SELECT 1 FROM folder LIMIT 1').get() !== undefined;
    const isAdopting = readMeta(db, META_ADOPTING) !== undefined;
    if (isUsed && !isAdopting) throw new BackupError('task-has-backup', { facts: { task } });
    return true;
  } catch (error) {
    if (isBackupError(asStateError(error, path), 'state-unreadable')) return false;
    throw error;
  } finally {
    db.close();
  }
}

function removeDatabase(path: string): void {
  for (const suffix of ['', '-wal', '-shm', '-journal']) rmSync(path + suffix, { force: true });
}
