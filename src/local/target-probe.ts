import { constants } from 'node:fs';
import { join } from 'node:path';
import { errnoName } from './local-errors.ts';
import type { NameLimits } from './local-name.ts';
import { blocked } from './target-disk.ts';
import type { TargetDisk } from './target-disk.ts';
import { FILE_MODE } from './target-fs.ts';

/** The usual limit of Linux, and that of eCryptfs, which is what an encrypted shared folder of DSM is. */
const NAME_BYTES_TRIED = [255, 143];

const PROBE = 'site-backup-probe';

/**
 * Writes, renames and removes files in `folder` (absolute, out of sight) to see that all of it is allowed, how long a
 * name may be, and whether upper and lower case differ. Throws `target-read-only`, `disk-full` or `target-unwritable`.
 */
export async function probeTarget(disk: TargetDisk, folder: string): Promise<NameLimits> {
  // A refusal here is about the target, not about one file of it.
  return disk.attempt(disk.root, async () => {
    const first = join(folder, `${PROBE}.new`);
    const probe = join(folder, PROBE);
    try {
      await writeProbe(disk, first);
      await disk.fs.rename(first, probe);
      const isCaseSensitive = !(await lies(disk, join(folder, PROBE.toUpperCase())));
      await disk.fs.unlink(probe);
      return { nameBytesMax: await longestName(disk, folder), isCaseSensitive };
    } finally {
      for (const left of [first, probe]) await disk.fs.unlink(left).catch(() => undefined);
    }
  });
}

async function writeProbe(disk: TargetDisk, path: string): Promise<void> {
  const file = await disk.fs.open(path, constants.O_WRONLY | constants.O_CREAT | constants.O_NOFOLLOW, FILE_MODE);
  try {
    const content = Buffer.alloc(4096, 'Site Backup tries whether it may write here.\n');
    const { bytesWritten } = await file.write(content, 0, content.length, 0);
    // Short without an error: the next write would say that the disk is full.
    if (bytesWritten < content.length)
      await file.write(content, bytesWritten, content.length - bytesWritten, bytesWritten);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function longestName(disk: TargetDisk, folder: string): Promise<number> {
  for (const nameBytes of NAME_BYTES_TRIED) {
    const path = join(folder, 'n'.repeat(nameBytes));
    try {
      const file = await disk.fs.open(path, constants.O_WRONLY | constants.O_CREAT | constants.O_NOFOLLOW, FILE_MODE);
      await file.close();
    } catch (error) {
      if (errnoName(error) === 'ENAMETOOLONG') continue;
      throw error;
    }
    await disk.fs.unlink(path);
    return nameBytes;
  }
  throw blocked(disk.root, `names of ${NAME_BYTES_TRIED.at(-1) ?? 0} bytes are refused`);
}

async function lies(disk: TargetDisk, path: string): Promise<boolean> {
  try {
    await disk.fs.lstat(path);
    return true;
  } catch (error) {
    if (errnoName(error) === 'ENOENT') return false;
    throw error;
  }
}
