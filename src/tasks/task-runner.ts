import type { ProgressSnapshot } from '../engine/progress.ts';
import type { RunCause, StoredOutcome } from '../state/run-store.ts';

/** What a task is doing now. */
export interface TaskActivity {
  readonly runId: number;
  readonly taskId: number;
  readonly cause: RunCause;
  /** `stopping`: asked to stop, and finishing what must not be cut. */
  readonly phase: 'queued' | 'running' | 'stopping';
  readonly queuedMs: number;
  readonly startedMs: number | undefined;
  /** undefined until the run has told something. */
  readonly progress: ProgressSnapshot | undefined;
}

/** Something changed that a page may show. */
export type RunnerEvent =
  | { readonly kind: 'progress'; readonly activity: TaskActivity }
  | { readonly kind: 'phase'; readonly activity: TaskActivity }
  | { readonly kind: 'ended'; readonly taskId: number; readonly runId: number; readonly outcome: StoredOutcome };

/** Why a run is stopped before its end, as the report says it: the facts of `cancelled`, whose `hint` chooses the text. */
export type StopReason =
  { readonly hint: 'person'; readonly by: string } | { readonly hint: 'hours' } | { readonly hint: 'service' };

/** Runs of tasks, each in a worker thread of its own: no page ever waits for one, and its crash is its own. */
export interface TaskRunner {
  /**
   * Starts a run, or queues it while as many run as may. Gives the number of the run; that of the one under way or
   * queued where there is one already. undefined where the task is gone or its settings cannot be used.
   */
  start(taskId: number, cause: RunCause, startedBy: string | undefined): number | undefined;
  /** Asks the task's run to stop at a safe point; the next run goes on from there. False where there is none. */
  stop(taskId: number, reason?: StopReason): boolean;
  activity(taskId: number): TaskActivity | undefined;
  activities(): readonly TaskActivity[];
  /** Gives a function that ends the subscription. */
  subscribe(listener: (event: RunnerEvent) => void): () => void;
  /** Stops all runs at a safe point and waits for them, at most SHUTDOWN_MS. */
  shutdown(): Promise<void>;
}
