import { closedSince, isOpenAt } from '../../settings/allowed-hours.ts';
import type { StoredRun } from '../../state/run-store.ts';
import { readNewestHold } from '../../state/task-hold.ts';
import type { StoredTask } from '../../state/task-store.ts';
import { liveHubOf } from '../live-hub.ts';
import type { Services } from '../services.ts';
import type { TaskInput } from './tasks-view.ts';

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

/** Asks the task's own database only where its last run that saw the site was held. */
function needsDecision({ runs, stateDir }: Services, task: StoredTask): boolean {
  const last = runs.lastPlanned(task.id);
  return last?.outcome === 'held' && readNewestHold(stateDir, task.stateKey)?.decision === 'open';
}

function waitsForHours(task: StoredTask, run: StoredRun | undefined, nowMs: number, timeZone: string): boolean {
  const hours = task.schedule.allowedHours;
  if (hours === undefined || run?.outcome !== 'cancelled' || isOpenAt(hours, nowMs, timeZone)) return false;
  const closedMs = closedSince(hours, nowMs, timeZone);
  return run.endedMs !== undefined && run.endedMs >= closedMs && run.endedMs < closedMs + HOURS_GRACE_MS;
}
