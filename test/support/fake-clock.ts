import type { Clock } from '../../src/clock.ts';

interface Sleeper {
  readonly untilMs: number;
  readonly wake: () => void;
}

/**
 * A clock that stands still until `advance`. With `passesAlone`, time jumps to the next sleeper as soon as nothing else
 * is left to do, so that a wait of an hour takes no time and is still waited for in its order.
 */
export class FakeClock implements Clock {
  /** How long each sleep was asked for, in order. */
  readonly slept: number[] = [];
  readonly #passesAlone: boolean;
  readonly #startMs: number;
  readonly #sleepers = new Set<Sleeper>();
  #elapsedMs = 0;

  constructor(options: { readonly nowMs?: number; readonly passesAlone?: boolean } = {}) {
    this.#startMs = options.nowMs ?? Date.UTC(2026, 10, 21, 2, 0, 0);
    this.#passesAlone = options.passesAlone ?? false;
  }

  nowMs(): number {
    return this.#startMs + this.#elapsedMs;
  }

  steadyMs(): number {
    return this.#elapsedMs;
  }

  sleep(durationMs: number, signal?: AbortSignal): Promise<void> {
    this.slept.push(durationMs);
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) {
        reject(new Error('aborted'));
        return;
      }
      const onAbort = (): void => {
        this.#sleepers.delete(sleeper);
        reject(new Error('aborted'));
      };
      const sleeper: Sleeper = {
        untilMs: this.#elapsedMs + durationMs,
        wake: () => {
          signal?.removeEventListener('abort', onAbort);
          resolve();
        },
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#sleepers.add(sleeper);
      // Two turns: what was made ready by this one's caller goes first.
      if (this.#passesAlone) {
        setImmediate(() => {
          setImmediate(() => {
            this.#passTo(sleeper);
          });
        });
      }
    });
  }

  advance(durationMs: number): void {
    this.#elapsedMs += durationMs;
    for (const sleeper of [...this.#sleepers].sort((a, b) => a.untilMs - b.untilMs)) {
      if (sleeper.untilMs > this.#elapsedMs) continue;
      this.#sleepers.delete(sleeper);
      sleeper.wake();
    }
  }

  #passTo(sleeper: Sleeper): void {
    if (this.#sleepers.has(sleeper)) this.advance(Math.max(0, sleeper.untilMs - this.#elapsedMs));
  }
}
