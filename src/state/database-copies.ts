import { copyFileSync, existsSync, linkSync, mkdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import type Database from 'better-sqlite3';
import { integrityFaults } from './database.ts';
import { APP_MIGRATIONS } from './migrations/app-migrations.ts';
import { openSqlite } from './open-sqlite.ts';
import { makePrivateFolder } from './private-folder.ts';
import { flush, namesIn } from './state-files.ts';

/** Name of the application's database in the state folder. */
export const APP_DATABASE = 'site-backup.sqlite';

/** Daily copies of the application's database that are kept. */
export const COPIES_MAX = 7;
/** A copy is due when the last one is older: a service that is started every day makes one every day. */
export const COPY_AGE_MS = 20 * 60 * 60_000;
/** Damaged databases that are kept, for whoever wants to look into them. */
const DAMAGED_MAX = 3;
/** Pages that are copied before anything else gets its turn. */
const PAGES_AT_ONCE = 200;

/** One copy of the application's database. */
export interface DatabaseCopy {
  /** Below the state folder. */
  readonly name: string;
  readonly madeMs: number;
  readonly sizeBytes: number;
  /** `newer`: of a later version of the program. */
  readonly state: 'usable' | 'newer' | 'damaged';
  /** How many tasks it holds. */
  readonly tasks: number;
}

/**
 * Copies the application's database while it is in use, reads the copy once, and forgets the oldest ones. False where
 * none is due yet. Throws where the copy could not be made; then all earlier ones are still there.
 */
export async function copyAppDatabase(db: Database.Database, stateDir: string, nowMs: number): Promise<boolean> {
  const folder = join(stateDir, 'copies');
  makePrivateFolder(folder);
  const [newest] = namesOfCopies(stateDir);
  if (newest !== undefined && Math.abs(nowMs - timeOf(newest)) < COPY_AGE_MS) return false;
  const path = join(folder, nameAt(nowMs));
  const part = `${path}.part`;
  rmSync(part, { force: true });
  try {
    await db.backup(part, { progress: () => PAGES_AT_ONCE });
    const copy = openSqlite(part);
    try {
      // Without a log beside it, it can be read from anywhere.
      copy.pragma('journal_mode = DELETE');
      const [fault] = integrityFaults(copy);
      if (fault !== undefined) throw new Error(`the copy is damaged: ${fault}`);
    } finally {
      copy.close();
    }
    flush(part);
    renameSync(part, path);
    flush(folder);
  } catch (error) {
    rmSync(part, { force: true });
    throw error;
  }
  for (const name of namesOfCopies(stateDir).slice(COPIES_MAX)) rmSync(join(folder, name), { force: true });
  return true;
}

/** The daily copies and those from before an upgrade, the newest first. Reads each of them whole. */
export function listCopies(stateDir: string): DatabaseCopy[] {
  const daily = namesOfCopies(stateDir).map((name) => join('copies', name));
  const upgrades = namesIn(stateDir).filter((name) => name.startsWith(`${APP_DATABASE}.before-`));
  return [...daily, ...upgrades]
    .map((name) => describe(stateDir, name))
    .filter((copy) => copy !== undefined)
    .sort((a, b) => b.madeMs - a.madeMs);
}

/** Whether there is a copy from which a lost database could come back. */
export function hasCopies(stateDir: string): boolean {
  return namesOfCopies(stateDir).length > 0;
}

/**
 * Puts the copy in the place of the application's database, which is laid aside. At no moment is there none: a service
 * that is killed meanwhile must not begin with an empty one. Not while the database is open. Throws the system's errors.
 */
export function restoreCopy(stateDir: string, name: string, nowMs: number): void {
  if (!listCopies(stateDir).some((copy) => copy.name === name && copy.state === 'usable')) {
    throw new Error(`no such copy: ${name}`);
  }
  const path = join(stateDir, APP_DATABASE);
  const part = `${path}.part`;
  rmSync(part, { force: true });
  copyFileSync(join(stateDir, name), part);
  flush(part);
  layAside(stateDir, nowMs);
  // A log that belongs to the old file would be played into the new one.
  for (const suffix of ['-wal', '-shm']) rmSync(path + suffix, { force: true });
  renameSync(part, path);
  flush(stateDir);
}

/** Lays the application's database and its copies aside: the next start begins with an empty one. */
export function beginAnew(stateDir: string, nowMs: number): void {
  const path = join(stateDir, APP_DATABASE);
  const aside = layAside(stateDir, nowMs);
  const copies = join(stateDir, 'copies');
  if (existsSync(copies)) renameSync(copies, join(aside, 'copies'));
  for (const suffix of ['-wal', '-shm', '']) rmSync(path + suffix, { force: true });
  flush(stateDir);
}

/** Gives the folder. What is there stays there too: a second name costs no room, which may be what is missing. */
function layAside(stateDir: string, nowMs: number): string {
  const aside = join(stateDir, `damaged-${stamp(nowMs)}`);
  rmSync(aside, { recursive: true, force: true });
  mkdirSync(aside, { mode: 0o700 });
  for (const suffix of ['', '-wal']) {
    const path = join(stateDir, APP_DATABASE + suffix);
    if (existsSync(path)) linkOrCopy(path, join(aside, basename(path)));
  }
  const earlier = namesIn(stateDir).filter((name) => /^damaged-\d/.test(name));
  for (const name of earlier.sort().slice(0, -DAMAGED_MAX)) rmSync(join(stateDir, name), { recursive: true });
  return aside;
}

function linkOrCopy(from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch {
    copyFileSync(from, to);
  }
}

function describe(stateDir: string, name: string): DatabaseCopy | undefined {
  const path = join(stateDir, name);
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats === undefined) return undefined;
  const madeMs = name.startsWith('copies') ? timeOf(basename(name)) : stats.mtimeMs;
  const found = { name, madeMs, sizeBytes: stats.size };
  try {
    const db = openSqlite(path, { readonly: true, fileMustExist: true });
    try {
      const version = db.pragma('user_version', { simple: true }) as number;
      if (version > APP_MIGRATIONS.length) return { ...found, state: 'newer', tasks: 0 };
      if (version < 1 || integrityFaults(db).length > 0) return { ...found, state: 'damaged', tasks: 0 };
      const hasTasks = db.prepare(`SELECT 1 FROM sqlite_schema WHERE name = 'task'`).get() !== undefined;
      const tasks = hasTasks ? (db.prepare('SELECT count(*) FROM task').pluck().get() as number) : 0;
      return { ...found, state: 'usable', tasks };
    } finally {
      db.close();
    }
  } catch {
    return { ...found, state: 'damaged', tasks: 0 };
  }
}

/** The daily ones, the newest first. */
function namesOfCopies(stateDir: string): string[] {
  return namesIn(join(stateDir, 'copies'))
    .filter((name) => NAME.test(name))
    .sort()
    .reverse();
}

const NAME = /^site-backup-(\d{4}-\d\d-\d\d)T(\d\d)-(\d\d)-(\d\d)Z\.sqlite$/;

function nameAt(nowMs: number): string {
  return `site-backup-${stamp(nowMs)}.sqlite`;
}

/** `2026-11-21T02-00-00Z`: sorts by time, and is a file name everywhere. */
function stamp(nowMs: number): string {
  return new Date(nowMs).toISOString().replace(/\.\d+/, '').replaceAll(':', '-');
}

function timeOf(name: string): number {
  const [, day, hour, minute, second] = NAME.exec(name) ?? [];
  return Date.parse(`${day ?? ''}T${hour ?? ''}:${minute ?? ''}:${second ?? ''}Z`);
}
