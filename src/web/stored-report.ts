import { asErrorCode } from '../errors.ts';
import type { ErrorCode, ErrorFacts } from '../errors.ts';
import type { CertificateNumbers } from '../settings/certificate-words.ts';
import type { StoredRun } from '../state/run-store.ts';

/** What the pages show of a run's report. A report of another version may lack numbers: they are 0 then. */
export interface StoredReport {
  readonly counts: Readonly<Record<(typeof COUNTS)[number], number>>;
  readonly bytes: number;
  readonly durationMs: number;
  readonly foldersComplete: number;
  readonly foldersIncomplete: number;
  readonly failureCount: number;
  /** The most frequent first. */
  readonly failureCodes: readonly { readonly code: ErrorCode; readonly count: number }[];
  readonly cause: ReportCause | undefined;
  /** What the task has on the NAS; undefined where the report does not say. */
  readonly stored: { readonly files: number; readonly bytes: number } | undefined;
  readonly certificate: CertificateNumbers | undefined;
}

/** What the run can vouch for; undefined where its report has no certificate, as older ones have not. */
function certificateOf(value: unknown): CertificateNumbers | undefined {
  const { folders, grade, reasons, ...numbers } = asObject(value);
  if (typeof grade !== 'string' || !/^[A-E]$/.test(grade)) return undefined;
  const { complete, total } = asObject(folders);
  return {
    folders: { complete: asNumber(complete), total: asNumber(total) },
    filesFailed: asNumber(numbers['filesFailed']),
    bytes: asNumber(numbers['bytes']),
    verifiedBytes: asNumber(numbers['verifiedBytes']),
    rehashedBytes: asNumber(numbers['rehashedBytes']),
    grade,
    reasons: Array.isArray(reasons) ? reasons.filter((reason) => typeof reason === 'string') : [],
  };
}

export interface ReportCause {
  readonly code: ErrorCode;
  readonly detail: string | undefined;
  readonly facts: ErrorFacts;
}

const COUNTS = ['listed', 'unchanged', 'new', 'changed', 'vanished', 'downloaded', 'failed', 'retired'] as const;

/** By run as the store gave it: the list of tasks shows the same reports at every look. */
const read = new WeakMap<object, StoredReport>();

/** Reads what a run left. undefined where it left nothing, such as after a power cut. */
export function storedReport(run: Pick<StoredRun, 'report'> | undefined): StoredReport | undefined {
  if (run?.report === undefined) return undefined;
  let report = read.get(run);
  if (report === undefined) {
    report = readReport(run.report);
    if (report !== undefined) read.set(run, report);
  }
  return report;
}

function readReport(json: string): StoredReport | undefined {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    return undefined;
  }
  const report = asObject(value);
  const counts = asObject(report['counts']);
  const folders = asObject(report['folders']);
  const stored = asObject(report['stored']);
  return {
    counts: Object.fromEntries(COUNTS.map((name) => [name, asNumber(counts[name])])) as StoredReport['counts'],
    bytes: asNumber(report['bytes']),
    durationMs: asNumber(report['durationMs']),
    foldersComplete: asNumber(folders['complete']),
    foldersIncomplete: asNumber(folders['incomplete']),
    failureCount: asNumber(report['failureCount']),
    failureCodes: failureCodes(report['failureCodes']),
    cause: reportCause(report['cause']),
    stored:
      typeof stored['bytes'] === 'number'
        ? { files: asNumber(stored['files']), bytes: asNumber(stored['bytes']) }
        : undefined,
    certificate: certificateOf(report['certificate']),
  };
}

function failureCodes(value: unknown): StoredReport['failureCodes'] {
  if (!Array.isArray(value)) return [];
  return value.flatMap((pair: unknown) => {
    if (!Array.isArray(pair)) return [];
    const [code, count] = pair as unknown[];
    return typeof code === 'string' && typeof count === 'number' ? [{ code: asErrorCode(code), count }] : [];
  });
}

function reportCause(value: unknown): ReportCause | undefined {
  const cause = asObject(value);
  if (typeof cause['code'] !== 'string') return undefined;
  const facts = Object.entries(asObject(cause['facts'])).filter(
    (fact): fact is [string, string | number] => typeof fact[1] === 'string' || typeof fact[1] === 'number',
  );
  return {
    code: asErrorCode(cause['code']),
    detail: typeof cause['detail'] === 'string' ? cause['detail'] : undefined,
    facts: Object.fromEntries(facts),
  };
}

function asObject(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

function asNumber(value: unknown): number {
  return typeof value === 'number' && Number.isFinite(value) ? value : 0;
}
