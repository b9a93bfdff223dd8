import type { Clock } from '../clock.ts';
import { TransferSlots } from './transfer-progress.ts';
import type { TransferProgress, TransferSnapshot } from './transfer-progress.ts';

/** Where a run is. The steps follow each other in this order. */
export type RunStage = 'connecting' | 'scanning' | 'planning' | 'transferring' | 'verifying' | 'finishing';

/** The numbers of a run that is under way, for people. */
export interface ProgressSnapshot {
  readonly stage: RunStage;
  readonly elapsedMs: number;
  readonly foldersListed: number;
  /** Folders that are known and not listed yet; grows while the scan finds more. */
  readonly foldersWaiting: number;
  readonly filesListed: number;
  /** What is to be downloaded: known once planning has ended. */
  readonly filesPlanned: number;
  readonly bytesPlanned: number;
  readonly filesDone: number;
  readonly filesFailed: number;
  readonly bytesDone: number;
  /** Over the last RATE_WINDOW_MS; 0 while nothing arrives. */
  readonly bytesPerSecond: number;
  /** Undefined while it cannot be told honestly. */
  readonly secondsLeft: number | undefined;
  readonly connections: number;
  /** Files, folders and connections that were tried again. */
  readonly retries: number;
  /** The file that began last, decoded for people. */
  readonly currentPath: string | undefined;
  /** What arrives now: no more than there are connections, and TRANSFERS_TOLD_MAX. */
  readonly transfers: readonly TransferSnapshot[];
}

const RATE_WINDOW_MS = 10_000;
/** Before this much time and files, a rate says nothing about the rest. */
const ESTIMATE_AFTER_MS = 5_000;
const ESTIMATE_AFTER_FILES = 10;
/** Watchers are told at most this often. */
const TELL_EVERY_MS = 200;

/** Counts a run for those who watch; what it says is never read by the run itself. */
export class ProgressMeter {
  stage: RunStage = 'connecting';
  foldersListed = 0;
  foldersWaiting = 0;
  filesListed = 0;
  filesPlanned = 0;
  bytesPlanned = 0;
  filesDone = 0;
  filesFailed = 0;
  /** Planned bytes that need no more transfer, files given up included. */
  bytesDone = 0;
  /** Content bytes received, repeated ones included. */
  bytesReceived = 0;
  /** Of these, what was read again only to compare it. */
  bytesCompared = 0;
  connections = 0;
  retries = 0;
  currentPath: string | undefined;
  readonly #transfers = new TransferSlots();
  readonly #clock: Clock;
  readonly #tell: ((snapshot: ProgressSnapshot) => void) | undefined;
  readonly #startedMs: number;
  #stageStartedMs: number;
  #toldMs = Number.NEGATIVE_INFINITY;
  /** Points (time, bytes received, files done) of the last RATE_WINDOW_MS. */
  readonly #window: { ms: number; bytes: number; files: number }[] = [];

  constructor(clock: Clock, tell: ((snapshot: ProgressSnapshot) => void) | undefined) {
    this.#clock = clock;
    this.#tell = tell;
    this.#startedMs = clock.steadyMs();
    this.#stageStartedMs = this.#startedMs;
  }

  get elapsedMs(): number {
    return Math.round(this.#clock.steadyMs() - this.#startedMs);
  }

  enter(stage: RunStage): void {
    this.stage = stage;
    this.#stageStartedMs = this.#clock.steadyMs();
    this.#window.length = 0;
    this.#publish(this.#stageStartedMs);
  }

  /** To be called after every change of a number; costs nothing most of the time. */
  touch(): void {
    if (this.#tell === undefined) return;
    const now = this.#clock.steadyMs();
    if (now - this.#toldMs >= TELL_EVERY_MS) this.#publish(now);
  }

  /** A file begins to arrive; `endTransfer` when it is there or has failed. */
  beginTransfer(path: string, sizeBytes: number): TransferProgress {
    return this.#transfers.begin(path, sizeBytes, this.#clock.steadyMs());
  }

  endTransfer(transfer: TransferProgress): void {
    transfer.endedMs = this.#clock.steadyMs();
  }

  snapshot(): ProgressSnapshot {
    const now = this.#clock.steadyMs();
    const { bytesPerSecond, filesPerSecond } = this.#rates(now);
    return {
      stage: this.stage,
      elapsedMs: Math.round(now - this.#startedMs),
      foldersListed: this.foldersListed,
      foldersWaiting: this.foldersWaiting,
      filesListed: this.filesListed,
      filesPlanned: this.filesPlanned,
      bytesPlanned: this.bytesPlanned,
      filesDone: this.filesDone,
      filesFailed: this.filesFailed,
      bytesDone: this.bytesDone,
      bytesPerSecond,
      secondsLeft: this.#secondsLeft(now, bytesPerSecond, filesPerSecond),
      connections: this.connections,
      retries: this.retries,
      currentPath: this.currentPath,
      transfers: this.stage === 'transferring' ? this.#transfers.snapshots(now) : [],
    };
  }

  #publish(now: number): void {
    this.#toldMs = now;
    this.#window.push({ ms: now, bytes: this.bytesReceived, files: this.filesDone + this.filesFailed });
    while ((this.#window[0]?.ms ?? now) < now - RATE_WINDOW_MS) this.#window.shift();
    this.#tell?.(this.snapshot());
  }

  #rates(now: number): { bytesPerSecond: number; filesPerSecond: number } {
    const first = this.#window[0];
    if (first === undefined || now - first.ms < TELL_EVERY_MS) return { bytesPerSecond: 0, filesPerSecond: 0 };
    const seconds = (now - first.ms) / 1000;
    return {
      bytesPerSecond: Math.round((this.bytesReceived - first.bytes) / seconds),
      filesPerSecond: (this.filesDone + this.filesFailed - first.files) / seconds,
    };
  }

  /** Small files cost time by their number, large ones by their bytes: the later of the two is the honest answer. */
  #secondsLeft(now: number, bytesPerSecond: number, filesPerSecond: number): number | undefined {
    const files = this.filesDone + this.filesFailed;
    if (this.stage !== 'transferring' || bytesPerSecond === 0 || filesPerSecond === 0) return undefined;
    if (now - this.#stageStartedMs < ESTIMATE_AFTER_MS || files < ESTIMATE_AFTER_FILES) return undefined;
    const byBytes = Math.max(0, this.bytesPlanned - this.bytesDone) / bytesPerSecond;
    const byFiles = Math.max(0, this.filesPlanned - files) / filesPerSecond;
    return Math.ceil(Math.max(byBytes, byFiles));
  }
}
