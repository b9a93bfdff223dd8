import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { errnoName } from './local-errors.ts';
import type { TargetDisk } from './target-disk.ts';
import { FILE_MODE } from './target-fs.ts';

const READ_BYTES = 256 * 1024;

/** SHA-256 of the regular file at the absolute `path`; undefined where there is none. Follows no link. */
export function hashFile(disk: TargetDisk, path: string): Promise<Buffer | undefined> {
  return disk.attempt(path, async () => {
    let file;
    try {
      file = await disk.fs.open(path, constants.O_RDONLY | constants.O_NOFOLLOW, FILE_MODE);
    } catch (error) {
      if (['ENOENT', 'ELOOP', 'ENOTDIR'].includes(errnoName(error) ?? '')) return undefined;
      throw error;
    }
    try {
      const hash = createHash('sha256');
      const buffer = Buffer.allocUnsafe(READ_BYTES);
      for (let at = 0; ;) {
        const { bytesRead } = await file.read(buffer, 0, buffer.length, at);
        if (bytesRead === 0) return hash.digest();
        hash.update(buffer.subarray(0, bytesRead));
        at += bytesRead;
      }
    } finally {
      await file.close();
    }
  });
}
