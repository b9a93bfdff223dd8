import { isBackupError } from '../errors.ts';
import type { BackupError } from '../errors.ts';
import type { Target } from '../local/target.ts';
import type { Logger } from '../log.ts';
import type { TaskSettings } from '../settings/task-settings.ts';
import { resolveTimeZone } from '../settings/wall-clock.ts';
import { HoldStore } from '../state/hold-store.ts';
import { RestorePoints } from '../state/restore-points.ts';
import type { RestorePoint } from '../state/restore-points.ts';
import type { TaskDatabase } from '../state/task-database.ts';
import { VersionSweep } from '../state/version-sweep.ts';
import type { StoredVersion, VersionTotals } from '../state/version-sweep.ts';
import { chooseForQuota, chooseVersionsToPrune } from './retention.ts';

/** Files that are deleted between two commits. */
const PAGE = 200;
const DAY_MS = 86_400_000;
/** How far from the run before a clock is believed at once. */
const CLOCK_JUMP_DAYS_MAX = 7;

type Database = TaskDatabase['db'];

/** Rules as a task has them. */
export type PruneRules = Pick<TaskSettings, 'versions' | 'deletion'>;

/** What goes, or would go. */
export interface PruneTotals {
  /** The points that can no longer be gone back to, oldest first. */
  readonly points: readonly RestorePoint[];
  /** Older content that only they needed. */
  readonly pruned: VersionTotals;
  /** Content of files that went from the server longer ago than the rule for deletions keeps them. */
  readonly expired: VersionTotals;
}

/** What a prune would do now. Reads only. While a hold is open, nothing. */
export function simulatePrune(
  database: Database,
  rules: PruneRules,
  nowMs: number,
  timeZone = resolveTimeZone('system'),
): PruneTotals {
  const nothing = { files: 0, bytes: 0 };
  if (new HoldStore(database).open() !== undefined) return { points: [], pruned: nothing, expired: nothing };
  const sweep = new VersionSweep(database);
  const asOfMs = believedMs(database, nowMs);
  const beforeMs = expiryMs(rules, asOfMs);
  const points = pointsToPrune(database, rules, asOfMs, timeZone, beforeMs);
  return {
    points,
    pruned: sweep.unneededTotals(
      points.map(({ runId }) => runId),
      beforeMs,
    ),
    expired: beforeMs === undefined ? nothing : sweep.overdueTotals(beforeMs),
  };
}

export interface PruneOptions {
  readonly database: Database;
  readonly target: Target;
  readonly rules: PruneRules;
  readonly nowMs: number;
  readonly timeZone?: string | undefined;
  readonly log: Logger;
  /** Told of each point that goes, before anything of it is deleted. */
  readonly onPoint: (point: RestorePoint) => void;
}

/**
 * Deletes what the rules no longer keep: the points are given up first, then the files go that only they needed, then their
 * rows. Killed in between, the next call goes on. Does nothing while a hold is open. A file that cannot be deleted keeps no
 * other; its error is thrown at the end.
 */
export async function prune(options: PruneOptions): Promise<PruneTotals> {
  const { database, target, rules, nowMs, log, onPoint } = options;
  const timeZone = options.timeZone ?? resolveTimeZone('system');
  const none = { files: 0, bytes: 0 };
  const sweep = new VersionSweep(database);
  const faults: BackupError[] = [];
  // What somebody has told to go goes, whatever is asked now.
  await noting(faults, finishDeletions(database, sweep, target));
  if (new HoldStore(database).open() !== undefined) return { points: [], pruned: none, expired: none };
  const asOfMs = believedMs(database, nowMs);
  // Before the quota is looked at: what goes anyway must not cost a version beside.
  const expired = (await noting(faults, expire(database, sweep, target, expiryMs(rules, asOfMs)))) ?? none;
  const points = pointsToPrune(database, rules, asOfMs, timeZone);
  database.transaction(() => {
    new RestorePoints(database).markPruned(
      points.map(({ runId }) => runId),
      nowMs,
    );
    if (points.length > 0) sweep.setDue(true);
    points.forEach(onPoint);
  })();
  const pruned = sweep.isDue() ? ((await noting(faults, sweepUnneeded(database, sweep, target))) ?? none) : none;
  if (points.length > 0 || expired.files > 0) {
    log.info('pruned', {
      versions: points.length,
      files: pruned.files,
      bytes: pruned.bytes,
      expiredFiles: expired.files,
      expiredBytes: expired.bytes,
    });
  }
  if (faults[0] !== undefined) throw faults[0];
  return { points, pruned, expired };
}

/** What `work` gives; undefined, and its error in `faults`, where single files stood in its way. */
async function noting<T>(faults: BackupError[], work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (!isBackupError(error) || error.scope !== 'file') throw error;
    faults.push(error);
    return undefined;
  }
}

/**
 * The moment by which the rules are read. After a jump it is the end of the run before: a clock that is years ahead for one
 * night would make everything old. Where a second run finds the same time, so long has passed.
 */
function believedMs(database: Database, nowMs: number): number {
  const lastEndMs = new RestorePoints(database).lastEndMs();
  const isJump = lastEndMs !== undefined && nowMs - lastEndMs > CLOCK_JUMP_DAYS_MAX * DAY_MS;
  return isJump ? lastEndMs : nowMs;
}

/** `overdueMs`: content of files that went from the server before goes beside, and counts for no quota. */
function pointsToPrune(
  database: Database,
  rules: PruneRules,
  nowMs: number,
  timeZone: string,
  overdueMs?: number,
): RestorePoint[] {
  const restorePoints = new RestorePoints(database);
  const all = restorePoints.all();
  const lastComplete = restorePoints.lastComplete();
  const facts = all.map(({ runId, startedMs, isPinned }) => ({
    runId,
    atMs: startedMs,
    isProtected: isPinned || runId === lastComplete,
  }));
  const byRule = new Set(chooseVersionsToPrune(facts, rules.versions, nowMs, timeZone));
  const { quotaBytes } = rules.versions;
  if (quotaBytes !== undefined) {
    const sweep = new VersionSweep(database);
    const usedBytes = sweep.storedTotals(overdueMs).bytes - sweep.unneededTotals([...byRule], overdueMs).bytes;
    const left = facts.filter(({ runId }) => !byRule.has(runId));
    const freedBytes = (...point: [number, number, number]): number => sweep.totalsOfPoint(...point, overdueMs).bytes;
    for (const runId of chooseForQuota(left, usedBytes, quotaBytes, freedBytes)) byRule.add(runId);
  }
  return all.filter(({ runId }) => byRule.has(runId));
}

/** Files that went from the server before this are deleted; undefined where the rule keeps them. */
function expiryMs({ deletion }: PruneRules, nowMs: number): number | undefined {
  return deletion.rule === 'delete' ? nowMs - deletion.days * DAY_MS : undefined;
}

async function expire(
  database: Database,
  sweep: VersionSweep,
  target: Target,
  beforeMs: number | undefined,
): Promise<VersionTotals> {
  const overdue = (): number[] => (beforeMs === undefined ? [] : sweep.overdue(beforeMs, PAGE));
  for (let ids = overdue(); ids.length > 0; ids = overdue()) {
    database.transaction(() => {
      for (const id of ids) sweep.markExpired(id);
    })();
  }
  // Without the rule, only what an earlier process had begun to delete.
  return removeContent(database, sweep, target, (afterId) => sweep.expired(afterId, PAGE));
}

/** Deletes the files of what was marked as deleted by hand. Killed in between, the next call goes on. */
export function finishDeletions(database: Database, sweep: VersionSweep, target: Target): Promise<VersionTotals> {
  return removeContent(database, sweep, target, (afterId) => sweep.deleting(afterId, PAGE));
}

/** Deletes the files of all that `pageAfter` gives; their rows go on telling what there was. */
function removeContent(
  database: Database,
  sweep: VersionSweep,
  target: Target,
  pageAfter: (afterId: number) => readonly StoredVersion[],
): Promise<VersionTotals> {
  return removeAll(database, target, pageAfter, (id) => {
    sweep.forgetPlace(id);
  });
}

/** Deletes what no kept point needs any more. As `prune` where a file cannot be deleted. */
export async function sweepUnneeded(database: Database, sweep: VersionSweep, target: Target): Promise<VersionTotals> {
  for (const page of sweep.unneeded(PAGE)) {
    database.transaction(() => {
      for (const { id } of page) sweep.markPruning(id);
    })();
  }
  const total = await removeAll(
    database,
    target,
    (afterId) => sweep.pruning(afterId, PAGE),
    (id) => {
      sweep.forget(id);
    },
  );
  database.transaction(() => {
    sweep.forgetFolders();
    sweep.setDue(false);
  })();
  return total;
}

/** Deletes the files of all that `pageAfter` gives, and `forget`s each that has gone. Throws the first error at the end. */
async function removeAll(
  database: Database,
  target: Target,
  pageAfter: (afterId: number) => readonly StoredVersion[],
  forget: (id: number) => void,
): Promise<VersionTotals> {
  const total = { files: 0, bytes: 0 };
  let fault: BackupError | undefined;
  for (let page = pageAfter(0); page.length > 0; page = pageAfter(page.at(-1)?.id ?? 0)) {
    const gone: number[] = [];
    for (const { id, place, sizeBytes } of page) {
      try {
        if (place !== undefined) {
          await target.versions.remove(place);
          total.files++;
          total.bytes += sizeBytes;
        }
        gone.push(id);
      } catch (error) {
        if (!isBackupError(error) || error.scope !== 'file') throw error;
        fault ??= error;
      }
    }
    await target.flush();
    database.transaction(() => {
      for (const id of gone) forget(id);
    })();
  }
  if (fault !== undefined) throw fault;
  return total;
}
