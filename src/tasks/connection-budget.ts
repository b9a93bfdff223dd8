/** One connection that may be open; call it once, when the connection has ended. */
export type ReleasePermit = () => void;

interface Waiting {
  readonly grant: (release: ReleasePermit) => void;
}

interface Host {
  inUse: number;
  readonly waiting: Waiting[];
}

/**
 * Connections to each host and account, shared by all tasks: many hosts count them over all sites of an account, and
 * ban who opens too many.
 */
export class ConnectionBudget {
  readonly #maxOf: () => number;
  readonly #hosts = new Map<string, Host>();

  /** `maxOf` is asked at every request, so that a changed setting counts at once. */
  constructor(maxOf: () => number) {
    this.#maxOf = maxOf;
  }

  /** A permit if one is free now. */
  tryAcquire(hostKey: string): ReleasePermit | undefined {
    const host = this.#host(hostKey);
    if (host.inUse >= this.#maxOf() || host.waiting.length > 0) return undefined;
    host.inUse++;
    return this.#releaseOnce(hostKey, host);
  }

  /** Waits for one, first come first served; rejects with the signal's reason when it aborts. */
  acquire(hostKey: string, signal: AbortSignal): Promise<ReleasePermit> {
    const free = this.tryAcquire(hostKey);
    if (free !== undefined) return Promise.resolve(free);
    return new Promise((resolve, reject) => {
      const host = this.#host(hostKey);
      const waiting: Waiting = {
        grant: (release) => {
          signal.removeEventListener('abort', onAbort);
          resolve(release);
        },
      };
      const onAbort = (): void => {
        host.waiting.splice(host.waiting.indexOf(waiting), 1);
        reject(signal.reason instanceof Error ? signal.reason : new Error('aborted'));
      };
      if (signal.aborted) {
        reject(signal.reason instanceof Error ? signal.reason : new Error('aborted'));
        return;
      }
      host.waiting.push(waiting);
      signal.addEventListener('abort', onAbort, { once: true });
    });
  }

  #releaseOnce(hostKey: string, host: Host): ReleasePermit {
    let isReleased = false;
    return () => {
      if (isReleased) return;
      isReleased = true;
      host.inUse--;
      if (host.inUse < this.#maxOf()) {
        const next = host.waiting.shift();
        if (next !== undefined) {
          host.inUse++;
          next.grant(this.#releaseOnce(hostKey, host));
        }
      }
      if (host.inUse === 0 && host.waiting.length === 0) this.#hosts.delete(hostKey);
    };
  }

  #host(hostKey: string): Host {
    let host = this.#hosts.get(hostKey);
    if (host === undefined) {
      host = { inUse: 0, waiting: [] };
      this.#hosts.set(hostKey, host);
    }
    return host;
  }
}
