import { isBackupError } from '../errors.ts';
import { hashFile } from './file-hash.ts';
import type { TargetDisk } from './target-disk.ts';
import { lstatIfAny } from './target-folders.ts';

/** What became of content that was kept: still the same, another or unreadable, or not there. */
export type CopyState = 'whole' | 'damaged' | 'missing';

/**
 * Reads the regular file at the absolute `path` whole and compares it. Throws what concerns the whole target, such as
 * `target-missing`; what the disk cannot read of this one file is damaged.
 */
export async function proofOfFile(
  disk: TargetDisk,
  path: string,
  content: { readonly sizeBytes: number; readonly sha256: Buffer },
): Promise<CopyState> {
  const stats = await lstatIfAny(disk, path);
  if (stats?.isFile() !== true) return 'missing';
  if (stats.size !== content.sizeBytes) return 'damaged';
  try {
    const sha256 = await hashFile(disk, path);
    return sha256?.equals(content.sha256) === true ? 'whole' : 'damaged';
  } catch (error) {
    // EIO: the sectors under it have gone bad. A file that may not be read is no proof of that.
    if (isBackupError(error) && error.scope === 'file' && error.detail === 'EIO') return 'damaged';
    throw error;
  }
}
