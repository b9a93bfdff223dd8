import { existsSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { BackupError } from '../errors.ts';
import { NATIVE_DIR } from '../program-files.ts';

/** How long a reader waits for whoever writes. */
const READ_TIMEOUT_MS = 2000;

/**
 * Opens a SQLite file as it is; see better-sqlite3 for the options. In the Synology package the native module is the one
 * made for this processor and this Node ABI: throws `node-unsupported` where there is none.
 */
export function openSqlite(path: string, options: Database.Options = {}): Database.Database {
  if (NATIVE_DIR === undefined) return new Database(path, options);
  const nativeBinding = join(NATIVE_DIR, `better_sqlite3-${process.arch}-abi${process.versions.modules}.node`);
  if (!existsSync(nativeBinding)) {
    throw new BackupError('node-unsupported', { facts: { node: process.version, processor: process.arch } });
  }
  return new Database(path, { ...options, nativeBinding });
}

/** Opens a SQLite file that is there only to read it, beside a run that may be under way and is never hindered. */
export function openSqliteToRead(path: string): Database.Database {
  return openSqlite(path, { readonly: true, timeout: READ_TIMEOUT_MS });
}
