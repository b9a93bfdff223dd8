import { isBackupError } from '../errors.ts';
import { decodeRemoteName } from '../local/local-name.ts';
import type { LocalPath } from '../local/local-path.ts';
import { folderOf, nameOf, pathIn } from '../paths.ts';
import type { FileRecord } from '../state/file-index.ts';
import type { RenameTables } from '../state/rename-tables.ts';
import type { Step } from '../state/run-rows.ts';
import type { RetireTools } from './retire.ts';
import { recoverVersions } from './version-keeper.ts';

/** Files that are moved together: two waits for the disk serve them all. */
const BATCH_FILES_MAX = 64;

interface Rename {
  readonly step: Step;
  readonly from: { readonly path: string; readonly folderId: number; readonly origin: LocalPath };
  readonly record: FileRecord;
  readonly contentRun: number;
  readonly versionId: number;
}

/**
 * Moves within `current/` what was renamed on the server, instead of bringing it again: a new file with the identity, size
 * and exact time of one that has just gone. Where the rule is to keep everything in `current/`, or the file here is not as
 * it was brought, it is brought like any other.
 */
export async function followRenames(
  { context, target }: RetireTools,
  renames: RenameTables,
  versionName: string,
): Promise<void> {
  const { tables, settings, versions, index, runId, progress, log } = context;
  const mayMove = settings.deletion.rule !== 'keep';
  if (mayMove) renames.pair();
  for (;;) {
    const steps = tables.steps('todo', ['rename'], 0, BATCH_FILES_MAX);
    if (steps.length === 0) return;
    const begun = await begin(steps);
    const moved: Rename[] = [];
    for (const rename of begun) {
      try {
        const to = rename.step.localPath as LocalPath;
        await target.setAside(to, rename.record, versionName);
        await target.move(rename.from.origin, to);
        moved.push(rename);
      } catch (error) {
        if (!isBackupError(error) || error.scope !== 'file') throw error;
        log.warn('rename-failed', { path: decodeRemoteName(rename.from.path), code: error.code });
        renames.giveUp(rename.step.id);
      }
    }
    await target.flush();
    tables.transaction(() => {
      moved.forEach(record);
      renames.dropVanished(moved.map(({ from }) => from.path));
    });
    if (moved.length < begun.length) await recoverVersions(context, target);
    progress.touch();
  }

  async function begin(steps: readonly Step[]): Promise<Rename[]> {
    const possible: Omit<Rename, 'versionId'>[] = [];
    for (const step of steps) {
      const known = await knownAs(step);
      if (known === undefined) renames.giveUp(step.id);
      else possible.push(known);
    }
    const begun: Rename[] = [];
    tables.transaction(() => {
      for (const rename of possible) {
        const { step, from } = rename;
        const movedTo = { path: tables.pathOf(step), place: step.localPath };
        const { origin } = from;
        const leaving = {
          untilRun: runId,
          reason: 'renamed',
          retiredMs: context.clock.nowMs(),
          origin,
          movedTo,
        } as const;
        const versionId = versions.leave(from.folderId, rename.record.name, { ...leaving, place: undefined });
        if (versionId !== undefined) begun.push({ ...rename, versionId });
        else renames.giveUp(step.id);
      }
    });
    return begun;
  }

  async function knownAs(step: Step): Promise<Omit<Rename, 'versionId'> | undefined> {
    // Paired by a run that was cut short, before the rule was changed.
    if (!mayMove) return undefined;
    const path = renames.fromPath(step.id);
    const folder = index.folder(folderOf(path));
    const record = folder === undefined ? undefined : index.file(folder.id, nameOf(path));
    if (folder === undefined || record === undefined) return undefined;
    const origin = pathIn(folder.localPath, record.localName) as LocalPath;
    if (!(await isAsLeft(origin, record))) return undefined;
    const contentRun = index.fileRun(folder.id, record.name);
    return { step, from: { path, folderId: folder.id, origin }, record, contentRun };
  }

  /** What is moved without being read must look as it was left. */
  async function isAsLeft(origin: LocalPath, left: FileRecord): Promise<boolean> {
    try {
      const lies = await target.statFile(origin);
      return lies?.sizeBytes === left.sizeBytes && lies.modifiedMs === left.modifiedMs;
    } catch (error) {
      if (!isBackupError(error) || error.scope !== 'file') throw error;
      return false;
    }
  }

  function record({ step, record: known, contentRun, versionId }: Rename): void {
    const entry = tables.entry(step.runFolderId, step.name);
    if (entry === undefined) throw new Error('a step without its entry');
    const { sizeBytes, sha256, modifiedMs, isUnsettled } = known;
    const localName = nameOf(step.localPath);
    const file = { ...entry, sizeBytes, sha256, modifiedMs, isUnsettled, localName };
    index.putFile(tables.folderIdOf(step.runFolderId), file, contentRun, runId);
    versions.settle(versionId, 'kept');
    tables.setStep(step.id, 'done');
    tables.noteChange(runId);
  }
}
