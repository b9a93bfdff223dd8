import type { Clock } from '../clock.ts';
import { BackupError, isBackupError } from '../errors.ts';
import type { Logger } from '../log.ts';
import type { RemoteSession, RemoteSource } from '../remote/remote.ts';

/** `auto` begins with this many connections … */
const AUTO_CONNECTIONS_FIRST = 2;
/** … and goes no further than this: hosts begin to refuse at 5 to 10, and processors of NAS are busy by then. */
export const AUTO_CONNECTIONS_MAX = 8;
/** One connection more after this many items without trouble for each that is open. */
const UNTROUBLED_ITEMS_PER_STEP = 10;
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

export interface SessionPoolOptions {
  readonly source: RemoteSource;
  readonly connections: 'auto' | number;
  /** What this host allowed before, if it ever refused. */
  readonly knownLimit: number | undefined;
  /** The host refused a connection while this many were open. */
  readonly onRefused: (connections: number) => void;
  readonly onConnections: (open: number) => void;
  readonly retries: { readonly attempts: number; readonly firstDelaySeconds: number };
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly log: Logger;
}

interface Job<T> {
  readonly item: T;
  readonly attempt: number;
  readonly notBeforeMs: number;
}

/** Pause before try number `attempt` + 1: doubles from `firstDelaySeconds`, never above RETRY_DELAY_MAX_MS. */
export function retryDelayMs(attempt: number, firstDelaySeconds: number): number {
  return Math.min(RETRY_DELAY_MAX_MS, firstDelaySeconds * 1000 * 2 ** (attempt - 1));
}

/**
 * Connections to one server, and the workers that use them. Their number follows what the server allows: a refused
 * connection lowers it for this run and is reported; no refusal, lost connection or failed item stops the others.
 */
export class SessionPool {
  readonly #options: SessionPoolOptions;
  readonly #idle: RemoteSession[] = [];
  readonly #open = new Set<RemoteSession>();
  readonly #onAbort: () => void;
  /** Workers now, and as many as there may be again once it goes well. */
  #limit: number;
  #goal: number;
  #openFailures = 0;
  #untroubled = 0;

  constructor(options: SessionPoolOptions) {
    this.#options = options;
    const wanted = options.connections === 'auto' ? AUTO_CONNECTIONS_MAX : options.connections;
    this.#goal = Math.max(1, Math.min(wanted, options.knownLimit ?? wanted));
    this.#limit = options.connections === 'auto' ? Math.min(AUTO_CONNECTIONS_FIRST, this.#goal) : this.#goal;
    // Calls under way reject at once, so that a cancelled run does not wait for a slow server.
    this.#onAbort = () => {
      this.close();
    };
    options.signal.addEventListener('abort', this.#onAbort, { once: true });
  }

  /** One connection, for what is done before the work is shared out; give it back with `release`. */
  async acquire(): Promise<RemoteSession> {
    const idle = this.#idle.pop();
    if (idle !== undefined) return idle;
    for (;;) {
      try {
        return await this.#connect();
      } catch (error) {
        await this.#afterRefusal(error);
      }
    }
  }

  release(session: RemoteSession): void {
    if (this.#open.has(session)) this.#idle.push(session);
  }

  /** Works until the queue is empty and nothing is under way. Rejects with the first error that ends a run. */
  async run<T>(queue: WorkQueue<T>, worker: Worker<T>): Promise<void> {
    await new PoolRun(queue, worker, {
      limit: () => this.#limit,
      acquire: (isOnly) => this.#acquireForWorker(isOnly),
      release: (session) => {
        this.release(session);
      },
      discard: (session) => {
        this.#discard(session);
      },
      onDone: () => {
        this.#onItemDone();
      },
      onBusy: () => {
        this.#shrink(this.#open.size, true);
      },
      options: this.#options,
    }).finish();
  }

  /** Ends all connections at once. */
  close(): void {
    this.#options.signal.removeEventListener('abort', this.#onAbort);
    for (const session of [...this.#open]) this.#discard(session);
  }

  /** A connection for one of several workers; undefined: do without this worker, the others go on. */
  async #acquireForWorker(isOnly: () => boolean): Promise<RemoteSession | undefined> {
    const idle = this.#idle.pop();
    if (idle !== undefined) return idle;
    for (;;) {
      try {
        return await this.#connect();
      } catch (error) {
        if (isBackupError(error) && error.isRetried && !isOnly()) {
          this.#shrink(this.#open.size, error.code === 'server-busy');
          return undefined;
        }
        await this.#afterRefusal(error);
      }
    }
  }

  async #connect(): Promise<RemoteSession> {
    const { signal, source, onConnections } = this.#options;
    throwIfCancelled(signal);
    const session = await source.open(signal);
    if (signal.aborted) {
      session.close();
      throwIfCancelled(signal);
    }
    this.#openFailures = 0;
    this.#open.add(session);
    onConnections(this.#open.size);
    return session;
  }

  /** Waits before the next try to connect, or throws where there must be none. */
  async #afterRefusal(error: unknown): Promise<void> {
    const { signal, retries, clock, log } = this.#options;
    throwIfCancelled(signal);
    if (!isBackupError(error) || !error.isRetried) throw error;
    this.#openFailures++;
    if (this.#openFailures >= retries.attempts) throw error;
    const delayMs = retryDelayMs(this.#openFailures, retries.firstDelaySeconds);
    log.warn('connect-failed', { code: error.code, detail: error.detail, retryInMs: delayMs });
    await sleepOrCancel(clock, delayMs, signal);
  }

  #discard(session: RemoteSession): void {
    session.close();
    if (!this.#open.delete(session)) return;
    const index = this.#idle.indexOf(session);
    if (index >= 0) this.#idle.splice(index, 1);
    this.#options.onConnections(this.#open.size);
  }

  #onItemDone(): void {
    this.#untroubled++;
    if (this.#limit < this.#goal && this.#untroubled >= UNTROUBLED_ITEMS_PER_STEP * this.#limit) {
      this.#untroubled = 0;
      this.#limit++;
    }
  }

  /** A busy server has said how many it allows; any other trouble may pass, and the number grows again later. */
  #shrink(open: number, isBusy: boolean): void {
    this.#untroubled = 0;
    this.#limit = Math.max(1, Math.min(this.#limit, open));
    if (!isBusy || open === 0 || this.#goal === this.#limit) return;
    this.#goal = this.#limit;
    this.#options.log.warn('connections-reduced', { connections: this.#limit });
    this.#options.onRefused(this.#limit);
  }
}

interface PoolSeat {
  readonly limit: () => number;
  readonly acquire: (isOnly: () => boolean) => Promise<RemoteSession | undefined>;
  readonly release: (session: RemoteSession) => void;
  readonly discard: (session: RemoteSession) => void;
  readonly onDone: () => void;
  readonly onBusy: () => void;
  readonly options: SessionPoolOptions;
}

/** One `run` of a pool: its workers, and the items that are to be tried again. */
class PoolRun<T> {
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
    if (session === undefined) throw new BackupError('server-busy', { detail: 'no other connection allowed' });
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

function throwIfCancelled(signal: AbortSignal): void {
  if (signal.aborted) throw new BackupError('cancelled');
}

async function sleepOrCancel(clock: Clock, durationMs: number, signal: AbortSignal): Promise<void> {
  try {
    await clock.sleep(durationMs, signal);
  } catch {
    throw new BackupError('cancelled');
  }
}
