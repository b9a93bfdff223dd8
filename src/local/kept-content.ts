import { constants } from 'node:fs';
import { open, realpath } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { blocked } from './target-disk.ts';
import { errnoName, localError } from './local-errors.ts';

/**
 * Opens a file of a task's folder for reading: `path` relative to `root`. undefined where no regular file lies there. Throws
 * `target-unwritable` where a symbolic link would lead out of `root`, and what `localError` makes of other failures.
 */
export async function openKeptContent(root: string, path: string): Promise<FileHandle | undefined> {
  const whole = join(root, path);
  let file: FileHandle;
  try {
    const [realRoot, realFolder] = await Promise.all([realpath(root), realpath(dirname(whole))]);
    if (relative(realRoot, realFolder).split('/')[0] === '..') throw blocked(whole, 'a symbolic link leads elsewhere');
    file = await open(whole, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'ELOOP'].includes(errnoName(error) ?? '')) return undefined;
    throw localError(error, whole);
  }
  if ((await file.stat()).isFile()) return file;
  await file.close();
  return undefined;
}
