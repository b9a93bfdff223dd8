import { constants } from 'node:fs';
import { dirname, join } from 'node:path';
import { BackupError } from '../errors.ts';
import { errnoName } from './local-errors.ts';
import { markerPath } from './target-disk.ts';
import type { TargetDisk } from './target-disk.ts';
import { FILE_MODE } from './target-fs.ts';
import type { TargetFile } from './target-fs.ts';

const MARKER_BYTES_MAX = 4096;

const ABOUT = 'Site Backup knows by this file that the folder is its own and really there. Do not delete it.';

/**
 * The id of the task whose folder this is; undefined where no marker lies there. Throws `target-taken` where there is
 * one that cannot be read: it could be anyone's.
 */
export async function readMarker(disk: TargetDisk): Promise<string | undefined> {
  const path = markerPath(disk.root);
  const text = await disk.attempt(path, () => readText(disk, path));
  if (text === undefined) return undefined;
  try {
    const content: unknown = JSON.parse(text);
    if (typeof content === 'object' && content !== null && 'marker' in content && typeof content.marker === 'string') {
      return content.marker;
    }
  } catch {
    // Falls through: not JSON is as good as no id.
  }
  throw new BackupError('target-taken', { facts: { path: disk.root }, detail: 'its marker file cannot be read' });
}

/** Writes the marker file whole or not at all; it is durable when this resolves. */
export async function writeMarker(disk: TargetDisk, marker: string): Promise<void> {
  await writeWhole(
    disk,
    markerPath(disk.root),
    `${JSON.stringify({ format: 1, marker, about: ABOUT }, undefined, 2)}\n`,
  );
}

/** The word that `writeRunWord` has left; undefined where there is none. */
export async function readRunWord(disk: TargetDisk): Promise<string | undefined> {
  const path = runWordPath(disk);
  return (await disk.attempt(path, () => readText(disk, path)))?.trim();
}

/** Leaves a word beside the marker, durable when this resolves. */
export async function writeRunWord(disk: TargetDisk, word: string): Promise<void> {
  await writeWhole(disk, runWordPath(disk), `${word}\n`);
}

function runWordPath(disk: TargetDisk): string {
  return join(dirname(markerPath(disk.root)), 'last-run');
}

async function writeWhole(disk: TargetDisk, path: string, text: string): Promise<void> {
  const content = Buffer.from(text);
  await disk.attempt(disk.root, async () => {
    const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | constants.O_NOFOLLOW;
    const file = await disk.fs.open(`${path}.new`, flags, FILE_MODE);
    try {
      for (let at = 0; at < content.length;) {
        at += (await file.write(content, at, content.length - at, at)).bytesWritten;
      }
      await file.sync();
    } finally {
      await file.close();
    }
    await disk.fs.rename(`${path}.new`, path);
  });
  await disk.touch(dirname(path));
  await disk.flush();
}

async function readText(disk: TargetDisk, path: string): Promise<string | undefined> {
  let file: TargetFile;
  try {
    file = await disk.fs.open(path, constants.O_RDONLY | constants.O_NOFOLLOW, FILE_MODE);
  } catch (error) {
    if (errnoName(error) === 'ENOENT' || errnoName(error) === 'ENOTDIR') return undefined;
    throw error;
  }
  try {
    const buffer = Buffer.alloc(MARKER_BYTES_MAX);
    const { bytesRead } = await file.read(buffer, 0, MARKER_BYTES_MAX, 0);
    return buffer.toString('utf8', 0, bytesRead);
  } finally {
    await file.close();
  }
}
