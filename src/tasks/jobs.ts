import { isBackupError } from '../errors.ts';
import type { ErrorCode, ErrorFacts } from '../errors.ts';
import type { Logger } from '../log.ts';
import type { Clock } from '../clock.ts';

/** What takes longer than a page may, and is no run. */
export type JobKind = 'compact' | 'integrity' | 'delete-files' | 'adopt' | 'delete-version';

/** How a job went: a text key `job.<kind>.<key>` with its facts. */
export interface JobResult {
  readonly tone: 'ok' | 'warn' | 'err';
  readonly key: string;
  readonly facts: Readonly<Record<string, string | number>>;
}

export interface Job {
  readonly id: number;
  readonly kind: JobKind;
  /** The task that it is about. */
  readonly taskId: number | undefined;
  readonly startedMs: number;
  readonly endedMs: number | undefined;
  /** Of `total` pieces; 0 of 0 while that is not known. */
  readonly done: number;
  readonly total: number;
  readonly result: JobResult | undefined;
  /** Why it failed, where that was expected. */
  readonly failure: { readonly code: ErrorCode; readonly facts: ErrorFacts } | undefined;
}

export type JobWork = (report: (done: number, total: number) => void, signal: AbortSignal) => Promise<JobResult>;

/** Jobs that are remembered after their end; what they did is also on Activity. */
const ENDED_JOBS_MAX = 20;

/** Long work of the service, one of a kind at a time. It does not outlive the service. */
export class Jobs {
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #stop = new AbortController();
  /** The newest last. */
  #jobs: Job[] = [];
  readonly #running = new Map<number, Promise<void>>();
  #lastId = 0;

  constructor(clock: Clock, log: Logger) {
    this.#clock = clock;
    this.#log = log;
  }

  /** undefined, and nothing begins, while one of this kind is under way. */
  start(kind: JobKind, taskId: number | undefined, work: JobWork, onEnd?: (job: Job) => void): Job | undefined {
    if (this.#stop.signal.aborted || this.running(kind) !== undefined) return undefined;
    const job: Job = {
      id: ++this.#lastId,
      kind,
      taskId,
      startedMs: this.#clock.nowMs(),
      endedMs: undefined,
      done: 0,
      total: 0,
      result: undefined,
      failure: undefined,
    };
    this.#jobs = [...this.#jobs, job].slice(-ENDED_JOBS_MAX);
    this.#running.set(job.id, this.#carryOut(job.id, work, onEnd));
    return job;
  }

  running(kind: JobKind): Job | undefined {
    return this.#jobs.findLast((job) => job.kind === kind && job.endedMs === undefined);
  }

  /** The last one of this kind, or of this kind and task, under way or ended. */
  latest(kind: JobKind, taskId?: number): Job | undefined {
    return this.#jobs.findLast((job) => job.kind === kind && (taskId === undefined || job.taskId === taskId));
  }

  /** Stops all at a safe point and waits for them. */
  async shutdown(): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#running.values());
  }

  async #carryOut(id: number, work: JobWork, onEnd: ((job: Job) => void) | undefined): Promise<void> {
    // The caller gets its answer before the work begins.
    await Promise.resolve();
    try {
      const result = await work((done, total) => {
        this.#change(id, { done, total });
      }, this.#stop.signal);
      this.#change(id, { result });
    } catch (error) {
      const isExpected = isBackupError(error);
      if (!isExpected) this.#log.error('job-failed', { error });
      this.#change(id, { failure: isExpected ? error : { code: 'internal', facts: {} } });
    }
    this.#change(id, { endedMs: this.#clock.nowMs() });
    this.#running.delete(id);
    const job = this.#jobs.find((item) => item.id === id);
    try {
      if (job !== undefined) onEnd?.(job);
    } catch (error) {
      this.#log.error('bug', { stack: error instanceof Error ? error.stack : String(error) });
    }
  }

  #change(id: number, changes: Partial<Job>): void {
    this.#jobs = this.#jobs.map((job) => (job.id === id ? { ...job, ...changes } : job));
  }
}
