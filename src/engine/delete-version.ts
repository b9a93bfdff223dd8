import { decodeRemoteName } from '../local/local-name.ts';
import { Target } from '../local/target.ts';
import type { Logger } from '../log.ts';
import { HoldStore } from '../state/hold-store.ts';
import { RestorePoints } from '../state/restore-points.ts';
import type { PointsShowing, RestorePoint } from '../state/restore-points.ts';
import { RunLog } from '../state/run-log.ts';
import { openPastReading } from '../state/past-reading.ts';
import { openTaskDatabaseForCare } from '../state/task-database.ts';
import type { TaskDatabase } from '../state/task-database.ts';
import { VersionSweep } from '../state/version-sweep.ts';
import type { VersionTotals } from '../state/version-sweep.ts';
import { VersionTree } from '../state/version-tree.ts';
import type { ContentHolder, ContentKey, PathContent } from '../state/version-tree.ts';
import { finishDeletions, sweepUnneeded } from './prune.ts';

type Database = TaskDatabase['db'];

/**
 * Why nothing may be deleted by hand. `held`: a held run waits for a decision. `pinned`: a pinned version shows it.
 * `current`: it lies in the copy of the site. `latest`, `last-complete`: of the newest version and of the last complete one.
 * `moving`: a killed run was about to keep it. `gone`: there is nothing to delete, or not any more.
 */
export type DeletionObstacle = 'held' | 'pinned' | 'current' | 'latest' | 'last-complete' | 'moving' | 'gone';

/** One older content of a file, and the versions that would have to do without it. */
export interface ContentLoss {
  readonly content: PathContent;
  readonly holder: ContentHolder;
  readonly points: PointsShowing;
}

/** One version, and the older content that only it needs. */
export interface PointLoss {
  readonly point: RestorePoint;
  readonly only: VersionTotals;
  /** The oldest version that stays. */
  readonly oldestMs: number | undefined;
}

/** What would be lost with one content of the file `path`. Reads only. */
function lookAtContent(database: Database, path: string, key: ContentKey | undefined): ContentLoss | DeletionObstacle {
  const content = new VersionTree(database).content(path, key);
  if (content === undefined) return 'gone';
  const { file, holder } = content;
  if (holder === undefined) return file.state === 'there' ? 'current' : 'gone';
  if (file.state === 'expired') return 'gone';
  if (holder.isMoving) return 'moving';
  if (new HoldStore(database).open() !== undefined) return 'held';
  const points = new RestorePoints(database).showing(holder.contentRun, holder.untilRun);
  return points.isAnyPinned ? 'pinned' : { content, holder, points };
}

/** What would be lost with the version that run `runId` has left. Reads only. */
function lookAtPoint(database: Database, runId: number): PointLoss | DeletionObstacle {
  const points = new RestorePoints(database);
  const point = points.of(runId);
  if (typeof point === 'string' || point.runId !== runId) return 'gone';
  const { before, after } = points.neighbours(runId);
  if (after === undefined) return 'latest';
  if (points.lastComplete() === runId) return 'last-complete';
  if (point.isPinned) return 'pinned';
  if (new HoldStore(database).open() !== undefined) return 'held';
  const only = new VersionSweep(database).totalsOfPoint(runId, before ?? 0, after);
  return { point, only, oldestMs: points.oldest(before === undefined ? runId : 0)?.startedMs };
}

export type Loss = ContentLoss | PointLoss;

export interface DeleteOptions {
  readonly database: Database;
  readonly target: Target;
  readonly nowMs: number;
  /** Who wants it; undefined where nobody is signed in. */
  readonly by: string | undefined;
  readonly log: Logger;
}

/**
 * Deletes one older content of a file. The trees of the past go on to show the file, and say that it was deleted. Killed in
 * between, nothing is claimed that has gone, and the next deletion or prune goes on.
 */
async function deleteContent(
  options: DeleteOptions,
  path: string,
  key: ContentKey | undefined,
): Promise<ContentLoss | DeletionObstacle> {
  const { database, target, nowMs, by, log } = options;
  const loss = lookAtContent(database, path, key);
  if (typeof loss === 'string') return loss;
  const { content, holder } = loss;
  const sweep = new VersionSweep(database);
  const shown = decodeRemoteName(path);
  const { sizeBytes } = content.file;
  database.transaction(() => {
    sweep.markDeleted(holder.rowId);
    const event = {
      atMs: nowMs,
      level: 'notice',
      code: 'content-deleted',
      path: shown,
      detail: by,
      sizeBytes,
    } as const;
    new RunLog(database).add(holder.contentRun, event);
  })();
  await finishDeletions(database, sweep, target);
  log.info('content-deleted', {
    path: shown,
    fromRun: holder.contentRun,
    untilRun: holder.untilRun,
    bytes: sizeBytes,
    by,
  });
  return loss;
}

/** Deletes one version: it can no longer be gone back to, and what only it needed goes. Killed in between, see `prune`. */
async function deletePoint(options: DeleteOptions, runId: number): Promise<PointLoss | DeletionObstacle> {
  const { database, target, nowMs, by, log } = options;
  const loss = lookAtPoint(database, runId);
  if (typeof loss === 'string') return loss;
  const sweep = new VersionSweep(database);
  database.transaction(() => {
    new RestorePoints(database).markPruned([runId], nowMs);
    sweep.setDue(true);
    const event = { atMs: nowMs, level: 'notice', code: 'version-deleted', path: undefined, detail: by } as const;
    new RunLog(database).add(runId, event);
  })();
  const only = await sweepUnneeded(database, sweep, target);
  log.info('version-deleted', { run: runId, ...only, by });
  return { ...loss, only };
}

/** Amounts that have gone. */
export interface Deleted {
  readonly files: number;
  readonly bytes: number;
}

/** One content of a file, or the whole version that a run has left. Paths as latin1 text. */
export type DeletionWish =
  | { readonly kind: 'content'; readonly path: string; readonly key: ContentKey | undefined }
  | { readonly kind: 'point'; readonly runId: number };

export interface DeletionTask {
  readonly stateDir: string;
  readonly stateKey: string;
  /** Of the task on the NAS. */
  readonly folder: string;
  readonly wish: DeletionWish;
  readonly nowMs: number;
  readonly by: string | undefined;
}

/** What would be lost. Reads only; `gone` where the task has no versions. */
export function lookAtDeletion(
  of: Pick<DeletionTask, 'stateDir' | 'stateKey'>,
  wish: DeletionWish,
): Loss | DeletionObstacle {
  const past = openPastReading(of.stateDir, of.stateKey);
  if (past === undefined) return 'gone';
  try {
    return wish.kind === 'content' ? lookAtContent(past.db, wish.path, wish.key) : lookAtPoint(past.db, wish.runId);
  } finally {
    past.close();
  }
}

/** Throws `already-running` while a run holds the task's database; a run that begins meanwhile waits. */
export async function deleteVersion(task: DeletionTask, log: Logger): Promise<Deleted | DeletionObstacle> {
  const { stateDir, stateKey, folder, wish, nowMs, by } = task;
  const database = openTaskDatabaseForCare(stateDir, stateKey);
  try {
    const target = await Target.open({ folder, marker: database.marker, isKnown: true });
    const options = { database: database.db, target, nowMs, by, log };
    if (wish.kind === 'point') {
      const loss = await deletePoint(options, wish.runId);
      return typeof loss === 'string' ? loss : { files: loss.only.files, bytes: loss.only.bytes };
    }
    const loss = await deleteContent(options, wish.path, wish.key);
    return typeof loss === 'string' ? loss : { files: 1, bytes: loss.content.file.sizeBytes };
  } finally {
    database.close();
  }
}
