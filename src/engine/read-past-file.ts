import { createHash } from 'node:crypto';
import type { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { BackupError } from '../errors.ts';
import { openKeptContent } from '../local/kept-content.ts';
import { decodeRemoteName } from '../local/local-name.ts';
import type { PastFile } from '../state/version-tree.ts';

/**
 * Writes the content of a past file into `sink` and ends it once all of it was proven to be what the run had brought.
 * Rejects with `version-unreadable`, and destroys `sink`, where it is not, or lies nowhere: then nothing that `sink` got may
 * be used. `targetFolder`: the task's folder.
 */
export async function readPastFile(targetFolder: string, file: PastFile, sink: Writable): Promise<void> {
  try {
    await pipeline(pastContent(targetFolder, file), sink);
  } catch (error) {
    sink.destroy();
    throw error;
  }
}

/**
 * The content of a past file, piece by piece. The last piece comes only when all was proven to be what the run had brought:
 * who got less than the file's size has not got the file. Fails with `version-unreadable`.
 */
export async function* pastContent(targetFolder: string, file: PastFile): AsyncGenerator<Buffer> {
  for (const { folder, path } of file.places) {
    const handle = await openKeptContent(targetFolder, `${folder}/${path}`);
    if (handle === undefined) continue;
    try {
      yield* proven(handle.createReadStream({ autoClose: false }), file);
      return;
    } finally {
      await handle.close();
    }
  }
  throw unreadable(file, file.state);
}

/** The same chunks, one of them held back until the content is known to be that of `file`. */
async function* proven(chunks: AsyncIterable<Buffer>, file: PastFile): AsyncGenerator<Buffer> {
  const hash = createHash('sha256');
  let last: Buffer | undefined;
  for await (const chunk of chunks) {
    hash.update(chunk);
    if (last !== undefined) yield last;
    last = chunk;
  }
  if (!hash.digest().equals(file.sha256)) throw unreadable(file, 'not the content that the run had brought');
  if (last !== undefined) yield last;
}

function unreadable(file: PastFile, detail: string): BackupError {
  return new BackupError('version-unreadable', { facts: { path: decodeRemoteName(file.path) }, detail });
}
