import type { ProgressSnapshot } from '../engine/progress.ts';
import type { RunReport } from '../engine/run-report.ts';
import type { LogFields, LogLevel } from '../log.ts';

/** What a run's worker thread is given. */
export interface RunAssignment {
  /** The task as `parseTaskSettings` reads it, its password included: it never leaves the process. */
  readonly task: unknown;
  readonly stateDir: string;
  readonly stateKey: string;
  readonly isDryRun: boolean;
  /** IANA name. */
  readonly timeZone: string;
  /** How long events of earlier runs are kept. */
  readonly eventDays: number;
}

export type FromWorker =
  | { readonly kind: 'started'; readonly localRunId: number }
  | { readonly kind: 'progress'; readonly snapshot: ProgressSnapshot }
  | { readonly kind: 'log'; readonly level: LogLevel; readonly event: string; readonly fields: LogFields }
  | { readonly kind: 'permit-wanted'; readonly id: number; readonly hostKey: string; readonly canWait: boolean }
  | { readonly kind: 'permit-released'; readonly id: number }
  | { readonly kind: 'ended'; readonly report: RunReport };

export type ToWorker =
  { readonly kind: 'stop' } | { readonly kind: 'permit'; readonly id: number; readonly isGranted: boolean };
