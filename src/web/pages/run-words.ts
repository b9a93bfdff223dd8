import type { RunCause, StoredRun } from '../../state/run-store.ts';
import { lowerFirst } from '../../text.ts';
import type { Text } from '../../text.ts';
import type { StoredReport } from '../stored-report.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

/** `4 s`, `12 min`, `2 h 05 min`: as exact as people say it. */
export function roughDuration(durationMs: number, text: Text): string {
  if (durationMs < MINUTE_MS) return text.t('unit.seconds', { value: Math.floor(Math.max(0, durationMs) / 1000) });
  if (durationMs < HOUR_MS) return text.t('unit.minutes', { value: Math.floor(durationMs / MINUTE_MS) });
  const rest = Math.floor((durationMs % HOUR_MS) / MINUTE_MS);
  if (rest === 0 && durationMs < 24 * HOUR_MS) return text.t('unit.hours', { value: Math.floor(durationMs / HOUR_MS) });
  return text.duration(durationMs);
}

/** How long the run took; undefined while it goes on or where it never began. */
export function tookMs(run: Pick<StoredRun, 'startedMs' | 'endedMs'>): number | undefined {
  return run.startedMs === undefined || run.endedMs === undefined
    ? undefined
    : Math.max(0, run.endedMs - run.startedMs);
}

/** What came of a run that ended, in a few words: `Login refused`, `12 files not copied`. */
export function resultWords(run: Pick<StoredRun, 'outcome'>, report: StoredReport | undefined, text: Text): string {
  const { t } = text;
  switch (run.outcome) {
    case 'complete':
      if (report === undefined) return '';
      return report.counts.downloaded === 0
        ? t('result.unchanged')
        : t('result.copied', { count: report.counts.downloaded });
    case 'incomplete':
      return t('result.missing', { count: report?.failureCount ?? 0 });
    case 'failed':
      return t(`short.${report?.cause?.code ?? 'internal'}`);
    case 'held':
      return t('short.guard-held');
    case 'interrupted':
      return t('result.interrupted');
    case 'cancelled':
      return t('result.cancelled');
    case 'queued':
    case 'running':
      return '';
  }
}

/** The causes that are named; the run's page has all of them. */
const CAUSES_NAMED_MAX = 2;

/** `12 items could not be copied or seen: not allowed to read (9), changed while being copied (3).` */
export function partialWords(report: StoredReport | undefined, text: Text): string {
  const count = report?.failureCount ?? 0;
  const codes = report?.failureCodes.slice(0, CAUSES_NAMED_MAX) ?? [];
  if (codes.length === 0) return text.t('dash.partial', { count });
  const causes = codes.map(({ code, count: n }) => {
    const words = lowerFirst(text.t(`short.${code}`));
    return n === count ? words : text.t('dash.cause-count', { words, n });
  });
  return text.t('dash.partial-causes', { count, causes: causes.join(', ') });
}

const CAUSE_KEYS: Readonly<Record<RunCause, string>> = {
  schedule: 'run.bySchedule',
  'catch-up': 'run.byCatchUp',
  user: 'run.byUser',
  simulation: 'run.bySimulation',
};

/** Who or what started the run: `Started by the schedule`. */
export function startedByWords(run: Pick<StoredRun, 'cause' | 'startedBy'>, text: Text): string {
  return text.t(CAUSE_KEYS[run.cause], { user: run.startedBy });
}

/** The same below a heading that asks for it: `Schedule`. */
export function starterWords(run: Pick<StoredRun, 'cause' | 'startedBy'>, text: Text): string {
  return text.t(`by.${run.cause}`, { user: run.startedBy });
}
