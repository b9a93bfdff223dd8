import type { Clock } from '../clock.ts';
import { BackupError, isBackupError } from '../errors.ts';
import type { Logger } from '../log.ts';
import type { RemoteSession } from '../remote/remote.ts';

/** No pause between two tries is longer. */
const RETRY_DELAY_MAX_MS = 60_000;

/** Items that appear while others are worked on, as folders do in a scan. */
export interface WorkQueue<T> {
  /** The next item, or undefined if there is none now. */
  take(): T | undefined;
}

export interface Worker<T> {
  /**
   * Does one item. A BackupError that is retried puts the item back; one of scope `run` that is not retried, and
   * anything that is not a BackupError, ends the whole pool. `renew` gives another connection in place of `session`.
   */
  work(session: RemoteSession, item: T, attempt: number, renew: () => Promise<RemoteSession>): Promise<void>;
  /** The item was tried as often as allowed, or must not be tried again. */
  giveUp(item: T, error: BackupError): void;
}

interface Job<T> {
  readonly item: T;
  readonly attempt: number;
  readonly notBeforeMs: number;
}

export interface PoolRunOptions {
  readonly retries: { readonly attempts: number; readonly firstDelaySeconds: number };
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly log: Logger;
  /** Something is tried again. */
  readonly onRetry?: (() => void) | undefined;
}

/** What a run of workers needs of the pool of connections. */
export interface PoolSeat {
  readonly limit: () => number;
  readonly acquire: (isOnly: () => boolean) => Promise<RemoteSession | undefined>;
  readonly release: (session: RemoteSession) => void;
  readonly discard: (session: RemoteSession) => void;
  readonly onDone: () => void;
  readonly onBusy: () => void;
  readonly options: PoolRunOptions;
}

/** One `run` of a pool: its workers, and the items that are to be tried again. */
export class PoolRun<T> {
  readonly #queue: WorkQueue<T>;
  readonly #worker: Worker<T>;
  readonly #seat: PoolSeat;
  readonly #retries: Job<T>[] = [];
  readonly #workers = new Set<Promise<void>>();
  #inFlight = 0;
  #isDrained = false;
  #failure: { readonly error: unknown } | undefined;
  #wake: () => void = () => undefined;
  #changed: Promise<void>;

  constructor(queue: WorkQueue<T>, worker: Worker<T>, seat: PoolSeat) {
    this.#queue = queue;
    this.#worker = worker;
    this.#seat = seat;
    this.#changed = this.#nextChange();
  }

  async finish(): Promise<void> {
    // Workers may all have left, each refused while it was not the only one: then there is work for a last one.
    while (!this.#isDrained && this.#failure === undefined) {
      this.#hire();
      await Promise.race(this.#workers);
    }
    await Promise.all(this.#workers);
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  /** Takes on workers up to the limit. A worker without anything to do waits; it costs a connection only with an item. */
  #hire(): void {
    while (this.#workers.size < this.#seat.limit() && this.#failure === undefined && !this.#isDrained) {
      const worker = this.#work()
        .catch((error: unknown) => {
          this.#failure ??= { error };
        })
        .finally(() => {
          this.#workers.delete(worker);
          this.#announce();
        });
      this.#workers.add(worker);
    }
  }

  async #work(): Promise<void> {
    let session: RemoteSession | undefined;
    try {
      while (this.#failure === undefined && this.#workers.size <= this.#seat.limit()) {
        throwIfCancelled(this.#seat.options.signal);
        const job = this.#take();
        if (job === undefined) {
          if (this.#inFlight === 0 && this.#retries.length === 0) {
            this.#isDrained = true;
            return;
          }
          await this.#waitForChange();
          continue;
        }
        this.#inFlight++;
        try {
          session ??= await this.#seat.acquire(() => this.#workers.size === 1);
          if (session === undefined) {
            this.#retries.push({ ...job, notBeforeMs: 0 });
            return;
          }
          session = await this.#do(job, session);
        } finally {
          this.#inFlight--;
          this.#announce();
        }
        this.#hire();
      }
    } finally {
      if (session !== undefined) {
        if (this.#failure === undefined) this.#seat.release(session);
        else this.#seat.discard(session);
      }
    }
  }

  /** Works on one item; gives the connection for the next, or undefined when it is gone. */
  async #do(job: Job<T>, first: RemoteSession): Promise<RemoteSession | undefined> {
    const { options } = this.#seat;
    let session = first;
    let isGone = false;
    const renew = async (): Promise<RemoteSession> => {
      this.#seat.discard(session);
      isGone = true;
      session = await this.#connectAgain();
      isGone = false;
      return session;
    };
    try {
      await this.#worker.work(session, job.item, job.attempt, renew);
      this.#seat.onDone();
      return session;
    } catch (error) {
      throwIfCancelled(options.signal);
      if (!isBackupError(error) || error.scope === 'app' || (error.scope === 'run' && !error.isRetried)) {
        this.#seat.discard(session);
        throw error;
      }
      if (error.scope === 'session' || error.scope === 'run') {
        this.#seat.discard(session);
        isGone = true;
      }
      if (error.code === 'server-busy') this.#seat.onBusy();
      if (error.isRetried && job.attempt < options.retries.attempts) {
        const delayMs = retryDelayMs(job.attempt, options.retries.firstDelaySeconds);
        options.onRetry?.();
        options.log.info('retry', { code: error.code, detail: error.detail, attempt: job.attempt, inMs: delayMs });
        this.#retries.push({
          item: job.item,
          attempt: job.attempt + 1,
          notBeforeMs: options.clock.steadyMs() + delayMs,
        });
      } else {
        this.#worker.giveUp(job.item, error);
      }
      return isGone ? undefined : session;
    }
  }

  async #connectAgain(): Promise<RemoteSession> {
    const session = await this.#seat.acquire(() => this.#workers.size === 1);
    // Not `server-busy`: what was refused has been counted already, and perhaps for another reason.
    if (session === undefined) throw new BackupError('connection-lost', { detail: 'no other connection allowed' });
    return session;
  }

  #take(): Job<T> | undefined {
    const now = this.#seat.options.clock.steadyMs();
    const due = this.#retries.findIndex((job) => job.notBeforeMs <= now);
    if (due >= 0) return this.#retries.splice(due, 1)[0];
    const item = this.#queue.take();
    return item === undefined ? undefined : { item, attempt: 1, notBeforeMs: 0 };
  }

  async #waitForChange(): Promise<void> {
    const { clock, signal } = this.#seat.options;
    const changed = this.#changed;
    const dueMs = Math.min(...this.#retries.map((job) => job.notBeforeMs));
    if (!Number.isFinite(dueMs)) {
      await changed;
      return;
    }
    const stop = new AbortController();
    const timer = clock.sleep(Math.max(0, dueMs - clock.steadyMs()), AbortSignal.any([stop.signal, signal]));
    await Promise.race([changed, timer.catch(() => undefined)]);
    stop.abort();
  }

  #announce(): void {
    const wake = this.#wake;
    this.#changed = this.#nextChange();
    wake();
  }

  #nextChange(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }
}

/** Pause before try number `attempt` + 1: doubles from `firstDelaySeconds`, never above RETRY_DELAY_MAX_MS. */
export function retryDelayMs(attempt: number, firstDelaySeconds: number): number {
  return Math.min(RETRY_DELAY_MAX_MS, firstDelaySeconds * 1000 * 2 ** (attempt - 1));
}

export function throwIfCancelled(signal: AbortSignal): void {
  if (signal.aborted) throw new BackupError('cancelled');
}

export async function sleepOrCancel(clock: Clock, durationMs: number, signal: AbortSignal): Promise<void> {
  try {
    await clock.sleep(durationMs, signal);
  } catch {
    throw new BackupError('cancelled');
  }
}
