import type { Stats } from 'node:fs';
import { lstat, opendir } from 'node:fs/promises';
import { join } from 'node:path';
import { BackupError } from '../errors.ts';
import { errnoName, localError } from './local-errors.ts';
import { isSystemName } from './local-name.ts';
import { blocked } from './target-disk.ts';

/** Folders below folders: each keeps a folder open while it is read. */
const WALK_DEPTH_MAX = 200;

/** One object below a folder. `other`: a link, a device, or a name that no text can stand for; never looked into. */
export interface WalkedEntry {
  readonly kind: 'folder' | 'file' | 'other';
  /** Relative to the folder that is walked. */
  readonly path: string;
  readonly sizeBytes: number;
  readonly modifiedMs: number;
}

/**
 * All that lies below the absolute `base`, folders before what is in them, in no other order; no link is followed, and memory
 * is flat. What the system keeps for itself (`@eaDir`, `#recycle`) is left out, and so is what `isSkipped` says. Throws
 * `target-unwritable` where another volume is mounted below, and what `localError` makes of a folder that cannot be read.
 */
export async function* walkFolder(
  base: string,
  isSkipped: (path: string) => boolean = () => false,
): AsyncGenerator<WalkedEntry, undefined> {
  const { dev } = await attempt(base, () => lstat(base));
  yield* walkBelow({ base, dev, isSkipped }, '', 0);
  return undefined;
}

interface Walk {
  readonly base: string;
  readonly dev: number;
  readonly isSkipped: (path: string) => boolean;
}

async function* walkBelow(walk: Walk, folder: string, depth: number): AsyncGenerator<WalkedEntry, undefined> {
  const place = join(walk.base, folder);
  if (depth > WALK_DEPTH_MAX) throw blocked(place, `more than ${WALK_DEPTH_MAX} folders below each other`);
  const entries = await attempt(place, () => opendir(place));
  // The iterator closes the folder, however it is left.
  for await (const { name } of entries) {
    const path = folder === '' ? name : `${folder}/${name}`;
    if (isSystemName(name) || walk.isSkipped(path)) continue;
    const stats = await statOf(join(walk.base, path));
    if (stats === undefined) {
      yield { kind: 'other', path, sizeBytes: 0, modifiedMs: 0 };
      continue;
    }
    if (stats.isDirectory() && stats.dev !== walk.dev) {
      throw blocked(join(walk.base, path), 'another volume is mounted there');
    }
    const kind = stats.isDirectory() ? 'folder' : stats.isFile() ? 'file' : 'other';
    yield { kind, path, sizeBytes: stats.size, modifiedMs: Math.round(stats.mtimeMs) };
    if (kind === 'folder') yield* walkBelow(walk, path, depth + 1);
  }
  return undefined;
}

/** undefined where nothing of that name is found: its bytes are not UTF-8, so that the name as text is another one. */
async function statOf(path: string): Promise<Stats | undefined> {
  return attempt(path, async () => {
    try {
      return await lstat(path);
    } catch (error) {
      if (errnoName(error) === 'ENOENT') return undefined;
      throw error;
    }
  });
}

async function attempt<T>(path: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    if (error instanceof BackupError) throw error;
    throw localError(error, path);
  }
}
