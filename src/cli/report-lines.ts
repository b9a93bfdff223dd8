import type { ErrorCode } from '../errors.ts';
import type { RunFailure, RunOutcome, RunReport } from '../engine/run-report.ts';
import { certificateRows } from '../settings/certificate-words.ts';
import { findingWords } from '../settings/guard-finding.ts';
import type { Text, TextFacts } from '../text.ts';
import { printable } from './printable.ts';

/** Paths shown for each cause; the report counts them all. */
const PATHS_PER_CAUSE_MAX = 5;

export const EXIT_CODES: Readonly<Record<RunOutcome, number>> = {
  complete: 0,
  incomplete: 1,
  failed: 2,
  held: 3,
  cancelled: 3,
};
export const EXIT_WRONG_USAGE = 64;

/** A finished run in words: what came of it, the counts, and what failed by its cause. `facts` are the source's. */
export function reportLines(report: RunReport, targetFolder: string, facts: TextFacts, text: Text): string[] {
  const lines = [headline(report, text), ...causeLines(report, facts, text)];
  // A run that never came to see a folder has nothing to count.
  const hasSeenNothing = report.cause !== undefined && report.folders.complete + report.folders.incomplete === 0;
  if (hasSeenNothing) return lines.map(printable);
  lines.push('');
  const row = (label: string, value: string): void => {
    if (value !== '') lines.push(`  ${text.t(label).padEnd(LABEL_WIDTH)}${value}`);
  };
  const { counts, folders } = report;
  row(
    'report.files',
    countList(
      FILE_COUNTS.map(([key, name]) => [key, counts[name] ?? 0]),
      text,
    ),
  );
  row(
    'report.folders',
    countList(
      [
        ['report.folders-complete', folders.complete],
        ['report.folders-incomplete', folders.incomplete],
      ],
      text,
    ),
  );
  const rate = report.bytes > 0 && report.durationMs > 0 ? (report.bytes * 1000) / report.durationMs : undefined;
  row(
    'report.data',
    text.t('report.data-value', {
      bytes: text.bytes(report.bytes),
      time: text.duration(report.durationMs),
      rate: rate === undefined ? undefined : text.bytesPerSecond(rate),
    }),
  );
  if (!report.isDryRun) row('report.copy', `${targetFolder}/current`);
  const proof = report.certificate === undefined ? [] : certificateRows(report.certificate, text);
  for (const [index, { name, value, more }] of proof.entries()) {
    const words = text.t('cert.line', { name, value, more: more === '' ? undefined : more });
    lines.push(`  ${(index === 0 ? text.t('report.proof') : '').padEnd(LABEL_WIDTH)}${words}`);
  }
  lines.push(...failureLines(report, facts, text));
  return lines.map(printable);
}

/** Wide enough for both languages. */
const LABEL_WIDTH = 12;

const FILE_COUNTS = [
  ['report.listed', 'listed'],
  ['report.new', 'new'],
  ['report.changed', 'changed'],
  ['report.renamed', 'renamed'],
  ['report.unchanged', 'unchanged'],
  ['report.vanished', 'vanished'],
  ['report.downloaded', 'downloaded'],
  ['report.failed-count', 'failed'],
  ['report.retired', 'retired'],
] as const;

function headline(report: RunReport, text: Text): string {
  const isSimulated = report.isDryRun && ['complete', 'incomplete', 'held'].includes(report.outcome);
  return text.t(`report.${report.outcome}${isSimulated ? '-dry' : ''}`);
}

function causeLines({ cause, held }: RunReport, facts: TextFacts, text: Text): string[] {
  if (cause === undefined) return [];
  const found = held?.findings.map((finding) => `  - ${findingWords(finding, text)}`) ?? [];
  return [...explain(cause.code, { ...facts, ...cause.facts }, cause.detail, text), ...found];
}

/** Cause, next step and the raw word behind it. */
export function explain(code: ErrorCode, facts: TextFacts, detail: string | undefined, text: Text): string[] {
  const { cause, action } = text.error(code, facts);
  const lines = [`  ${cause}`, `  ${text.t('report.what-to-do', { action })}`];
  if (detail !== undefined && detail !== '')
    lines.push(`  ${text.t('report.server-said', { detail: oneLine(detail) })}`);
  return lines.map(printable);
}

function countList(counts: readonly (readonly [key: string, count: number])[], text: Text): string {
  // Zero says nothing, but for the first: how much there was at all.
  return counts
    .filter(([, count], index) => count > 0 || index === 0)
    .map(([key, count]) => text.t(key, { count }))
    .join(', ');
}

function failureLines(report: RunReport, facts: TextFacts, text: Text): string[] {
  if (report.failures.length === 0) return [];
  const groups = new Map<ErrorCode, RunFailure[]>();
  for (const failure of report.failures) {
    const group = groups.get(failure.code);
    if (group === undefined) groups.set(failure.code, [failure]);
    else group.push(failure);
  }
  const lines: string[] = [];
  for (const [code, failures] of [...groups].sort((a, b) => b[1].length - a[1].length)) {
    const details = new Set(failures.map((failure) => failure.detail));
    // The facts of one file say nothing about the others of its group.
    const { cause, action } = text.error(code, failures.length === 1 ? { ...facts, ...failures[0]?.facts } : facts);
    lines.push('', `  ${text.number(failures.length)} × ${cause}`);
    for (const failure of failures.slice(0, PATHS_PER_CAUSE_MAX)) {
      lines.push(
        `      ${failure.path}${failure.detail === undefined || details.size === 1 ? '' : `  (${oneLine(failure.detail)})`}`,
      );
    }
    const more = failures.length - PATHS_PER_CAUSE_MAX;
    if (more > 0) lines.push(`      ${text.t('report.more', { count: more })}`);
    lines.push(`    ${text.t('report.what-to-do', { action })}`);
    const [detail] = details;
    if (details.size === 1 && detail !== undefined)
      lines.push(`    ${text.t('report.server-said', { detail: oneLine(detail) })}`);
  }
  lines.push('');
  if (report.failureCount > report.failures.length) {
    lines.push(`  ${text.t('report.not-all-listed', { listed: report.failures.length, count: report.failureCount })}`);
  }
  lines.push(`  ${text.t('report.safe')}`);
  return lines;
}

/** Replies of servers may have several lines (RFC 959 §4.2). */
function oneLine(detail: string): string {
  return detail.replace(/\s*[\r\n]+\s*/g, ' ');
}
