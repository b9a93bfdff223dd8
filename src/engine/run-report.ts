import type { ErrorCode, ErrorFacts } from '../errors.ts';
import type { Certificate } from './certificate.ts';
import type { HoldFindings } from '../state/hold-store.ts';

/** How a run ended. `incomplete`: something that was asked for was not got; `held`: a guard waits for an answer. */
export type RunOutcome = 'complete' | 'incomplete' | 'failed' | 'held' | 'cancelled';

/** Files of a run by what became of them. All are numbers of files, folders are counted apart. */
export interface RunCounts {
  /** Files in the listings that no filter left out. */
  readonly listed: number;
  readonly unchanged: number;
  readonly new: number;
  readonly changed: number;
  /** Come under another name with the content that lay here: moved, not brought. Reports of older versions have none. */
  readonly renamed?: number;
  /** Noticed for the first time to be missing from a folder that was seen whole. */
  readonly vanished: number;
  readonly downloaded: number;
  readonly failed: number;
  /** Moved to `versions/`. */
  readonly retired: number;
}

/** One thing that was asked for and not got. `path` is for people: the remote path, decoded. */
export interface RunFailure {
  readonly path: string;
  readonly code: ErrorCode;
  /** The raw word of the server or of the system, where there is one. */
  readonly detail: string | undefined;
  /** Values for the text of the code. */
  readonly facts: ErrorFacts;
}

/** The failures listed in a report; all of them are counted, and the run's log holds the others. */
export const REPORT_FAILURES_MAX = 1000;

export interface RunReport {
  readonly outcome: RunOutcome;
  readonly isDryRun: boolean;
  readonly counts: RunCounts;
  /** Bytes received as file content, repeated ones included; without those that were read again only to compare them. */
  readonly bytes: number;
  readonly durationMs: number;
  readonly folders: { readonly complete: number; readonly incomplete: number };
  /** Why the run failed, was held or was cancelled; undefined for the other outcomes. */
  readonly cause: RunFailure | undefined;
  /** At most REPORT_FAILURES_MAX. */
  readonly failures: readonly RunFailure[];
  readonly failureCount: number;
  /** How often each code stands among the failures, the most frequent first; counted over those that the log holds. */
  readonly failureCodes?: readonly (readonly [ErrorCode, number])[] | undefined;
  /** What lies in the target folder after the run; undefined where the run could not begin. */
  readonly stored?: { readonly files: number; readonly bytes: number } | undefined;
  /** What the run can vouch for; undefined for dry runs, old reports and runs that saw nothing of the server. */
  readonly certificate?: Certificate | undefined;
  /** For `held`: what was found. */
  readonly held?: HoldFindings | undefined;
}
