import { isBackupError } from '../errors.ts';
import type { BackupError } from '../errors.ts';
import type { LocalPath } from '../local/local-path.ts';
import type { Target } from '../local/target.ts';
import type { VersionReason } from '../state/version-index.ts';
import type { RunContext } from './run-context.ts';
import type { Departure, LeavingFile, VersionKeeper } from './version-keeper.ts';

/** Files that leave together: two waits for the disk serve them all. */
const BATCH_FILES_MAX = 64;
/** Folders read from the index at a time. */
const FOLDERS_PAGE = 500;

/** What moves files to the versions. */
export interface RetireTools {
  readonly context: RunContext;
  readonly target: Target;
  readonly keeper: VersionKeeper;
}

/**
 * Moves files, at most BATCH_FILES_MAX, from `current/` to the versions. Gives the errors of those that had to stay, by
 * their place in `files`; `onRetired` is called in the transaction that makes the others' rows final.
 */
export async function retireFiles(
  { context, target, keeper }: RetireTools,
  files: readonly LeavingFile[],
  onRetired: (index: number) => void,
): Promise<Map<number, BackupError>> {
  const errors = new Map<number, BackupError>();
  const leaving: { readonly index: number; readonly departure: Departure }[] = [];
  const attempt = async (index: number, departure: Departure | undefined, work: () => Promise<void>): Promise<void> => {
    try {
      await work();
    } catch (error) {
      if (!isBackupError(error) || error.scope !== 'file') throw error;
      await departure?.undo();
      errors.set(index, error);
    }
  };
  for (const [index, file] of files.entries()) {
    await attempt(index, undefined, async () => {
      const departure = await keeper.prepare(file);
      if (departure !== undefined) leaving.push({ index, departure });
    });
  }
  context.tables.transaction(() => {
    for (const { departure } of leaving) departure.note();
  });
  for (const { index, departure } of leaving) await attempt(index, departure, () => departure.keep('move'));
  await target.flush();
  context.tables.transaction(() => {
    for (const { index, departure } of leaving) if (!errors.has(index)) departure.settle();
    for (const index of files.keys()) if (!errors.has(index)) onRetired(index);
  });
  return errors;
}

/**
 * Moves all files of the index at and below the remote folder `path` to the versions, forgets its folders and removes those
 * that are empty then. Gives the first error of a file that had to stay: then the folders of the index stay, too.
 */
export async function retireSubtree(
  tools: RetireTools,
  path: string,
  reason: VersionReason,
): Promise<BackupError | undefined> {
  const { context, target } = tools;
  let firstError: BackupError | undefined;
  for (let after = { folder: '', name: '' }; ;) {
    const files = context.subtrees.filesInSubtree(path, after, BATCH_FILES_MAX);
    const last = files.at(-1);
    if (last === undefined) break;
    after = { folder: last.folderPath, name: last.name };
    const leaving = files.map(({ folderId, name, localPath }) => ({
      folderId,
      name,
      origin: localPath as LocalPath,
      reason,
    }));
    const errors = await retireFiles(tools, leaving, () => undefined);
    firstError ??= [...errors.values()][0];
  }
  if (firstError !== undefined) return firstError;
  for (let before = ''; ;) {
    const folders = context.subtrees.foldersInSubtree(path, before, FOLDERS_PAGE);
    const last = folders.at(-1);
    if (last === undefined) break;
    before = last.path;
    for (const { localPath } of folders) await target.versions.removeEmptyFolder(localPath as LocalPath);
  }
  context.tables.transaction(() => {
    context.subtrees.removeSubtree(path, context.runId);
    context.tables.noteChange(context.runId);
  });
  return undefined;
}
