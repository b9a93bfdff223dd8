import type { Worker } from 'node:worker_threads';
import type { Clock } from '../clock.ts';
import type { Logger } from '../log.ts';
import type { RunReport } from '../engine/run-report.ts';
import { resolveTimeZone } from '../settings/wall-clock.ts';
import { taskSettingsJson } from '../settings/task-settings-json.ts';
import type { RunCause, RunStore, StoredOutcome } from '../state/run-store.ts';
import type { SettingsStore } from '../state/settings-store.ts';
import type { StoredTask, TaskStore } from '../state/task-store.ts';
import { ConnectionBudget } from './connection-budget.ts';
import type { ReleasePermit } from './connection-budget.ts';
import type { FromWorker, RunAssignment, ToWorker } from './run-messages.ts';
import { startThread } from './start-thread.ts';
import type { RunnerEvent, StopReason, TaskActivity, TaskRunner } from './task-runner.ts';

/** How long runs may take to come to a safe point when the service stops; after that they are cut, and resume all the same. */
export const SHUTDOWN_MS = 20_000;

/** What the disk has refused to write of a run is tried again after this. */
const WRITE_AGAIN_MS = 60_000;

export interface WorkerRunnerOptions {
  readonly tasks: TaskStore;
  readonly runs: RunStore;
  readonly settings: SettingsStore;
  readonly stateDir: string;
  readonly clock: Clock;
  readonly log: Logger;
}

/** The real TaskRunner. Runs that were open when the service last ended are marked interrupted. */
export function createTaskRunner(options: WorkerRunnerOptions): TaskRunner {
  return new WorkerRunner(options);
}

class WorkerRunner implements TaskRunner {
  readonly #options: WorkerRunnerOptions;
  readonly #budget: ConnectionBudget;
  /** By task, in the order of their queueing. */
  readonly #runs = new Map<number, WorkerRun>();
  readonly #listeners = new Set<(event: RunnerEvent) => void>();
  #isShuttingDown = false;
  /** What is still to be written of runs, in its order. */
  readonly #unwritten: (() => void)[] = [];
  #writeAgain: NodeJS.Timeout | undefined;

  constructor(options: WorkerRunnerOptions) {
    this.#options = options;
    this.#budget = new ConnectionBudget(() => options.settings.read().hostConnectionsMax);
    options.runs.markInterrupted(options.clock.nowMs());
  }

  start(taskId: number, cause: RunCause, startedBy: string | undefined): number | undefined {
    const current = this.#runs.get(taskId);
    if (current !== undefined) return current.runId;
    const { tasks, runs, clock } = this.#options;
    const task = tasks.get(taskId);
    if (task?.settings === undefined || this.#isShuttingDown) return undefined;
    const queuedMs = clock.nowMs();
    const runId = runs.queue({ taskId, taskName: task.name, cause, startedBy }, queuedMs);
    this.#runs.set(
      taskId,
      new WorkerRun({ runId, taskId, cause, queuedMs }, this.#options, this.#budget, {
        onEvent: (event) => {
          this.#tell(event);
        },
        write: (change) => {
          this.#unwritten.push(change);
          this.#writeAll();
        },
        onEnd: () => {
          this.#runs.delete(taskId);
          this.#startQueued();
        },
      }),
    );
    this.#tellPhase(taskId);
    this.#startQueued();
    return runId;
  }

  stop(taskId: number, reason?: StopReason): boolean {
    const run = this.#runs.get(taskId);
    run?.stop(reason);
    return run !== undefined;
  }

  activity(taskId: number): TaskActivity | undefined {
    return this.#runs.get(taskId)?.activity;
  }

  activities(): readonly TaskActivity[] {
    return [...this.#runs.values()].map((run) => run.activity);
  }

  subscribe(listener: (event: RunnerEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  async shutdown(): Promise<void> {
    this.#isShuttingDown = true;
    const ends = [...this.#runs.values()].map((run) => run.shutdown());
    await Promise.all(ends);
    clearTimeout(this.#writeAgain);
  }

  /** A volume that a backup has filled must not take the service down, nor lose how the run ended. */
  #writeAll(): void {
    clearTimeout(this.#writeAgain);
    try {
      for (let change = this.#unwritten[0]; change !== undefined; change = this.#unwritten[0]) {
        change();
        this.#unwritten.shift();
      }
    } catch (error) {
      this.#options.log.error('run-not-recorded', { error, waiting: this.#unwritten.length });
      this.#writeAgain = setTimeout(() => {
        this.#writeAll();
      }, WRITE_AGAIN_MS).unref();
    }
  }

  #startQueued(): void {
    if (this.#isShuttingDown) return;
    const { settings, tasks } = this.#options;
    const runsMax = settings.read().runsMax;
    const all = [...this.#runs.values()];
    let free = runsMax - all.filter((run) => run.activity.phase !== 'queued').length;
    for (const run of all) {
      if (free <= 0) return;
      if (run.activity.phase !== 'queued') continue;
      free--;
      run.begin(tasks.get(run.activity.taskId));
    }
  }

  #tellPhase(taskId: number): void {
    const activity = this.activity(taskId);
    if (activity !== undefined) this.#tell({ kind: 'phase', activity });
  }

  #tell(event: RunnerEvent): void {
    for (const listener of [...this.#listeners]) {
      try {
        listener(event);
      } catch (error) {
        this.#options.log.error('bug', { stack: error instanceof Error ? error.stack : String(error) });
      }
    }
  }
}

interface RunListener {
  onEvent(event: RunnerEvent): void;
  /** Changes the stored run now, or as soon as the disk takes it. */
  write(change: () => void): void;
  onEnd(): void;
}

/** One run, from the queue to its end. */
class WorkerRun {
  readonly #options: WorkerRunnerOptions;
  readonly #budget: ConnectionBudget;
  readonly #listener: RunListener;
  readonly #permits = new Map<number, ReleasePermit>();
  readonly #gone = new AbortController();
  readonly #ended: Promise<void>;
  #resolveEnded: () => void = () => undefined;
  #worker: Worker | undefined;
  #report: RunReport | undefined;
  #isClosed = false;
  #isShutdown = false;
  /** Of the first who wanted it. */
  #stopReason: StopReason | undefined;
  activity: TaskActivity;

  constructor(
    begun: Pick<TaskActivity, 'runId' | 'taskId' | 'cause' | 'queuedMs'>,
    options: WorkerRunnerOptions,
    budget: ConnectionBudget,
    listener: RunListener,
  ) {
    this.activity = { ...begun, phase: 'queued', startedMs: undefined, progress: undefined };
    this.#options = options;
    this.#budget = budget;
    this.#listener = listener;
    this.#ended = new Promise((resolve) => {
      this.#resolveEnded = resolve;
    });
  }

  get runId(): number {
    return this.activity.runId;
  }

  begin(task: StoredTask | undefined): void {
    if (task?.settings === undefined) {
      this.#close('failed', undefined);
      return;
    }
    const { runs, clock, stateDir } = this.#options;
    const settings = this.#options.settings.read();
    const startedMs = clock.nowMs();
    this.#listener.write(() => {
      runs.setStarted(this.runId, startedMs);
    });
    this.#setActivity({ phase: 'running', startedMs });
    const stored = taskSettingsJson(task.settings);
    const assignment: RunAssignment = {
      task: { ...stored, source: { ...stored.source, password: task.settings.source.password.reveal() } },
      stateDir,
      stateKey: task.stateKey,
      isDryRun: this.activity.cause === 'simulation',
      timeZone: resolveTimeZone(settings.timeZone),
      eventDays: settings.logDays,
    };
    const worker = startThread('run-worker', assignment);
    this.#worker = worker;
    worker.on('message', (message: FromWorker) => {
      this.#onMessage(message);
    });
    worker.on('error', (error) => {
      const stack = error instanceof Error ? error.stack : String(error);
      this.#options.log.error('run-crashed', { run: this.runId, task: task.name, stack });
    });
    worker.on('exit', () => {
      const outcome = this.#report?.outcome ?? (this.#isShutdown ? 'interrupted' : 'failed');
      // What the shutdown cut short was nobody's wish.
      this.#close(this.#isShutdown && outcome === 'cancelled' ? 'interrupted' : outcome, this.#report);
    });
  }

  stop(reason: StopReason | undefined): void {
    this.#stopReason ??= reason;
    if (this.activity.phase === 'queued') {
      this.#close('cancelled', undefined);
      return;
    }
    this.#setActivity({ phase: 'stopping' });
    this.#send({ kind: 'stop' });
  }

  async shutdown(): Promise<void> {
    this.#isShutdown = true;
    if (this.activity.phase === 'queued') this.#close('interrupted', undefined);
    else this.stop({ hint: 'service' });
    const timer = setTimeout(() => {
      void this.#worker?.terminate();
    }, SHUTDOWN_MS);
    await this.#ended;
    clearTimeout(timer);
  }

  #onMessage(message: FromWorker): void {
    const { runs, log } = this.#options;
    switch (message.kind) {
      case 'started':
        this.#listener.write(() => {
          runs.setLocalRun(this.runId, message.localRunId);
        });
        break;
      case 'progress':
        this.activity = { ...this.activity, progress: message.snapshot };
        this.#listener.onEvent({ kind: 'progress', activity: this.activity });
        break;
      case 'log':
        log[message.level](message.event, { ...message.fields, task: this.activity.taskId, run: this.runId });
        break;
      case 'permit-wanted':
        void this.#grant(message.id, message.hostKey, message.canWait);
        break;
      case 'permit-released':
        this.#permits.get(message.id)?.();
        this.#permits.delete(message.id);
        break;
      case 'ended':
        this.#report = message.report;
        break;
    }
  }

  async #grant(id: number, hostKey: string, canWait: boolean): Promise<void> {
    try {
      const permit = canWait
        ? await this.#budget.acquire(hostKey, this.#gone.signal)
        : this.#budget.tryAcquire(hostKey);
      if (permit !== undefined && this.#isClosed) permit();
      else if (permit !== undefined) this.#permits.set(id, permit);
      this.#send({ kind: 'permit', id, isGranted: permit !== undefined });
    } catch {
      // The run has ended while it waited.
    }
  }

  #send(message: ToWorker): void {
    this.#worker?.postMessage(message);
  }

  #setActivity(changes: Partial<TaskActivity>): void {
    this.activity = { ...this.activity, ...changes };
    this.#listener.onEvent({ kind: 'phase', activity: this.activity });
  }

  #withReason(report: RunReport): RunReport {
    const { cause } = report;
    if (cause?.code !== 'cancelled' || this.#stopReason === undefined) return report;
    return { ...report, cause: { ...cause, facts: { ...cause.facts, ...this.#stopReason } } };
  }

  #close(outcome: StoredOutcome, report: RunReport | undefined): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#gone.abort();
    for (const release of this.#permits.values()) release();
    this.#permits.clear();
    const { runs, clock } = this.#options;
    const stored = report === undefined ? undefined : JSON.stringify({ ...this.#withReason(report), failures: [] });
    const endedMs = clock.nowMs();
    this.#listener.write(() => {
      runs.close(this.runId, outcome, stored, endedMs);
    });
    this.#listener.onEnd();
    this.#listener.onEvent({ kind: 'ended', taskId: this.activity.taskId, runId: this.runId, outcome });
    this.#resolveEnded();
  }
}
