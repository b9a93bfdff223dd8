import type { StoredRun } from '../../state/run-store.ts';
import type { Text } from '../../text.ts';
import { storedReport } from '../stored-report.ts';
import { resultWords, roughDuration, starterWords, tookMs } from './run-words.ts';
import { STATE_LOOKS, outcomeState } from './task-state.ts';
import type { PillView } from './tasks-view.ts';

/** One run in a table of runs. */
export interface RunRowView {
  readonly id: number;
  readonly path: string;
  readonly startedMs: number;
  readonly took: string;
  readonly pill: PillView;
  readonly line: string;
  readonly isSimulation: boolean;
  readonly isOpen: boolean;
  /** Empty where the run left no numbers. */
  readonly counts: {
    readonly fresh: string;
    readonly changed: string;
    readonly gone: string;
    readonly missing: string;
  };
  readonly hasMissing: boolean;
  readonly data: string;
  readonly by: string;
  readonly taskName: string;
}

export function buildRunRow(run: StoredRun, text: Text): RunRowView {
  const report = storedReport(run);
  const state = outcomeState(run.outcome);
  const { tone, icon } = STATE_LOOKS[state];
  const took = tookMs(run);
  const count = (value: number | undefined): string => (value === undefined ? '' : text.number(value));
  return {
    id: run.id,
    path: `/runs/${run.id}`,
    startedMs: run.startedMs ?? run.queuedMs,
    took: took === undefined ? '' : roughDuration(took, text),
    pill: { state, tone, icon, words: text.t(`st.${state}`) },
    line: resultWords(run, report, text),
    isSimulation: run.cause === 'simulation',
    isOpen: run.outcome === 'running' || run.outcome === 'queued',
    counts: {
      fresh: count(report?.counts.new),
      changed: count(report?.counts.changed),
      gone: count(report?.counts.vanished),
      missing: count(report?.failureCount),
    },
    hasMissing: (report?.failureCount ?? 0) > 0,
    data: report === undefined ? '' : text.bytes(report.bytes),
    by: starterWords(run, text),
    taskName: run.taskName,
  };
}
