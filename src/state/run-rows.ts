/** The rows of a run's work, as the code sees them and as SQLite gives them. */

/** How far the run's work has come; kept, so that a killed run goes on there. */
export type WorkStage = 'scanning' | 'planning' | 'transferring';

/** What the tables are the work of. */
export interface Work {
  readonly runId: number;
  /** What decides which files are wanted; work with another key is not gone on with. */
  readonly key: string;
  readonly startedMs: number;
  readonly stage: WorkStage;
}

/** `deferred`: perhaps the same folder as one that is known by another path, so it is listed last and compared. */
export type RunFolderState = 'waiting' | 'deferred' | 'listed' | 'failed';

/** One folder of the scan. Paths are the server's bytes as latin1 text. */
export interface RunFolder {
  readonly id: number;
  readonly parentId: number | undefined;
  readonly path: string;
  readonly depth: number;
  readonly unique: string | undefined;
  readonly state: RunFolderState;
  readonly incomplete: string | undefined;
  readonly fingerprint: Buffer | undefined;
  readonly entryCount: number;
  readonly isUnchanged: boolean;
  readonly aliasOf: string | undefined;
}

/** One line of a changed folder's listing. `excluded`: there, whatever it is, but left out by the task's filters. */
export interface EntryRow {
  readonly name: string;
  readonly type: string;
  readonly sizeBytes: number;
  readonly stamp: string | undefined;
  readonly stampMs: number | undefined;
  readonly precision: string;
  readonly unique: string | undefined;
  readonly mode: string | undefined;
  readonly leadsTo: string | undefined;
}

/** What a finished listing says of its folder. */
export interface ListedFolder {
  readonly incomplete: string | undefined;
  readonly detail: string | undefined;
  readonly fingerprint: Buffer;
  readonly entryCount: number;
  /** Files that are wanted. */
  readonly fileCount: number;
  readonly isUnchanged: boolean;
  readonly aliasOf: string | undefined;
}

export interface Subfolder {
  readonly path: string;
  readonly unique: string | undefined;
  readonly state: 'waiting' | 'deferred';
}

/**
 * download: bring the file. recheck: ask the server whether it changed, then perhaps bring it. retire: move what lies
 * there to `versions/`. vanish: mark a file that has gone. vanish-folder: the same for a subtree. retire-vanished: move
 * there what has been missing for long enough. rename: it lies here under its old path. reject: a line of a listing that
 * could not be used; verify: content that is not what it should be; both are only there to be told.
 */
export type StepAction =
  | 'download'
  | 'recheck'
  | 'retire'
  | 'retire-folder'
  | 'vanish'
  | 'vanish-folder'
  | 'retire-vanished'
  | 'rename'
  | 'reject'
  | 'verify';

/**
 * `whole`: arrived and safe on disk, perhaps not yet under its name. `gone`: no longer on the server when asked for.
 * `held`: waits for somebody's decision.
 */
export type StepState = 'todo' | 'whole' | 'done' | 'failed' | 'gone' | 'held';

export interface NewStep {
  readonly runFolderId: number;
  readonly name: string;
  readonly action: StepAction;
  readonly reason: string;
  readonly fileCount: number;
  readonly sizeBytes: number;
  readonly localPath: string;
}

export interface Step extends NewStep {
  readonly id: number;
  readonly state: StepState;
  readonly got: Arrived | undefined;
}

/** A file that arrived whole. */
export interface Arrived {
  readonly sizeBytes: number;
  readonly modifiedMs: number | undefined;
  readonly sha256: Buffer;
  readonly isUnsettled: boolean;
}

export interface RunFolderRow {
  id: number;
  parent_id: number | null;
  path: string;
  depth: number;
  unique_id: string | null;
  state: RunFolderState;
  incomplete: string | null;
  fingerprint: Buffer | null;
  entry_count: number;
  is_unchanged: number;
  alias_of: string | null;
}

export interface RunEntryRow {
  name: string;
  type: string;
  size_bytes: number;
  stamp: string | null;
  stamp_ms: number | null;
  precision: string;
  unique_id: string | null;
  mode: string | null;
  leads_to: string | null;
}

export interface StepRow {
  id: number;
  run_folder_id: number;
  name: string;
  action: StepAction;
  reason: string;
  state: StepState;
  file_count: number;
  size_bytes: number;
  local_path: string;
  got_size: number | null;
  got_ms: number | null;
  got_sha256: Buffer | null;
  is_unsettled: number;
}

export function runFolder(row: RunFolderRow): RunFolder {
  return {
    id: row.id,
    parentId: row.parent_id ?? undefined,
    path: row.path,
    depth: row.depth,
    unique: row.unique_id ?? undefined,
    state: row.state,
    incomplete: row.incomplete ?? undefined,
    fingerprint: row.fingerprint ?? undefined,
    entryCount: row.entry_count,
    isUnchanged: row.is_unchanged === 1,
    aliasOf: row.alias_of ?? undefined,
  };
}

export function entryRow(row: RunEntryRow): EntryRow {
  return {
    name: row.name,
    type: row.type,
    sizeBytes: row.size_bytes,
    stamp: row.stamp ?? undefined,
    stampMs: row.stamp_ms ?? undefined,
    precision: row.precision,
    unique: row.unique_id ?? undefined,
    mode: row.mode ?? undefined,
    leadsTo: row.leads_to ?? undefined,
  };
}

export function stepRow(row: StepRow): Step {
  return {
    id: row.id,
    runFolderId: row.run_folder_id,
    name: row.name,
    action: row.action,
    reason: row.reason,
    fileCount: row.file_count,
    sizeBytes: row.size_bytes,
    localPath: row.local_path,
    state: row.state,
    got:
      row.got_sha256 === null || row.got_size === null
        ? undefined
        : {
            sizeBytes: row.got_size,
            modifiedMs: row.got_ms ?? undefined,
            sha256: row.got_sha256,
            isUnsettled: row.is_unsettled === 1,
          },
  };
}
