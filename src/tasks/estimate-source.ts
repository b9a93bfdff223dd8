import type { Clock } from '../clock.ts';
import { BackupError, isBackupError } from '../errors.ts';
import type { ErrorCode, ErrorFacts } from '../errors.ts';
import { readablePath } from '../paths.ts';
import { REMOTE_ROOT, joinRemote } from '../remote/remote.ts';
import type { RemotePath, RemoteSource } from '../remote/remote.ts';
import { compileFilter } from '../settings/filter-rules.ts';
import type { FilterSettings } from '../settings/task-settings.ts';

/** A look at the site before its first backup takes no longer, and remembers no more folders that it has still to see. */
const ESTIMATE_MS_MAX = 60_000;
const ESTIMATE_FOLDERS_MAX = 20_000;

/** How much a backup would bring, as far as it was seen. */
export interface Estimate {
  readonly files: number;
  readonly folders: number;
  readonly bytes: number;
  /** False: there is more than this, or may be. */
  readonly isComplete: boolean;
  /** Why nothing could be seen at all. */
  readonly failure: { readonly code: ErrorCode; readonly facts: ErrorFacts } | undefined;
}

/**
 * Looks through the site over one connection, folder by folder, the nearest first, and counts what the filters want.
 * Ends after ESTIMATE_MS_MAX or where `signal` aborts, and tells then what it has seen. Believes no listing that is
 * not whole. Throws only where there is a bug.
 */
export async function estimateSource(
  source: RemoteSource,
  filters: FilterSettings,
  options: { clock: Clock; signal: AbortSignal; onProgress: (soFar: Estimate) => void },
): Promise<Estimate> {
  const { clock, onProgress } = options;
  const signal = AbortSignal.any([options.signal, AbortSignal.timeout(ESTIMATE_MS_MAX)]);
  const seen = { files: 0, folders: 0, bytes: 0, isComplete: true, failure: undefined as Estimate['failure'] };
  const waiting: RemotePath[] = [REMOTE_ROOT];
  const filter = compileFilter(filters);
  /** Identities of folders, where the server tells them: one that is reached twice counts once. */
  const known = new Set<string>();
  try {
    const session = await source.open(signal);
    const stop = (): void => {
      session.close();
    };
    signal.addEventListener('abort', stop, { once: true });
    try {
      for (let folder = waiting.shift(); folder !== undefined && !signal.aborted; folder = waiting.shift()) {
        await look(folder);
        onProgress({ ...seen, isComplete: false });
      }
      if (signal.aborted) seen.isComplete = false;
    } finally {
      signal.removeEventListener('abort', stop);
      session.close();
    }

    async function look(folder: RemotePath): Promise<void> {
      const inFolder = { files: 0, folders: 0, bytes: 0 };
      const below: RemotePath[] = [];
      try {
        const listing = await session.list(folder, (entries) => {
          for (const entry of entries) {
            const path = joinRemote(folder, entry.name);
            const words = readablePath(path);
            if (entry.type === 'folder' && filter.wantsFolder(words)) {
              if (entry.unique !== undefined && known.has(entry.unique)) continue;
              if (entry.unique !== undefined && known.size < ESTIMATE_FOLDERS_MAX) known.add(entry.unique);
              inFolder.folders++;
              if (waiting.length + below.length < ESTIMATE_FOLDERS_MAX) below.push(path);
              else seen.isComplete = false;
            }
            const isWanted =
              entry.type === 'file' && filter.wantsFile(words, entry.sizeBytes, entry.modified?.ms, clock.nowMs());
            if (!isWanted) continue;
            inFolder.files++;
            inFolder.bytes += entry.sizeBytes;
          }
        });
        if (listing.incomplete !== undefined) seen.isComplete = false;
      } catch (error) {
        // A folder that is refused is not seen; what else breaks off ends the look.
        if (!isBackupError(error) || error.scope !== 'folder' || signal.aborted) throw error;
        seen.isComplete = false;
        return;
      }
      seen.files += inFolder.files;
      seen.folders += inFolder.folders;
      seen.bytes += inFolder.bytes;
      waiting.push(...below);
    }
  } catch (error) {
    if (!isBackupError(error) && !signal.aborted) throw error;
    seen.isComplete = false;
    if (seen.folders + seen.files === 0 && error instanceof BackupError && !signal.aborted) {
      seen.failure = { code: error.code, facts: error.facts };
    }
  }
  return seen;
}
