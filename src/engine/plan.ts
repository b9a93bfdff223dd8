import { setImmediate } from 'node:timers/promises';
import { BackupError, isBackupError } from '../errors.ts';
import { localNameFor, nameKey } from '../local/local-name.ts';
import type { NameLimits } from '../local/local-name.ts';
import { LOCAL_ROOT, joinLocal } from '../local/local-path.ts';
import type { LocalPath } from '../local/local-path.ts';
import { nameOf } from '../paths.ts';
import { asRemoteName, joinRemote } from '../remote/remote.ts';
import type { RemotePath } from '../remote/remote.ts';
import type { FileRecord, FolderRecord } from '../state/file-index.ts';
import type { EntryRow, RunFolder, StepAction } from '../state/run-rows.ts';
import { decide, isUnsettledAfterRead } from './decide.ts';
import type { DecideRules } from './decide.ts';
import type { RunContext } from './run-context.ts';

/** Rows read from a table at a time. */
const PAGE = 1000;

export interface PlanOptions {
  readonly limits: NameLimits;
  readonly rules: DecideRules;
}

/**
 * Compares what was seen with the index, folder by folder, and writes down what is to be done. It changes in the index
 * only what the server tells anew of content that is there already; doing it twice gives the same plan.
 */
export async function plan(context: RunContext, options: PlanOptions): Promise<void> {
  const { tables, signal, progress } = context;
  tables.clearPlan();
  for (let afterId = 0; ;) {
    const folders = tables.folders('listed', afterId, PAGE);
    if (folders.length === 0) break;
    for (const folder of folders) {
      afterId = folder.id;
      if (folder.isUnchanged || folder.aliasOf !== undefined) continue;
      tables.transaction(() => {
        FolderPlan.of(context, options, folder)?.write();
      });
      await setImmediate();
      if (signal.aborted) throw new BackupError('cancelled');
      progress.touch();
    }
  }
}

/** The plan of one changed folder. */
class FolderPlan {
  readonly #context: RunContext;
  readonly #options: PlanOptions;
  readonly #folder: RunFolder;
  readonly #record: FolderRecord;
  #unchangedCount = 0;

  private constructor(context: RunContext, options: PlanOptions, folder: RunFolder, record: FolderRecord) {
    this.#context = context;
    this.#options = options;
    this.#folder = folder;
    this.#record = record;
  }

  /** undefined where the folder or one above it could not be given a place, which has been noted as a failure there. */
  static of(context: RunContext, options: PlanOptions, folder: RunFolder): FolderPlan | undefined {
    const { index, tables } = context;
    const known = index.folder(folder.path);
    if (known !== undefined) return new FolderPlan(context, options, folder, known);
    if (folder.parentId === undefined) {
      const { path, unique } = folder;
      index.addFolder({ parentId: undefined, path, localPath: LOCAL_ROOT, unique, sinceRun: context.runId });
    } else {
      // Its parent's listing is as before, but this folder was not followed then.
      const parent = tables.folderById(folder.parentId);
      const parentPlan = parent === undefined ? undefined : FolderPlan.of(context, options, parent);
      parentPlan?.takeKnownNames();
      parentPlan?.placeSubfolder(folder.path, folder.unique);
    }
    const made = index.folder(folder.path);
    return made === undefined ? undefined : new FolderPlan(context, options, folder, made);
  }

  write(): void {
    const { index, tables } = this.#context;
    index.markFolderChanging(this.#record.id, this.#folder.unique);
    if (this.#folder.incomplete === undefined) index.clearLinks(this.#record.id);
    this.takeKnownNames();
    this.#compareFiles();
    this.#placeSubfolders();
    if (this.#folder.incomplete === undefined) this.#noteVanishedSubfolders();
    tables.setPlanned(this.#folder.id, this.#record.id, this.#unchangedCount);
  }

  /** Files and folders that are there already keep their names: new ones must find others. */
  takeKnownNames(): void {
    const { index, names } = this.#context;
    names.clear();
    for (const file of this.#indexedFiles()) names.take(nameKey(file.localName, this.#options.limits));
    for (let after = ''; ;) {
      const page = index.subfolders(this.#record.id, after, PAGE);
      for (const folder of page) names.take(nameKey(nameOf(folder.localPath), this.#options.limits));
      const last = page.at(-1);
      if (last === undefined) break;
      after = last.path;
    }
  }

  /** Two lists in the order of their names, read page by page side by side. */
  #compareFiles(): void {
    const records = this.#indexedFiles();
    let record = records.next();
    for (const entry of this.#listedEntries()) {
      while (record.done !== true && record.value.name < entry.name) {
        this.#planAbsent(record.value);
        record = records.next();
      }
      const isSame = record.done !== true && record.value.name === entry.name;
      this.#planEntry(entry, isSame && record.done !== true ? record.value : undefined);
      if (isSame) record = records.next();
    }
    for (; record.done !== true; record = records.next()) this.#planAbsent(record.value);
  }

  #planEntry(entry: EntryRow, record: FileRecord | undefined): void {
    if (entry.type === 'file') {
      this.#planFile(entry, record);
      return;
    }
    if (entry.type === 'excluded') return;
    if (record !== undefined) {
      // From a listing that was not seen whole, not even that: one of its lines may be part of a name.
      const isReplaced = entry.type === 'folder' && this.#folder.incomplete === undefined;
      if (isReplaced) this.#retireFile(record, 'a folder has taken its place');
      else this.#planAbsent(record);
    }
    const path = joinRemotePath(this.#folder.path, entry.name);
    if (entry.type === 'link') {
      this.#context.index.addLink(this.#record.id, entry.name, entry.leadsTo ?? '');
      this.#context.notice('link-not-followed', path, entry.leadsTo);
    } else if (entry.type === 'other') {
      this.#context.notice('special-not-copied', path, undefined);
    }
  }

  #planFile(entry: EntryRow, record: FileRecord | undefined): void {
    const { index, clock } = this.#context;
    const decision = decide(entry, record, this.#options.rules);
    if (decision.action === 'download' || decision.action === 'recheck') {
      if (!this.#clearsWayForFile(entry)) return;
      const localName = record?.localName ?? this.#newName(entry.name);
      if (localName !== undefined)
        this.#addStep(decision.action, decision.reason, entry.name, localName, entry.sizeBytes);
      return;
    }
    this.#unchangedCount++;
    if (decision.action === 'refresh' && record !== undefined) {
      const isUnsettled = isUnsettledAfterRead(entry, record.modifiedMs, clock.nowMs());
      index.refreshFile(this.#record.id, entry.name, { ...entry, isUnsettled });
    }
  }

  /** Where a whole folder was, a file comes: the folder goes to the versions first. False where it must stay. */
  #clearsWayForFile(entry: EntryRow): boolean {
    const { index } = this.#context;
    const folder = index.folder(joinRemotePath(this.#folder.path, entry.name));
    if (folder === undefined) return true;
    if (this.#folder.incomplete !== undefined) return false;
    const reason = 'a file has taken its place';
    const localName = nameOf(folder.localPath);
    this.#addStep('retire-folder', reason, entry.name, localName, 0, this.#context.subtrees.filesBelow(folder.path));
    this.#context.names.release(nameKey(localName, this.#options.limits));
    return true;
  }

  #planAbsent(record: FileRecord): void {
    // From a listing that was not seen whole nothing follows.
    if (this.#folder.incomplete !== undefined || record.missingSinceRun !== undefined) return;
    this.#addStep('vanish', 'vanished', record.name, record.localName, record.sizeBytes);
  }

  #retireFile(record: FileRecord, reason: string): void {
    this.#addStep('retire', reason, record.name, record.localName, record.sizeBytes);
    this.#context.names.release(nameKey(record.localName, this.#options.limits));
  }

  /** Gives each new subfolder its place, so that their own plans find it. */
  #placeSubfolders(): void {
    const { index, tables } = this.#context;
    for (const entry of this.#listedEntries()) {
      if (entry.type !== 'folder') continue;
      const path = joinRemotePath(this.#folder.path, entry.name);
      const isFollowed = tables.folderByPath(path)?.aliasOf === undefined;
      if (isFollowed && index.folder(path) === undefined) this.placeSubfolder(path, entry.unique);
    }
  }

  placeSubfolder(path: string, unique: string | undefined): void {
    // A file that lies there gives way only to what was seen whole.
    const isBlocked = this.#folder.incomplete !== undefined && this.#hasFile(nameOf(path));
    if (isBlocked) return;
    const localName = this.#newName(nameOf(path));
    if (localName === undefined) return;
    const localPath = joinLocal(this.#record.localPath as LocalPath, localName);
    const sinceRun = this.#context.runId;
    this.#context.index.addFolder({ parentId: this.#record.id, path, localPath, unique, sinceRun });
  }

  #hasFile(name: string): boolean {
    return this.#context.index.file(this.#record.id, name) !== undefined;
  }

  #noteVanishedSubfolders(): void {
    const { index, subtrees, tables } = this.#context;
    for (const path of tables.vanishedSubfolders(this.#folder.id, this.#record.id, this.#folder.path)) {
      const folder = index.folder(path);
      if (folder === undefined) continue;
      const name = nameOf(path);
      // A file in its place retires it, which says more.
      if (tables.entry(this.#folder.id, name)?.type === 'file') continue;
      this.#addStep('vanish-folder', 'vanished', name, nameOf(folder.localPath), 0, subtrees.presentFilesBelow(path));
    }
  }

  #addStep(
    action: StepAction,
    reason: string,
    name: string,
    localName: string,
    sizeBytes: number,
    fileCount = 1,
  ): void {
    this.#context.tables.addStep({
      runFolderId: this.#folder.id,
      name,
      action,
      reason,
      fileCount,
      sizeBytes,
      localPath: joinLocal(this.#record.localPath as LocalPath, localName),
    });
  }

  #newName(remoteName: string): string | undefined {
    const { names, tables } = this.#context;
    const { limits } = this.#options;
    try {
      const name = localNameFor(remoteName, limits, (key) => names.isTaken(key));
      names.take(nameKey(name, limits));
      return name;
    } catch (error) {
      if (!isBackupError(error, 'name-unusable')) throw error;
      tables.addReject(this.#folder.id, remoteName, 'unplaced', error.detail ?? error.code);
      return undefined;
    }
  }

  *#indexedFiles(): Generator<FileRecord, undefined> {
    for (let after = ''; ;) {
      const page = this.#context.index.files(this.#record.id, after, PAGE);
      yield* page;
      const last = page.at(-1);
      if (last === undefined) return undefined;
      after = last.name;
    }
  }

  *#listedEntries(): Generator<EntryRow, undefined> {
    for (let after = ''; ;) {
      const page = this.#context.tables.entries(this.#folder.id, after, PAGE);
      yield* page;
      const last = page.at(-1);
      if (last === undefined) return undefined;
      after = last.name;
    }
  }
}

/** Names in the tables were names when they came from the listing. */
function joinRemotePath(folder: string, name: string): string {
  const remoteName = asRemoteName(name);
  if (remoteName === undefined) throw new Error('an unusable name is in the tables');
  return joinRemote(folder as RemotePath, remoteName);
}
