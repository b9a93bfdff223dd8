import type { Clock } from '../clock.ts';
import { BackupError } from '../errors.ts';
import { readablePath } from '../paths.ts';
import { openSource } from '../remote/open-source.ts';
import { REMOTE_ROOT } from '../remote/remote.ts';
import type { SourceSettings } from '../settings/task-settings.ts';

/** Subfolders shown of one folder; a picker with more of them helps nobody. */
export const BROWSED_FOLDERS_MAX = 2000;

/** One folder on a server, as the folder picker shows it. */
export interface RemoteFolder {
  /** As people read them, by name; at most BROWSED_FOLDERS_MAX. */
  readonly folders: readonly string[];
  readonly fileCount: number;
  /** False where the server did not show all of it. */
  readonly isComplete: boolean;
}

/**
 * Lists the subfolders of `folder`, an absolute path on the server, over a connection of its own. Throws what a run
 * would meet: `login-rejected`, `remote-folder-missing`, and so on.
 */
export async function browseSource(
  settings: SourceSettings,
  folder: string,
  options: { readonly clock: Clock; readonly signal: AbortSignal },
): Promise<RemoteFolder> {
  const source = openSource({ ...settings, folder }, { clock: options.clock });
  const session = await source.open(options.signal);
  const stop = (): void => {
    session.close();
  };
  options.signal.addEventListener('abort', stop, { once: true });
  try {
    const folders: string[] = [];
    let fileCount = 0;
    const listing = await session.list(REMOTE_ROOT, (entries) => {
      for (const entry of entries) {
        if (entry.type === 'file') fileCount++;
        else if (entry.type === 'folder' && folders.length < BROWSED_FOLDERS_MAX) folders.push(entry.name);
      }
    });
    const isComplete = listing.incomplete === undefined && folders.length < BROWSED_FOLDERS_MAX;
    return { folders: folders.map(readablePath).sort((a, b) => a.localeCompare(b)), fileCount, isComplete };
  } catch (error) {
    if (options.signal.aborted) throw new BackupError('cancelled', { cause: error });
    throw error;
  } finally {
    options.signal.removeEventListener('abort', stop);
    session.close();
  }
}
