import { executeRun } from '../engine/run.ts';
import type { RunOptions } from '../engine/run.ts';
import type { RunReport } from '../engine/run-report.ts';
import { asStateError } from '../state/database.ts';
import { openHostLimits } from '../state/host-limits.ts';
import { openTaskDatabase, openTaskDatabaseCopy } from '../state/task-database.ts';

export interface RunTaskOptions extends Omit<RunOptions, 'database' | 'hostLimits'> {
  /** Where databases lie. A dry run only reads it. */
  readonly stateDir: string;
  /** Names the task's database; stays the same when the task is renamed. */
  readonly stateKey: string;
}

/**
 * Opens the state of a task, makes one run and closes the state again. Throws `already-running`, `state-unreadable`,
 * `state-newer-than-program` or `disk-full` where the state cannot be opened; everything later is in the report.
 */
export async function runTask(options: RunTaskOptions): Promise<RunReport> {
  const { stateDir, stateKey, isDryRun } = options;
  const database = isDryRun ? openTaskDatabaseCopy(stateDir, stateKey) : openTaskDatabase(stateDir, stateKey);
  try {
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
