import { executeRun } from '../engine/run.ts';
import type { RunOptions } from '../engine/run.ts';
import type { RunReport } from '../engine/run-report.ts';
import { BackupError, isBackupError } from '../errors.ts';
import { unfinishedAdoption } from '../state/adoption-database.ts';
import { asStateError } from '../state/database.ts';
import { openHostLimits } from '../state/host-limits.ts';
import { isTaskDatabaseInCare, openTaskDatabase, openTaskDatabaseCopy } from '../state/task-database.ts';
import type { TaskDatabase } from '../state/task-database.ts';

export interface RunTaskOptions extends Omit<RunOptions, 'database' | 'hostLimits'> {
  /** Where databases lie. A dry run only reads it. */
  readonly stateDir: string;
  /** Names the task's database; stays the same when the task is renamed. */
  readonly stateKey: string;
}

/**
 * Opens the state of a task, makes one run and closes the state again. Waits while the state is being compacted. Throws
 * `already-running`, `state-unreadable`, `state-newer-than-program` or `disk-full` where the state cannot be opened;
 * everything later is in the report.
 */
export async function runTask(options: RunTaskOptions): Promise<RunReport> {
  const { stateDir, stateKey, isDryRun } = options;
  const database = isDryRun ? openTaskDatabaseCopy(stateDir, stateKey) : await openWhenCaredFor(options);
  try {
    assertNotAdopting(options);
    const hostLimits = isDryRun ? undefined : openHostLimits(stateDir);
    try {
      return await executeRun({ ...options, database, hostLimits });
    } finally {
      hostLimits?.close();
    }
  } catch (error) {
    throw asStateError(error, database.db.name);
  } finally {
    database.close();
  }
}

function assertNotAdopting({ stateDir, stateKey, settings }: RunTaskOptions): void {
  const path = settings.target.folder;
  if (unfinishedAdoption(stateDir, stateKey) !== path) return;
  throw new BackupError('target-taken', { facts: { path }, detail: 'its adoption has not been ended' });
}

/** A database of a million files is compacted in minutes, on a slow disk too. */
const CARE_WAIT_MS_MAX = 15 * 60_000;
const CARE_STEP_MS = 250;

async function openWhenCaredFor({ stateDir, stateKey, clock, signal }: RunTaskOptions): Promise<TaskDatabase> {
  const endMs = clock.steadyMs() + CARE_WAIT_MS_MAX;
  for (;;) {
    // Asked before: what ends between the two must not be taken for another run.
    const isInCare = isTaskDatabaseInCare(stateDir, stateKey);
    try {
      return openTaskDatabase(stateDir, stateKey);
    } catch (error) {
      if (!isInCare || !isBackupError(error, 'already-running') || clock.steadyMs() >= endMs) throw error;
    }
    await clock.sleep(CARE_STEP_MS, signal).catch((error: unknown) => {
      throw new BackupError('cancelled', { cause: error });
    });
  }
}
