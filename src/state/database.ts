import { existsSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import type Database from 'better-sqlite3';
import { BackupError } from '../errors.ts';
import { openSqlite } from './open-sqlite.ts';
import { makePrivateFolder } from './private-folder.ts';

/** One schema change; its place in its list is its number. */
export interface Migration {
  readonly name: string;
  readonly sql: string;
}

/** How long a statement waits for another process (a page that reads, a copy) before it fails. */
const BUSY_TIMEOUT_MS = 10_000;
/** Page cache of one connection. With the index of a million files it stays this size. */
const CACHE_KIB = 16 * 1024;
/** The write-ahead log is cut back to this after a checkpoint. */
const WAL_BYTES_MAX = 16 * 1024 * 1024;

/**
 * Opens the SQLite file `path` (folder and file are made at need, for their owner only) with write-ahead log and brings
 * it to the newest of `migrations`; before a step on existing data a copy is laid beside it as `<path>.before-<n>`.
 * Throws `state-unreadable` for a damaged or foreign file and `state-newer-than-program` for one of a later version.
 */
export function openDatabase(path: string, migrations: readonly Migration[]): Database.Database {
  try {
    makePrivateFolder(dirname(path));
    const db = openSqlite(path, { timeout: BUSY_TIMEOUT_MS });
    try {
      db.pragma('journal_mode = WAL');
      db.pragma('synchronous = NORMAL');
      db.pragma(`cache_size = -${CACHE_KIB}`);
      db.pragma(`journal_size_limit = ${WAL_BYTES_MAX}`);
      migrate(db, path, migrations);
      return db;
    } catch (error) {
      db.close();
      throw error;
    }
  } catch (error) {
    throw asStateError(error, path);
  }
}

/** Reads the whole file and says what is wrong with it; an empty list means sound. Takes seconds for large files. */
export function integrityFaults(db: Database.Database): readonly string[] {
  try {
    const rows = db.pragma('integrity_check(20)') as { integrity_check: string }[];
    return rows.map((row) => row.integrity_check).filter((text) => text !== 'ok');
  } catch (error) {
    // Of some damage the check itself dies.
    const code = (error as { code?: unknown }).code;
    if (error instanceof Error && typeof code === 'string' && /^SQLITE_(CORRUPT|NOTADB)/.test(code))
      return [error.message];
    throw error;
  }
}

/** Gives SQLite's and the file system's errors about the state database their code; others pass as they are. */
export function asStateError(error: unknown, path: string): unknown {
  if (error instanceof BackupError || !(error instanceof Error)) return error;
  const code = (error as { code?: unknown }).code;
  if (typeof code !== 'string') return error;
  if (code === 'SQLITE_FULL' || code === 'ENOSPC' || code === 'EDQUOT') {
    return new BackupError('disk-full', { cause: error, facts: { path }, detail: error.message });
  }
  if (code.startsWith('SQLITE_') || /^E[A-Z]+$/.test(code)) {
    return new BackupError('state-unreadable', { cause: error, facts: { path }, detail: error.message });
  }
  return error;
}

function migrate(db: Database.Database, path: string, migrations: readonly Migration[]): void {
  const version = db.pragma('user_version', { simple: true }) as number;
  if (version > migrations.length) {
    throw new BackupError('state-newer-than-program', { facts: { path, version, known: migrations.length } });
  }
  if (version === migrations.length) return;
  if (version > 0) {
    const copy = `${path}.before-${version + 1}`;
    if (existsSync(copy)) rmSync(copy);
    db.prepare('VACUUM INTO ?').run(copy);
  }
  // All or nothing: where one fails, the version that was there before can still read its database.
  db.transaction(() => {
    for (const { sql } of migrations.slice(version)) db.exec(sql);
    db.pragma(`user_version = ${migrations.length}`);
  })();
}
