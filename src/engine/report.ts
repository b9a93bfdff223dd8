import type { Clock } from '../clock.ts';
import { asErrorCode } from '../errors.ts';
import type { BackupError, ErrorCode } from '../errors.ts';
import type { RemoteCapabilities } from '../remote/remote.ts';
import { ProofTables } from '../state/proof-tables.ts';
import type { TaskDatabase } from '../state/task-database.ts';
import { PROOF_DAYS, certify } from './certificate.ts';
import type { Certificate } from './certificate.ts';
import { decodeRemoteName } from '../local/local-name.ts';
import type { Logger } from '../log.ts';
import type { HoldFindings } from '../state/hold-store.ts';
import { RUN_EVENTS_MAX } from '../state/run-log.ts';
import type { RunLog } from '../state/run-log.ts';
import type { RunResults } from '../state/run-results.ts';
import type { RunTables } from '../state/run-tables.ts';
import type { ProgressMeter } from './progress.ts';
import { REPORT_FAILURES_MAX } from './run-report.ts';
import type { RunFailure, RunOutcome, RunReport } from './run-report.ts';

const DAY_MS = 86_400_000;

export interface ReportInput {
  /** What ended the run early. */
  readonly cause: BackupError | undefined;
  /** What held it. */
  readonly held: HoldFindings | undefined;
  readonly isDryRun: boolean;
  readonly runId: number;
  readonly runLog: RunLog;
  readonly tables: RunTables;
  readonly results: RunResults;
  readonly progress: ProgressMeter;
  readonly clock: Clock;
  readonly log: Logger;
  /** What the certificate is made from; undefined where the run has none. */
  readonly proof: { readonly capabilities: RemoteCapabilities; readonly db: TaskDatabase['db'] } | undefined;
}

/** Counts what the tables hold, closes the run in its log, and drops the work of a run that came to its end. */
export function finishReport(input: ReportInput): RunReport {
  const { cause, held, isDryRun, runId, runLog, tables, results, progress, clock, log } = input;
  const { foldersComplete, foldersIncomplete, ...counts } = results.counts();
  const stored = results.failures(RUN_EVENTS_MAX).map(runFailure);
  const failureCount = results.failureCount();
  const folders = { complete: foldersComplete, incomplete: foldersIncomplete };
  const failureCodes = countCodes(stored);
  const report: RunReport = {
    outcome: outcomeOf(cause, failureCount + foldersIncomplete),
    isDryRun,
    counts,
    bytes: progress.bytesReceived - progress.bytesCompared,
    durationMs: progress.elapsedMs,
    folders,
    cause: cause === undefined ? undefined : { path: '/', code: cause.code, detail: cause.detail, facts: cause.facts },
    failures: stored.slice(0, REPORT_FAILURES_MAX),
    failureCount,
    failureCodes,
    stored: results.storedTotals(),
    certificate: certificateOf(
      input,
      folders,
      counts.failed,
      failureCodes.map(([code]) => code),
    ),
    held: held === undefined ? undefined : heldFacts(held),
  };
  const changes = results.changes(RUN_EVENTS_MAX);
  const atMs = clock.nowMs();
  tables.transaction(() => {
    for (const { path, code, detail } of stored) runLog.add(runId, { atMs, level: 'failure', code, path, detail });
    for (const { path, code, sizeBytes } of changes) {
      runLog.add(runId, { atMs, level: 'change', code, path: decodeRemoteName(path), detail: undefined, sizeBytes });
    }
    runLog.close(runId, atMs, report.outcome, JSON.stringify({ ...report, failures: [] }));
    // An early end leaves its work for the next run to go on with.
    if (cause === undefined) tables.clear();
  });
  const { outcome, bytes, durationMs } = report;
  log.info('run-ended', {
    run: runId,
    outcome,
    code: cause?.code,
    ...counts,
    bytes,
    durationMs,
    failures: failureCount,
  });
  return report;
}

function certificateOf(
  { proof, tables, clock }: ReportInput,
  folders: RunReport['folders'],
  filesFailed: number,
  failureCodes: readonly ErrorCode[],
): Certificate | undefined {
  const root = tables.folderByPath('/');
  if (proof === undefined || root === undefined) return undefined;
  const nowMs = clock.nowMs();
  const shares = new ProofTables(proof.db).shares(nowMs - PROOF_DAYS * DAY_MS, nowMs);
  const hasIdentity = root.unique !== undefined;
  return certify({ folders, filesFailed, shares, server: proof.capabilities, hasIdentity, failureCodes });
}

function heldFacts({ findings, files, vanished, replaced, folders }: HoldFindings): HoldFindings {
  return { findings, files, vanished, replaced, folders };
}

function countCodes(failures: readonly RunFailure[]): [ErrorCode, number][] {
  const counts = new Map<ErrorCode, number>();
  for (const { code } of failures) counts.set(code, (counts.get(code) ?? 0) + 1);
  return [...counts].sort(([, a], [, b]) => b - a);
}

/** The report of a run that could not even begin. */
export function failedReport(cause: BackupError, isDryRun: boolean): RunReport {
  const none = { listed: 0, unchanged: 0, new: 0, changed: 0, vanished: 0, downloaded: 0, failed: 0, retired: 0 };
  return {
    outcome: outcomeOf(cause, 0),
    isDryRun,
    counts: none,
    bytes: 0,
    durationMs: 0,
    folders: { complete: 0, incomplete: 0 },
    cause: { path: '/', code: cause.code, detail: cause.detail, facts: cause.facts },
    failures: [],
    failureCount: 0,
  };
}

function outcomeOf(cause: BackupError | undefined, missing: number): RunOutcome {
  if (cause === undefined) return missing === 0 ? 'complete' : 'incomplete';
  if (cause.code === 'cancelled') return 'cancelled';
  return cause.code === 'guard-held' ? 'held' : 'failed';
}

function runFailure(row: { path: string; code: string; detail: string | undefined }): RunFailure {
  return { path: decodeRemoteName(row.path), code: asErrorCode(row.code), detail: row.detail, facts: {} };
}
