import { BackupError } from '../errors.ts';
import { asRemoteName, joinRemote } from '../remote/remote.ts';
import type { RemoteEntry, RemoteName, RemotePath, RemoteSession } from '../remote/remote.ts';
import type { RunFolder } from '../state/run-rows.ts';
import type { RunContext } from './run-context.ts';

/** Files of one folder that are asked for by name in one run, and of all folders: each costs one or two round trips. */
const FOLDER_FILES_MAX = 10_000;
const RUN_FILES_MAX = 50_000;
/** After so many names in a row of which the server says nothing, it is left in peace about this folder. */
const UNANSWERED_MAX = 200;

export interface HiddenFolder {
  readonly name: RemoteName;
  readonly unique: string | undefined;
}

/**
 * What the index knows of a folder and a listing that was not seen whole does not show: such files and folders are asked
 * for by their names. One that the server says nothing of is neither there nor gone.
 */
export class HiddenNames {
  readonly #context: RunContext;
  #filesAsked = 0;

  constructor(context: RunContext) {
    this.#context = context;
  }

  /** Hands over the files that the server tells of, as a listing would. All entries that it showed are in the tables. */
  async files(
    session: RemoteSession,
    folder: RunFolder,
    onEntries: (entries: readonly RemoteEntry[]) => void,
  ): Promise<{ asked: number; found: number }> {
    const { hidden, index, signal, progress, runId } = this.#context;
    const folderId = index.folder(folder.path)?.id;
    const counts = { asked: 0, found: 0 };
    const limit = Math.min(FOLDER_FILES_MAX, RUN_FILES_MAX - this.#filesAsked);
    if (folderId === undefined || limit <= 0 || !session.capabilities.hasStat) return counts;
    const count = hidden.fileCount(folder.id, folderId);
    // Each run begins elsewhere. Where there are too many for one, each asks for others; and names that have gone, which stay
    // known as long as nobody sees the whole folder, must not keep all runs from those behind them.
    const offset = count === 0 ? 0 : (runId * (count > limit ? limit : UNANSWERED_MAX)) % count;
    const behind = hidden.files(folder.id, folderId, offset, limit);
    const before = hidden.files(folder.id, folderId, 0, Math.min(offset, limit - behind.length));
    let unanswered = 0;
    for (const { name: text, mode } of [...behind, ...before]) {
      if (signal.aborted) throw new BackupError('cancelled');
      if (unanswered >= UNANSWERED_MAX) break;
      const name = asRemoteName(text);
      if (name === undefined) continue;
      this.#filesAsked++;
      counts.asked++;
      unanswered++;
      const stat = await session.stat(joinRemote(folder.path as RemotePath, name));
      progress.touch();
      // Without a size it is no file, and without a time nothing would show that it is another one now.
      if (stat?.sizeBytes === undefined || stat.modified?.ms === undefined) continue;
      unanswered = 0;
      counts.found++;
      const { sizeBytes, modified, unique } = stat;
      onEntries([{ name, type: 'file', sizeBytes, modified, unique, mode, linkTarget: undefined }]);
    }
    return counts;
  }

  /** Folders that the listing should have shown; whether they are there, their own listings will show. */
  folders(folder: RunFolder): HiddenFolder[] {
    const { hidden, index } = this.#context;
    const folderId = index.folder(folder.path)?.id;
    if (folderId === undefined) return [];
    return hidden.subfolders(folder.id, folderId, folder.path).flatMap(({ name: text, unique }) => {
      const name = asRemoteName(text);
      return name === undefined ? [] : [{ name, unique }];
    });
  }
}
