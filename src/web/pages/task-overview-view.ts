import { certificateRows } from '../../settings/certificate-words.ts';
import type { CertificateRow } from '../../settings/certificate-words.ts';
import type { RunMark, StoredRun } from '../../state/run-store.ts';
import type { Text } from '../../text.ts';
import type { Dates } from '../dates.ts';
import { errorWords } from '../error-words.ts';
import { POINTS_MAX, POINT_MS } from '../live-hub.ts';
import type { LogLine } from '../log-reader.ts';
import { storedReport } from '../stored-report.ts';
import { permissionPath, taskPath } from '../task-path.ts';
import { PHASES, buildLiveRun } from './live-run.ts';
import type { LiveRunView } from './live-run.ts';
import { buildLogLine } from './log-words.ts';
import type { LogLineView } from './log-words.ts';
import { buildDataChart, buildStrip, buildThroughput } from './run-charts.ts';
import { buildRunRow } from './run-row.ts';
import type { RunRowView } from './run-row.ts';
import { partialWords, resultWords, roughDuration, tookMs } from './run-words.ts';
import { scheduleWords } from './schedule-words.ts';
import { CONNECTION_CODES, PROTOCOL_WORDS, failuresInRow, pillOf } from './tasks-view.ts';
import type { PillView } from './tasks-view.ts';
import type { TaskInput } from './task-reading.ts';
import type { VersionTotals } from './version-totals.ts';
import { STATE_LOOKS, outcomeState } from './task-state.ts';

export interface OverviewInput {
  readonly task: TaskInput;
  readonly dataMarks: readonly RunMark[];
  readonly lastRuns: readonly StoredRun[];
  readonly lastComplete: StoredRun | undefined;
  /** undefined where they cannot be read. */
  readonly versions: VersionTotals | undefined;
  /** The newest warnings of the run under way. */
  readonly warnings: readonly LogLine[];
  readonly pausedUntilMs: number | undefined;
  readonly nowMs: number;
}

/** The heading and tabs that all pages of one task share. */
export interface TaskHeadView {
  readonly id: number;
  readonly name: string;
  readonly path: string;
  readonly pill: PillView;
  readonly isActive: boolean;
  readonly isStopping: boolean;
  readonly isPaused: boolean;
  readonly isUsable: boolean;
}

export interface TroubleView {
  readonly tone: 'err' | 'warn';
  readonly cause: string;
  readonly action: string;
  readonly since: string;
  readonly link: { readonly path: string; readonly words: string } | undefined;
}

export interface OverviewView {
  readonly head: TaskHeadView;
  readonly live: (LiveRunView & { readonly runId: number; readonly isSimulation: boolean }) | undefined;
  readonly phases: readonly {
    readonly words: string;
    readonly state: 'done' | 'now' | 'next';
    readonly number: number;
  }[];
  readonly throughput: ReturnType<typeof buildThroughput>;
  readonly warnings: readonly LogLineView[];
  readonly queued: string;
  readonly trouble: TroubleView | undefined;
  readonly headline: { readonly icon: string; readonly tone: string; readonly words: string; readonly sub: string };
  readonly lastRuns: readonly RunRowView[];
  readonly facts: readonly { readonly name: string; readonly value: string; readonly more: string }[];
  /** Of the last run that came to its end; empty where it has none. */
  readonly certificate: readonly CertificateRow[];
  readonly data: ReturnType<typeof buildDataChart>;
  readonly strip: ReturnType<typeof buildStrip>;
}

export function buildOverview(input: OverviewInput, text: Text, dates: Dates): OverviewView {
  const { task, nowMs } = input;
  const { activity, trail } = task;
  const isRunning = activity !== undefined && activity.phase !== 'queued';
  const filesLastTime = storedReport(task.lastFinished)?.counts.listed;
  const live = isRunning ? buildLiveRun({ activity, trail, nowMs, filesLastTime }, text, dates) : undefined;
  return {
    head: buildTaskHead(task, text),
    live:
      live === undefined || activity === undefined
        ? undefined
        : { ...live, runId: activity.runId, isSimulation: activity.cause === 'simulation' },
    phases: PHASES.map((phase, index) => ({
      words: text.t(`ph.${phase}`),
      number: index + 1,
      state: index < (live?.phase ?? 0) ? 'done' : index === live?.phase ? 'now' : 'next',
    })),
    throughput: buildThroughput(
      trail?.points ?? [],
      { pointsMax: POINTS_MAX, stepMs: POINT_MS, endMs: nowMs },
      text,
      dates,
    ),
    warnings: input.warnings.map((line) => buildLogLine(line, new Map(), text, dates)),
    queued: activity?.phase === 'queued' ? text.t('td.queued') : '',
    trouble: buildTrouble(input, text, dates),
    headline: headline(input, text, dates),
    lastRuns: input.lastRuns.map((run) => buildRunRow(run, text)),
    facts: facts(input, text, dates),
    certificate: certificateOf(task, text),
    data: buildDataChart(input.dataMarks, text, dates),
    strip: buildStrip(task.marks, text, dates),
  };
}

export function buildTaskHead(input: Omit<TaskInput, 'marks'>, text: Text): TaskHeadView {
  const { task, activity } = input;
  return {
    id: task.id,
    name: task.name,
    path: taskPath(task),
    pill: pillOf(input, text),
    isActive: activity !== undefined,
    isStopping: activity?.phase === 'stopping',
    isPaused: task.isPaused,
    isUsable: task.settings !== undefined,
  };
}

/** What went wrong last, since when, and what is still good. */
export function buildTrouble(input: OverviewInput, text: Text, dates: Dates): TroubleView | undefined {
  const { task, lastComplete } = input;
  const run = task.lastEnded;
  const path = taskPath(task.task);
  if (task.task.settings === undefined) {
    const words = errorWords(text, 'settings-invalid');
    const link = { path: `${path}/edit`, words: text.t('act.edit') };
    return { tone: 'err', cause: words.cause, action: words.action, since: '', link };
  }
  if (run === undefined) return undefined;
  // A run that was stopped after it answers nothing.
  const isAsked = task.needsDecision && run.outcome !== 'failed';
  if (!isAsked && !['failed', 'held', 'incomplete'].includes(run.outcome)) return undefined;
  const report = storedReport(run);
  if (run.outcome === 'held' && !isAsked) {
    const link = { path: `/runs/${run.id}`, words: text.t('act.view') };
    return { tone: 'warn', cause: text.t('held.after-keep'), action: text.t('run.safe'), since: '', link };
  }
  const lastGood =
    lastComplete === undefined
      ? text.t('td.no-good-copy')
      : text.t('td.last-good', { when: dates.inWords(lastComplete.startedMs ?? lastComplete.queuedMs) });
  const view = { path: `/runs/${run.id}`, words: text.t('act.view') };
  if (run.outcome === 'incomplete') {
    return { tone: 'warn', cause: partialWords(report, text), action: text.t('run.safe'), since: lastGood, link: view };
  }
  const cause = run.outcome === 'cancelled' || run.outcome === 'interrupted' ? undefined : report?.cause;
  const code = cause?.code ?? (isAsked ? 'guard-held' : 'internal');
  const words = errorWords(text, code, cause?.facts);
  const times = failuresInRow(task.marks);
  const since = times < 2 ? lastGood : `${text.t('dash.in-row', { count: times })} ${lastGood}`;
  const edit = { path: `${path}/edit#conn`, words: text.t('act.editconn') };
  const permission = permissionPath(code, cause?.facts['path']);
  const give = permission === undefined ? view : { path: permission, words: text.t('perm.give') };
  const decision = { path: `${path}/decision`, words: text.t('act.decide') };
  const adopt = { path: `${path}/adopt`, words: text.t('adopt.title') };
  const otherwise = code === 'target-taken' ? adopt : give;
  return {
    tone: isAsked ? 'warn' : 'err',
    cause: words.cause,
    action: words.action,
    since,
    link: isAsked ? decision : CONNECTION_CODES.has(code) ? edit : otherwise,
  };
}

function certificateOf({ lastFinished }: TaskInput, text: Text): readonly CertificateRow[] {
  const certificate = storedReport(lastFinished)?.certificate;
  return certificate === undefined ? [] : certificateRows(certificate, text);
}

function headline({ task }: OverviewInput, text: Text, dates: Dates): OverviewView['headline'] {
  const run = task.lastEnded;
  if (run === undefined) {
    const sub = task.nextMs === undefined ? '' : text.t('td.next', { when: dates.inWords(task.nextMs) });
    return { icon: 'never', tone: 'idle', words: text.t('td.never'), sub };
  }
  const { icon, tone } = STATE_LOOKS[outcomeState(run.outcome)];
  const took = tookMs(run);
  const when = dates.when(run.startedMs ?? run.queuedMs);
  const parts = [
    resultWords(run, storedReport(run), text),
    when,
    took === undefined ? '' : text.t('dash.took', { x: roughDuration(took, text) }),
  ];
  return {
    icon,
    tone,
    words: text.t(`st.${outcomeState(run.outcome)}`),
    sub: parts.filter((part) => part !== '').join(' · '),
  };
}

function facts(
  { task, lastComplete, versions, pausedUntilMs }: OverviewInput,
  text: Text,
  dates: Dates,
): OverviewView['facts'] {
  const { settings, schedule, isPaused } = task.task;
  const rows: { name: string; value: string; more: string }[] = [];
  const add = (key: string, value: string, more = ''): void => {
    rows.push({ name: text.t(key), value, more });
  };
  if (settings !== undefined) {
    const { source, target } = settings;
    const place = `${source.user}@${source.host}:${source.port}`;
    add('td.source', `${PROTOCOL_WORDS[source.protocol]} ${place}`, source.folder);
    add('td.dest', target.folder);
  }
  const paused = isPaused
    ? text.t('st.paused')
    : pausedUntilMs === undefined
      ? ''
      : text.t('td.all-paused', { when: pausedUntilMs === Infinity ? undefined : dates.inWords(pausedUntilMs) });
  add('td.schedule', scheduleWords(schedule, text), paused);
  if (task.nextMs !== undefined) add('col.next', dates.when(task.nextMs));
  const report = storedReport(task.lastFinished);
  const files = report?.stored?.files ?? report?.counts.listed;
  if (files !== undefined) {
    const words = text.t('count.files', { count: files });
    if (report?.stored === undefined) add('td.stored', words);
    else add('td.stored', text.bytes(report.stored.bytes), words);
  }
  if (versions !== undefined && versions.versions > 0) {
    add('td.older', text.bytes(versions.bytes), text.t('count.versions', { count: versions.versions }));
  }
  if (lastComplete !== undefined) {
    add('td.last-complete', dates.when(lastComplete.startedMs ?? lastComplete.queuedMs));
  }
  return rows;
}
