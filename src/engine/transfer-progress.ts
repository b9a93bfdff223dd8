/** One file that is arriving, for people. */
export interface TransferSnapshot {
  /** From 0: which of the files that arrive at once this is; the next one takes the place over. */
  readonly slot: number;
  /** Decoded for people. */
  readonly path: string;
  readonly sizeBytes: number;
  readonly doneBytes: number;
  /** Over the last seconds. */
  readonly bytesPerSecond: number;
}

/** A rate is told over this much time at least, and twice as much at most. */
const RATE_WINDOW_MS = 5000;
/** So long a file that has arrived is still shown: small ones would flicker. */
const SHOWN_AFTER_MS = 1500;
/** More are not told; a task may have 20 connections. */
export const TRANSFERS_TOLD_MAX = 16;

/** Counts the bytes of one file; belongs to its transfer until `end`. */
export class TransferProgress {
  readonly path: string;
  readonly sizeBytes: number;
  doneBytes = 0;
  endedMs: number | undefined;
  #olderMs: number;
  #olderBytes = 0;
  #newerMs: number;
  #newerBytes = 0;

  constructor(path: string, sizeBytes: number, nowMs: number) {
    this.path = path;
    this.sizeBytes = sizeBytes;
    this.#olderMs = nowMs;
    this.#newerMs = nowMs;
  }

  /** Begins at this many bytes, which are there already. */
  beginAt(bytes: number): void {
    this.doneBytes = bytes;
    this.#olderBytes = bytes;
    this.#newerBytes = bytes;
  }

  snapshot(slot: number, nowMs: number): TransferSnapshot {
    if (nowMs - this.#newerMs >= RATE_WINDOW_MS) {
      this.#olderMs = this.#newerMs;
      this.#olderBytes = this.#newerBytes;
      this.#newerMs = nowMs;
      this.#newerBytes = this.doneBytes;
    }
    const ms = (this.endedMs ?? nowMs) - this.#olderMs;
    const bytesPerSecond = ms <= 0 ? 0 : Math.max(0, Math.round(((this.doneBytes - this.#olderBytes) * 1000) / ms));
    return { slot, path: this.path, sizeBytes: this.sizeBytes, doneBytes: this.doneBytes, bytesPerSecond };
  }
}

/** The files that arrive at once, each in a place that it keeps. */
export class TransferSlots {
  readonly #slots: TransferProgress[] = [];

  begin(path: string, sizeBytes: number, nowMs: number): TransferProgress {
    const transfer = new TransferProgress(path, sizeBytes, nowMs);
    const free = this.#slots.findIndex((slot) => slot.endedMs !== undefined);
    this.#slots[free === -1 ? this.#slots.length : free] = transfer;
    return transfer;
  }

  snapshots(nowMs: number): TransferSnapshot[] {
    const told: TransferSnapshot[] = [];
    for (const [slot, transfer] of this.#slots.entries()) {
      const isShown = transfer.endedMs === undefined || nowMs - transfer.endedMs < SHOWN_AFTER_MS;
      if (isShown && told.length < TRANSFERS_TOLD_MAX) told.push(transfer.snapshot(slot, nowMs));
    }
    return told;
  }
}
