import { setMaxListeners } from 'node:events';
import { isBackupError } from '../errors.ts';
import type { RemoteSession, RemoteSource } from '../remote/remote.ts';
import { PoolRun, retryDelayMs, sleepOrCancel, throwIfCancelled } from './pool-run.ts';
import type { PoolRunOptions, WorkQueue, Worker } from './pool-run.ts';

/** `auto` begins with this many connections … */
const AUTO_CONNECTIONS_FIRST = 2;
/** … and goes no further than this: hosts begin to refuse at 5 to 10, and processors of NAS are busy by then. */
export const AUTO_CONNECTIONS_MAX = 8;
/** Others than connections that listen for the end of a run. */
const LISTENERS_OF_THE_RUN_MAX = 10;
/** One connection more after this many items without trouble for each that is open. */
const UNTROUBLED_ITEMS_PER_STEP = 10;

/** A server may count a connection for this long after it was closed (seen with Pure-FTPd 1.0.50). */
const CLOSED_COUNTS_MS = 2000;

/** Leave to open one more connection to the host, where other runs may want some, too. */
export interface ConnectionPermits {
  /** A function that gives it back; undefined where none is free and `canWait` is false. */
  acquire(canWait: boolean): Promise<(() => void) | undefined>;
}

export interface SessionPoolOptions extends PoolRunOptions {
  readonly source: RemoteSource;
  readonly connections: 'auto' | number;
  /** What this host allowed before, if it ever refused. */
  readonly knownLimit: number | undefined;
  /** The host refused a connection while this many were open. */
  readonly onRefused: (connections: number) => void;
  readonly onConnections: (open: number) => void;
  readonly permits: ConnectionPermits | undefined;
}

/**
 * Connections to one server, and the workers that use them. Their number follows what the server allows: a refused
 * connection lowers it for this run and is reported; no refusal, lost connection or failed item stops the others.
 */
export class SessionPool {
  readonly #options: SessionPoolOptions;
  readonly #idle: RemoteSession[] = [];
  /** Each open connection, with the way to give its permit back. */
  readonly #open = new Map<RemoteSession, () => void>();
  readonly #onAbort: () => void;
  /** Workers now, and as many as there may be again once it goes well. */
  #limit: number;
  #goal: number;
  #openFailures = 0;
  #untroubled = 0;
  #closedMs = Number.NEGATIVE_INFINITY;

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
    // Each connection listens while it is made, and each worker while it waits: that many are no leak. Not counted from
    // getMaxListeners(), which throws for an AbortSignal on Node 22.13.
    setMaxListeners(LISTENERS_OF_THE_RUN_MAX + 2 * wanted, options.signal);
  }

  /** One connection, for what is done before the work is shared out; give it back with `release`. */
  async acquire(): Promise<RemoteSession> {
    const idle = this.#idle.pop();
    if (idle !== undefined) return idle;
    for (;;) {
      try {
        const session = await this.#connect(true);
        if (session !== undefined) return session;
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
    for (const session of [...this.#open.keys()]) this.#discard(session);
  }

  /** A connection for one of several workers; undefined: do without this worker, the others go on. */
  async #acquireForWorker(isOnly: () => boolean): Promise<RemoteSession | undefined> {
    const idle = this.#idle.pop();
    if (idle !== undefined) return idle;
    for (;;) {
      try {
        const session = await this.#connect(isOnly());
        if (session !== undefined) return session;
        if (!isOnly()) {
          this.#shrink(this.#open.size, false);
          return undefined;
        }
      } catch (error) {
        if (isBackupError(error, 'server-busy') && this.#isJustClosed()) {
          await sleepOrCancel(this.#options.clock, CLOSED_COUNTS_MS, this.#options.signal);
          continue;
        }
        if (isBackupError(error) && error.isRetried && !isOnly()) {
          this.#shrink(this.#open.size, error.code === 'server-busy');
          return undefined;
        }
        await this.#afterRefusal(error);
      }
    }
  }

  /** undefined: no permit is free, and `canWait` is false. */
  async #connect(canWait: boolean): Promise<RemoteSession | undefined> {
    const { signal, source, permits, onConnections } = this.#options;
    throwIfCancelled(signal);
    const releasePermit = permits === undefined ? () => undefined : await permits.acquire(canWait);
    if (releasePermit === undefined) return undefined;
    let session: RemoteSession | undefined;
    try {
      throwIfCancelled(signal);
      session = await source.open(signal);
      throwIfCancelled(signal);
    } catch (error) {
      session?.close();
      releasePermit();
      throw error;
    }
    this.#openFailures = 0;
    this.#open.set(session, releasePermit);
    onConnections(this.#open.size);
    return session;
  }

  /** Waits before the next try to connect, or throws where there must be none. */
  async #afterRefusal(error: unknown): Promise<void> {
    const { signal, retries, clock, log, onRetry } = this.#options;
    throwIfCancelled(signal);
    if (!isBackupError(error) || !error.isRetried) throw error;
    this.#openFailures++;
    if (this.#openFailures >= retries.attempts) throw error;
    const delayMs = retryDelayMs(this.#openFailures, retries.firstDelaySeconds);
    onRetry?.();
    log.warn('connect-failed', { code: error.code, detail: error.detail, retryInMs: delayMs });
    await sleepOrCancel(clock, delayMs, signal);
  }

  /** True once after a connection was closed: the server may still be counting it when the next one comes. */
  #isJustClosed(): boolean {
    const isJust = this.#options.clock.steadyMs() - this.#closedMs < CLOSED_COUNTS_MS;
    this.#closedMs = Number.NEGATIVE_INFINITY;
    return isJust;
  }

  #discard(session: RemoteSession): void {
    session.close();
    this.#closedMs = this.#options.clock.steadyMs();
    const releasePermit = this.#open.get(session);
    if (releasePermit === undefined) return;
    this.#open.delete(session);
    releasePermit();
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
