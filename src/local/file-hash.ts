import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { lstat } from 'node:fs/promises';
import { errnoName } from './local-errors.ts';
import type { TargetDisk } from './target-disk.ts';
import { FILE_MODE } from './target-fs.ts';

const READ_BYTES = 256 * 1024;

/** SHA-256 of the regular file at the absolute `path`; undefined where there is none. Follows no link. */
export async function hashFile(disk: TargetDisk, path: string): Promise<Buffer | undefined> {
  return (await hashFileAs(disk, path, ['sha256']))?.[0];
}

/** The same by several algorithms of OpenSSL, in their order; the file is read once. */
export function hashFileAs(
  disk: TargetDisk,
  path: string,
  algorithms: readonly string[],
): Promise<Buffer[] | undefined> {
  return disk.attempt(path, async () => {
    let file;
    try {
      file = await disk.fs.open(path, constants.O_RDONLY | constants.O_NOFOLLOW, FILE_MODE);
    } catch (error) {
      if (['ENOENT', 'ELOOP', 'ENOTDIR'].includes(errnoName(error) ?? '')) return undefined;
      throw error;
    }
    try {
      const hashes = algorithms.map((algorithm) => createHash(algorithm));
      const buffer = Buffer.allocUnsafe(READ_BYTES);
      for (let at = 0; ;) {
        const { bytesRead } = await file.read(buffer, 0, buffer.length, at);
        if (bytesRead === 0) return hashes.map((hash) => hash.digest());
        for (const hash of hashes) hash.update(buffer.subarray(0, bytesRead));
        at += bytesRead;
      }
    } finally {
      await file.close();
    }
  });
}

/**
 * Which file lies at the absolute `path`, whatever its name, and how it was last written: as long as both are the same, so is
 * its content, but for what a disk forgets. undefined where that cannot be told.
 */
export async function fileState(path: string): Promise<{ readonly id: string; readonly state: string } | undefined> {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = await lstat(path, { bigint: true });
    return { id: `${dev}:${ino}`, state: `${size} ${mtimeNs} ${ctimeNs}` };
  } catch {
    return undefined;
  }
}
