import { isBackupError } from '../../errors.ts';
import { closedSince, isOpenAt } from '../../settings/allowed-hours.ts';
import type { RunMark, StoredRun } from '../../state/run-store.ts';
import { readNewestHold } from '../../state/task-hold.ts';
import type { StoredTask } from '../../state/task-store.ts';
import type { TaskActivity } from '../../tasks/task-runner.ts';
import { liveHubOf } from '../live-hub.ts';
import type { RunTrail } from '../live-hub.ts';
import type { Services } from '../services.ts';

/** What is known of one task. */
export interface TaskInput {
  readonly task: StoredTask;
  readonly activity: TaskActivity | undefined;
  readonly trail: RunTrail | undefined;
  readonly lastEnded: StoredRun | undefined;
  readonly lastFinished: StoredRun | undefined;
  readonly marks: readonly RunMark[];
  readonly nextMs: number | undefined;
  readonly isOverdue: boolean;
  readonly waitsForHours: boolean;
  readonly needsDecision: boolean;
}

/** A run that ended this soon after the hours did was stopped by them. */
const HOURS_GRACE_MS = 5 * 60_000;

/** Everything that lists and headings show of a task, its marks left out: those of all tasks are read together. */
export function readTaskInput(services: Services, task: StoredTask, timeZone: string): Omit<TaskInput, 'marks'> {
  const { runs, runner, scheduler, clock } = services;
  const activity = runner.activity(task.id);
  const lastEnded = runs.lastEnded(task.id);
  return {
    task,
    activity,
    trail: activity === undefined ? undefined : liveHubOf(services).trail(activity.runId),
    lastEnded,
    lastFinished: runs.lastFinished(task.id),
    nextMs: scheduler.nextRun(task.id),
    isOverdue: scheduler.isOverdue(task.id),
    needsDecision: needsDecision(services, task),
    waitsForHours: waitsForHours(task, lastEnded, clock.nowMs(), timeZone),
  };
}

/** Asks the task's own database only where its last run that saw the site was held; one that cannot be read has decided nothing. */
function needsDecision({ runs, stateDir }: Services, task: StoredTask): boolean {
  if (runs.lastPlanned(task.id)?.outcome !== 'held') return false;
  try {
    return readNewestHold(stateDir, task.stateKey)?.decision === 'open';
  } catch (error) {
    if (isBackupError(error)) return true;
    throw error;
  }
}

function waitsForHours(task: StoredTask, run: StoredRun | undefined, nowMs: number, timeZone: string): boolean {
  const hours = task.schedule.allowedHours;
  if (hours === undefined || run?.outcome !== 'cancelled' || isOpenAt(hours, nowMs, timeZone)) return false;
  const closedMs = closedSince(hours, nowMs, timeZone);
  return run.endedMs !== undefined && run.endedMs >= closedMs && run.endedMs < closedMs + HOURS_GRACE_MS;
}
