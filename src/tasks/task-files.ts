import { constants } from 'node:fs';
import { lstat, open, readdir, realpath, rm, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { BackupError } from '../errors.ts';

/** The marker of a task's folder, as local/target-marker.ts writes it. */
const MARKER = ['.site-backup', 'marker.json'] as const;
const MARKER_BYTES_MAX = 4096;

/** The word that the task's last run has left beside it; without it the next run looks at every file: engine/out-of-step.ts. */
const RUN_WORD = 'last-run';

/** What a task keeps in its folder. The marker goes last: until then the folder can be told to be the task's. */
const OWN_NAMES = ['current', 'versions', 'manifest.jsonl', 'SHA256SUMS', '.site-backup'] as const;

/** Whose folder this is. `foreign`: it is there and bears no marker, or that of another task. */
export type FolderOwner = 'own' | 'foreign' | 'absent';

export async function ownerOfFolder(folder: string, marker: string | undefined): Promise<FolderOwner> {
  const real = await realpath(folder).catch(absent);
  if (real === undefined) return 'absent';
  return marker !== undefined && (await readMarkerFile(real)) === marker ? 'own' : 'foreign';
}

/** How many versions lie in the task's folder; 0 where it cannot be read. */
export async function countVersions(folder: string): Promise<number> {
  return (await readdir(join(folder, 'versions')).catch(() => [])).length;
}

/**
 * Deletes what the task with this marker has put into its folder, and the folder itself where nothing else lies in it.
 * Anything else in it stays. Where it does not come to its end, a later run knows that it has to look at every file. Throws
 * `target-taken` where the folder is not the task's, `target-unwritable`, and `cancelled`.
 */
export async function removeTaskFiles(folder: string, marker: string | undefined, signal: AbortSignal): Promise<void> {
  const owner = await ownerOfFolder(folder, marker);
  if (owner === 'absent') return;
  if (owner === 'foreign') throw new BackupError('target-taken', { facts: { path: folder } });
  try {
    // Links on the way are the administrator's, as for a run; below the folder none is followed.
    const real = await realpath(folder);
    await removeRunWord(join(real, MARKER[0]));
    for (const name of OWN_NAMES) await removeFolder(join(real, name), signal);
    await rmdir(real).catch(ignoreContent);
  } catch (error) {
    if (error instanceof BackupError) throw error;
    const detail = (error as NodeJS.ErrnoException).code ?? String(error);
    throw new BackupError('target-unwritable', { cause: error, facts: { path: folder }, detail });
  }
}

/** Durable when this resolves. */
async function removeRunWord(folder: string): Promise<void> {
  const opened = await open(folder, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  try {
    await rm(join(folder, RUN_WORD), { force: true });
    await opened.sync();
  } finally {
    await opened.close();
  }
}

/** Folder by folder, so that it can be stopped. Links are taken away and never followed. */
async function removeFolder(path: string, signal: AbortSignal): Promise<void> {
  const stats = await lstat(path).catch(absent);
  if (stats === undefined) return;
  if (stats.isDirectory()) {
    const entries = await readdir(path, { withFileTypes: true });
    // The marker last of all: what is left when this is cut short can still be told to be the task's.
    for (const entry of entries.sort((a, b) => Number(a.name === MARKER[1]) - Number(b.name === MARKER[1]))) {
      if (signal.aborted) throw new BackupError('cancelled');
      if (entry.isDirectory()) await removeFolder(join(path, entry.name), signal);
      else await rm(join(path, entry.name), { force: true });
    }
    await rmdir(path);
  } else {
    await rm(path, { force: true });
  }
}

async function readMarkerFile(folder: string): Promise<string | undefined> {
  try {
    const file = await open(join(folder, ...MARKER), constants.O_RDONLY | constants.O_NOFOLLOW);
    try {
      const buffer = Buffer.alloc(MARKER_BYTES_MAX);
      const { bytesRead } = await file.read(buffer, 0, MARKER_BYTES_MAX, 0);
      const content: unknown = JSON.parse(buffer.toString('utf8', 0, bytesRead));
      const marker = (content as { marker?: unknown } | null)?.marker;
      return typeof marker === 'string' ? marker : undefined;
    } finally {
      await file.close();
    }
  } catch {
    return undefined;
  }
}

function absent(error: unknown): undefined {
  if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  return undefined;
}

function ignoreContent(error: unknown): void {
  if (!['ENOTEMPTY', 'EEXIST', 'ENOENT'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
}
