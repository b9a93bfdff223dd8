import type { Clock } from '../clock.ts';
import { isOpenAt } from '../settings/allowed-hours.ts';
import type { SpeedSettings } from '../settings/task-settings.ts';

/** What may come at once after a pause, in time: more would be a burst, less would stop and start all the time. */
const BURST_MS = 250;
/** Hours change rarely, chunks come often. */
const ASKED_EVERY_MS = 1000;

/** The limit in bytes per second at `nowMs`: the first of the hours that holds, else the general one. */
export function speedLimitAt(speed: SpeedSettings, nowMs: number, timeZone: string): number | undefined {
  const hours = speed.byHour.find((entry) => entry.from === entry.to || isOpenAt(entry, nowMs, timeZone));
  return hours === undefined ? speed.bytesPerSecond : hours.bytesPerSecond;
}

/** Keeps all transfers of a run together within a limit. */
export class SpeedLimit {
  readonly #clock: Clock;
  readonly #limitAt: (nowMs: number) => number | undefined;
  #limit: number | undefined;
  #askedMs = Number.NEGATIVE_INFINITY;
  /** When all that was let through would have come at the limit's pace. */
  #paidUntilMs = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock, limitAt: (nowMs: number) => number | undefined) {
    this.#clock = clock;
    this.#limitAt = limitAt;
  }

  /** To be waited for after `bytes` have come; undefined: go on. Rejects when `signal` aborts. */
  pace(bytes: number, signal: AbortSignal): Promise<void> | undefined {
    const now = this.#clock.steadyMs();
    if (now - this.#askedMs >= ASKED_EVERY_MS) {
      this.#askedMs = now;
      this.#limit = this.#limitAt(this.#clock.nowMs());
    }
    const limit = this.#limit;
    if (limit === undefined) return undefined;
    this.#paidUntilMs = Math.max(this.#paidUntilMs, now - BURST_MS) + (bytes / limit) * 1000;
    const waitMs = this.#paidUntilMs - now;
    return waitMs <= 0 ? undefined : this.#clock.sleep(waitMs, signal);
  }
}
