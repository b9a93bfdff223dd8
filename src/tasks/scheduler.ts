import type { Clock } from '../clock.ts';
import type { Logger } from '../log.ts';
import { closesAt, isOpenAt, openFrom } from '../settings/allowed-hours.ts';
import type { AppSettings } from '../settings/app-settings.ts';
import { nextRunAt } from '../settings/next-run-at.ts';
import type { Schedule } from '../settings/schedule.ts';
import { resolveTimeZone } from '../settings/wall-clock.ts';
import type { RunCause, RunStore, StoredRun } from '../state/run-store.ts';
import type { StoredTask, TaskStore } from '../state/task-store.ts';
import { jobTimer } from './job-timer.ts';
import type { Timer } from './job-timer.ts';
import type { TaskRunner } from './task-runner.ts';

/** Starts tasks when their schedules say so, as long as it is started itself. */
export interface Scheduler {
  /** When the task will start by itself, in ms, spread included; undefined where it will not. */
  nextRun(taskId: number): number | undefined;
  /** Nothing started although the scheduled time and OVERDUE_GRACE_MS (or the interval, if longer) have passed. */
  isOverdue(taskId: number): boolean;
  /** Tasks or settings have changed. */
  reload(): void;
  start(): void;
  /** Starts nothing any more; runs go on. */
  stop(): void;
  /** No task starts by itself before `untilMs` (Infinity: until told otherwise); undefined ends the pause. */
  pauseAll(untilMs: number | undefined): void;
  /** When the pause of all schedules ends, Infinity for a pause without end; undefined where there is none. */
  pausedUntil(): number | undefined;
}

export interface SchedulerOptions {
  readonly tasks: Pick<TaskStore, 'list' | 'get'>;
  readonly runs: Pick<RunStore, 'list' | 'lastScheduledMs'>;
  readonly settings: { read(): AppSettings; write(changes: Partial<AppSettings>): void };
  readonly runner: Pick<TaskRunner, 'start' | 'stop' | 'activity' | 'activities' | 'subscribe'>;
  readonly clock: Pick<Clock, 'nowMs'>;
  readonly log: Logger;
  readonly timer?: Timer;
}

/** Missed runs begin this long after the service: a NAS that has just started is busy enough. */
const CATCH_UP_DELAY_MS = 60_000;
/** Between two tasks of one host and account that are due at the same moment. */
const STAGGER_STEP_MS = 5 * 60_000;
/** The last of them starts before this has passed, its next due time has come or its allowed hours end. */
const STAGGER_MAX_MS = 60 * 60_000;
/** A run that is due for longer than this starts as one that was missed. */
const LATE_MS = 2 * 60_000;
export const OVERDUE_GRACE_MS = 2 * 3_600_000;
/** A clock that goes back by less makes no due time come twice; one that goes back by more begins anew. */
const CLOCK_BACK_MAX_MS = 24 * 3_600_000;
/** A pause that is stored as this has no end. */
const PAUSE_MS_MAX = 8e15;
/** Clocks jump: no wait is longer. */
const CHECK_EVERY_MS = 60_000;
const RECENT_RUNS_MAX = 20;

/** The scheduler on real time, or on `timer`. Does nothing before `start`, apart from saying what it would do. */
export function createScheduler(options: SchedulerOptions): Scheduler {
  return new TaskScheduler(options);
}

/** A task as it was at the last reload. */
interface PlannedTask {
  readonly id: number;
  readonly schedule: Schedule;
  /** The same for all tasks that would meet at one account of one host. */
  readonly account: string;
  /** All that a plan is made from: while it stays the same, so does the plan. */
  readonly basis: string;
  readonly createdMs: number;
  readonly updatedMs: number;
}

interface Plan {
  readonly task: PlannedTask;
  /** As the schedule says. */
  readonly dueMs: number;
  /** Spread. */
  readonly atMs: number;
  readonly isCatchUp: boolean;
}

class TaskScheduler implements Scheduler {
  readonly #options: SchedulerOptions;
  readonly #timer: Timer;
  readonly #tasks = new Map<number, PlannedTask>();
  readonly #plans = new Map<number, Plan>();
  /** By task: the first due time that nothing has started for. */
  readonly #unserved = new Map<number, number>();
  #timeZone = 'UTC';
  #pausedUntilMs = 0;
  #lastTickMs: number | undefined;
  #cancelTimer: (() => void) | undefined;
  #unsubscribe: (() => void) | undefined;

  constructor(options: SchedulerOptions) {
    this.#options = options;
    this.#timer = options.timer ?? jobTimer;
    this.reload();
  }

  nextRun(taskId: number): number | undefined {
    return this.#plans.get(taskId)?.atMs;
  }

  isOverdue(taskId: number): boolean {
    const plan = this.#plans.get(taskId);
    if (plan === undefined || this.pausedUntil() !== undefined) return false;
    const { rule } = plan.task.schedule;
    const graceMs = Math.max(OVERDUE_GRACE_MS, rule.kind === 'interval' ? rule.everyMinutes * 60_000 : 0);
    const dueMs = this.#unserved.get(taskId) ?? plan.dueMs;
    return this.#nowMs() - dueMs > graceMs && !this.#isAtWork(taskId);
  }

  reload(): void {
    const settings = this.#options.settings.read();
    this.#timeZone = resolveTimeZone(settings.timeZone);
    this.#pausedUntilMs = settings.schedulesPausedUntilMs;
    const isPaused = new Map<number, boolean>();
    this.#tasks.clear();
    for (const stored of this.#options.tasks.list()) {
      isPaused.set(stored.id, stored.isPaused);
      this.#tasks.set(stored.id, this.#plannedTask(stored));
    }
    for (const [id, plan] of this.#plans) {
      if (isPaused.get(id) !== false || this.#tasks.get(id)?.basis !== plan.task.basis) this.#forget(id);
    }
    // By id, so that the spread is the same after each start.
    for (const task of [...this.#tasks.values()].sort((a, b) => a.id - b.id)) {
      if (isPaused.get(task.id) === false && !this.#plans.has(task.id)) this.#planNext(task);
    }
    this.#arm();
  }

  start(): void {
    if (this.#unsubscribe !== undefined) return;
    this.#unsubscribe = this.#options.runner.subscribe((event) => {
      if (event.kind === 'phase' && event.activity.cause !== 'simulation') this.#unserved.delete(event.activity.taskId);
    });
    this.#lastTickMs = this.#nowMs();
    const planned = [...this.#plans.values()].map((plan) => plan.task).sort((a, b) => a.id - b.id);
    this.#plans.clear();
    const isMissed = planned.filter((task) => !this.#planFirst(task));
    if (isMissed.length > 0) this.#options.log.info('schedule-missed', { tasks: isMissed.map((task) => task.id) });
    this.#arm();
  }

  stop(): void {
    this.#unsubscribe?.();
    this.#unsubscribe = undefined;
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
  }

  pauseAll(untilMs: number | undefined): void {
    const changes =
      untilMs === undefined
        ? { schedulesPausedUntilMs: 0, schedulesResumedMs: this.#nowMs() }
        : { schedulesPausedUntilMs: Math.min(untilMs, PAUSE_MS_MAX) };
    this.#options.settings.write(changes);
    this.#plans.clear();
    this.#unserved.clear();
    this.reload();
  }

  pausedUntil(): number | undefined {
    if (this.#pausedUntilMs <= this.#nowMs()) return undefined;
    return this.#pausedUntilMs >= PAUSE_MS_MAX ? Infinity : this.#pausedUntilMs;
  }

  #nowMs(): number {
    return this.#options.clock.nowMs();
  }

  #plannedTask({ id, settings, schedule, createdMs, updatedMs }: StoredTask): PlannedTask {
    // Settings that cannot be used start nothing; that the task is overdue says so.
    const account = settings === undefined ? `${id}` : `${settings.source.host.toLowerCase()} ${settings.source.user}`;
    const basis = JSON.stringify([schedule, account, this.#timeZone]);
    return { id, schedule, account, basis, createdMs, updatedMs };
  }

  #forget(taskId: number): void {
    this.#plans.delete(taskId);
    this.#unserved.delete(taskId);
  }

  /** A simulation does not count: it copies nothing. */
  #isAtWork(taskId: number): boolean {
    const activity = this.#options.runner.activity(taskId);
    return activity !== undefined && activity.cause !== 'simulation';
  }

  // Planning

  /** Plans the next due time that is neither past nor served. */
  #planNext(task: PlannedTask): void {
    const nowMs = this.#nowMs();
    // After the clock was set back, what was served lies ahead.
    const servedMs = believable(nowMs, [this.#options.runs.lastScheduledMs(task.id)]);
    const unfinishedMs = this.#unfinishedSince(task, this.#lastRun(task.id)) ?? 0;
    const dueMs = this.#dueAfter(task, Math.max(nowMs, servedMs)) ?? Infinity;
    const nextMs = unfinishedMs > nowMs ? Math.min(unfinishedMs, dueMs) : dueMs;
    if (nextMs === Infinity) this.#plans.delete(task.id);
    else this.#plan(task, nextMs, false);
  }

  /** Plans at the start of the service; false where a run was missed and is made up for. */
  #planFirst(task: PlannedTask): boolean {
    const nowMs = this.#nowMs();
    const recent = this.#lastRun(task.id);
    const coveredMs = believable(nowMs, [
      task.updatedMs,
      this.#options.settings.read().schedulesResumedMs,
      this.#options.runs.lastScheduledMs(task.id),
      recent === undefined ? undefined : coveredUntil(recent),
    ]);
    const dues = [this.#dueAfter(task, coveredMs), this.#unfinishedSince(task, recent)];
    const dueMs = Math.min(...dues.map((due) => due ?? Infinity));
    if (dueMs > nowMs) {
      if (dueMs < Infinity) this.#plan(task, dueMs, false);
      return true;
    }
    this.#unserved.set(task.id, dueMs);
    this.#plan(task, nowMs + CATCH_UP_DELAY_MS, true);
    return false;
  }

  #dueAfter(task: PlannedTask, afterMs: number): number | undefined {
    const nowMs = this.#nowMs();
    // Intervals have no times that could come twice: set back, the clock must not make them wait.
    const fromMs = task.schedule.rule.kind === 'interval' ? Math.min(afterMs, nowMs) : afterMs;
    const lastMs = this.#options.runs.lastScheduledMs(task.id) ?? task.createdMs;
    return nextRunAt(
      task.schedule,
      lastMs > nowMs ? undefined : lastMs,
      Math.max(fromMs, this.#pausedUntilMs),
      this.#timeZone,
    );
  }

  #lastRun(taskId: number): StoredRun | undefined {
    return this.#options.runs.list({ taskId }, RECENT_RUNS_MAX).find((run) => run.cause !== 'simulation');
  }

  /**
   * When a scheduled run that did not come to its end should go on: at once where the service went down, and with the
   * next allowed hours where they stopped it. A run that was itself made up for is not, once it has begun: it might
   * be what brings the service down. Undefined before the end of a pause.
   */
  #unfinishedSince(task: PlannedTask, run: StoredRun | undefined): number | undefined {
    if (run === undefined || !isScheduled(run.cause)) return undefined;
    let sinceMs: number | undefined;
    if (run.outcome === 'interrupted') {
      if (run.cause === 'schedule' || run.startedMs === undefined) sinceMs = run.queuedMs;
    } else if (run.outcome === 'cancelled' && run.endedMs !== undefined) {
      const hours = task.schedule.allowedHours;
      if (!isOpenAt(hours, run.endedMs, this.#timeZone)) sinceMs = openFrom(hours, run.endedMs, this.#timeZone);
    }
    return sinceMs === undefined || sinceMs < this.#pausedUntilMs ? undefined : sinceMs;
  }

  /** Spreads the tasks of one account that are due at the same moment. */
  #plan(task: PlannedTask, wantedMs: number, isCatchUp: boolean): void {
    const hours = task.schedule.allowedHours;
    const dueMs = openFrom(hours, wantedMs, this.#timeZone);
    const takenMs = new Set<number>();
    for (const other of this.#plans.values()) {
      const isSame = other.task.account === task.account && other.task.id !== task.id && other.dueMs === dueMs;
      if (isSame) takenMs.add(other.atMs);
    }
    const followingMs = nextRunAt(task.schedule, dueMs, dueMs, this.#timeZone) ?? Infinity;
    const endMs = Math.min(dueMs + STAGGER_MAX_MS, followingMs, closesAt(hours, dueMs, this.#timeZone));
    let atMs = dueMs;
    while (takenMs.has(atMs) && atMs < endMs) atMs += STAGGER_STEP_MS;
    // Beyond the end the runner's queue has to do.
    this.#plans.set(task.id, { task, dueMs, atMs: atMs < endMs ? atMs : dueMs, isCatchUp });
  }

  // Acting

  #arm(): void {
    if (this.#unsubscribe === undefined) return;
    this.#cancelTimer?.();
    const nowMs = this.#nowMs();
    // Whole minutes, because allowed hours end with them.
    let wakeMs = (Math.floor(nowMs / CHECK_EVERY_MS) + 1) * CHECK_EVERY_MS;
    for (const { atMs } of this.#plans.values()) if (atMs > nowMs && atMs < wakeMs) wakeMs = atMs;
    this.#cancelTimer = this.#timer.at(wakeMs, () => {
      try {
        this.#tick();
      } catch (error) {
        this.#options.log.error('bug', { stack: error instanceof Error ? error.stack : String(error) });
      }
      this.#arm();
    });
  }

  #tick(): void {
    const nowMs = this.#nowMs();
    if (this.#lastTickMs !== undefined && nowMs < this.#lastTickMs) this.#followClockBack(this.#lastTickMs - nowMs);
    this.#lastTickMs = nowMs;
    this.#stopOutsideHours();
    // All before the first is started, so that they see each other and spread.
    for (const plan of this.#duePlans()) {
      if (this.#mustWait(plan)) continue;
      const isLate = nowMs - plan.atMs > LATE_MS;
      if (!isLate && isOpenAt(plan.task.schedule.allowedHours, nowMs, this.#timeZone)) continue;
      this.#noteUnserved(plan.task.id, plan.dueMs);
      this.#plan(plan.task, nowMs, isLate || plan.isCatchUp);
    }
    for (const plan of this.#duePlans()) if (!this.#mustWait(plan)) this.#serve(plan);
  }

  #duePlans(): Plan[] {
    const nowMs = this.#nowMs();
    const due = [...this.#plans.values()].filter((plan) => plan.atMs <= nowMs);
    return due.sort((a, b) => a.atMs - b.atMs || a.task.id - b.task.id);
  }

  /** What is under way would be taken for the run that is due, and does not bring what it should. */
  #mustWait(plan: Plan): boolean {
    const activity = this.#options.runner.activity(plan.task.id);
    return activity?.cause === 'simulation' || activity?.phase === 'stopping';
  }

  #serve({ task, dueMs, isCatchUp }: Plan): void {
    const { tasks, runner, log } = this.#options;
    const stored = tasks.get(task.id);
    if (stored === undefined || stored.isPaused) {
      this.#forget(task.id);
      return;
    }
    const cause = isCatchUp ? 'catch-up' : 'schedule';
    const isAtWork = this.#isAtWork(task.id);
    const runId = runner.start(task.id, cause, undefined);
    if (runId === undefined) {
      this.#noteUnserved(task.id, dueMs);
      log.warn('schedule-not-started', { task: task.id, cause });
    } else {
      this.#unserved.delete(task.id);
      log.info(isAtWork ? 'schedule-still-running' : 'schedule-started', { task: task.id, run: runId, cause });
    }
    this.#planNext(task);
  }

  #noteUnserved(taskId: number, dueMs: number): void {
    if (!this.#unserved.has(taskId)) this.#unserved.set(taskId, dueMs);
  }

  /** What a person has started goes on: they know what time it is. */
  #stopOutsideHours(): void {
    const nowMs = this.#nowMs();
    for (const { taskId, runId, cause, phase } of this.#options.runner.activities()) {
      const task = this.#tasks.get(taskId);
      if (task === undefined || phase === 'stopping' || !isScheduled(cause)) continue;
      const hours = task.schedule.allowedHours;
      if (isOpenAt(hours, nowMs, this.#timeZone)) continue;
      this.#options.log.info('schedule-hours-ended', { task: taskId, run: runId });
      this.#options.runner.stop(taskId, { hint: 'hours' });
      const planned = this.#plans.get(taskId);
      const openMs = openFrom(hours, Math.max(nowMs, this.#pausedUntilMs), this.#timeZone);
      // A paused task has no plan, and gets none.
      if (planned !== undefined && openMs < planned.dueMs) this.#plan(task, openMs, false);
    }
  }

  /** What is counted in minutes keeps its distance; what has a time of day is looked for again. */
  #followClockBack(byMs: number): void {
    this.#options.log.warn('schedule-clock-set-back', { byMs });
    for (const plan of [...this.#plans.values()]) {
      const isCounted = plan.task.schedule.rule.kind === 'interval' || plan.isCatchUp;
      if (isCounted) this.#plans.set(plan.task.id, { ...plan, dueMs: plan.dueMs - byMs, atMs: plan.atMs - byMs });
      else this.#planNext(plan.task);
    }
  }
}

/** Until when the task's due times have been seen to: those during a run are seen to by that run. */
function coveredUntil(run: StoredRun): number {
  return run.outcome === 'interrupted' ? run.queuedMs : (run.endedMs ?? run.queuedMs);
}

/** The latest of the moments, without those of a clock that was far ahead. */
function believable(nowMs: number, moments: readonly (number | undefined)[]): number {
  return moments.reduce<number>((latestMs, moment = 0) => {
    return moment > latestMs && moment <= nowMs + CLOCK_BACK_MAX_MS ? moment : latestMs;
  }, 0);
}

function isScheduled(cause: RunCause): boolean {
  return cause === 'schedule' || cause === 'catch-up';
}
