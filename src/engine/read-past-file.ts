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
  for (const { folder, path } of file.places) {
    const handle = await openKeptContent(targetFolder, `${folder}/${path}`);
    if (handle === undefined) continue;
    try {
      await pipeline(handle.createReadStream({ autoClose: false }), (chunks) => proven(chunks, file), sink);
      return;
    } finally {
      await handle.close();
    }
  }
  sink.destroy();
  throw unreadable(file, file.state);
}

/** The same chunks; fails before their end where they are not the content of `file`. */
async function* proven(chunks: AsyncIterable<Buffer>, file: PastFile): AsyncGenerator<Buffer> {
  const hash = createHash('sha256');
  for await (const chunk of chunks) {
    hash.update(chunk);
    yield chunk;
  }
  if (!hash.digest().equals(file.sha256)) throw unreadable(file, 'not the content that the run had brought');
}

function unreadable(file: PastFile, detail: string): BackupError {
  return new BackupError('version-unreadable', { facts: { path: decodeRemoteName(file.path) }, detail });
}
