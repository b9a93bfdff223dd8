import type { RunMark, RunTotals } from '../../state/run-store.ts';
import type { Text } from '../../text.ts';
import type { Dates } from '../dates.ts';
import { errorWords } from '../error-words.ts';
import { storedReport } from '../stored-report.ts';
import type { StoredReport } from '../stored-report.ts';
import { permissionPath, taskPath } from '../task-path.ts';
import { buildHappening } from './activity-rows.ts';
import type { Happening } from './activity-rows.ts';
import { buildLiveRun } from './live-run.ts';
import { buildCompactStrip } from './run-charts.ts';
import type { CompactStripView } from './run-charts.ts';
import { partialWords, resultWords, roughDuration, tookMs } from './run-words.ts';
import type { TaskInput } from './task-reading.ts';
import { ATTENTION_STATES, STATE_LOOKS, taskState } from './task-state.ts';
import type { TaskState, Tone } from './task-state.ts';

/** Tasks on one page of the list. */
export const TASKS_PAGE = 50;
/** Rows of the attention list; the others are behind a filter. */
const ATTENTION_MAX = 3;

export const FILTERS = ['all', 'attention', 'running', 'ok', 'paused'] as const;
export type TaskFilter = (typeof FILTERS)[number];

export const SORTS = ['status', 'name', 'last', 'size', 'next'] as const;
export type TaskSort = (typeof SORTS)[number];

export interface TasksQuery {
  readonly filter: TaskFilter;
  readonly words: string;
  readonly sort: TaskSort;
  readonly isReversed: boolean;
  /** From 1. */
  readonly page: number;
}

export interface TasksInput {
  readonly tasks: readonly TaskInput[];
  readonly query: TasksQuery;
  readonly happenings: readonly Happening[];
  readonly day: RunTotals;
  /** Until when no task starts by itself; undefined where nothing is paused. */
  readonly pausedUntilMs: number | undefined;
  readonly nowMs: number;
}

export interface PillView {
  readonly state: TaskState;
  readonly tone: Tone;
  readonly icon: string;
  readonly words: string;
}

export interface TaskRowView {
  readonly id: number;
  readonly name: string;
  readonly path: string;
  readonly protocol: string;
  readonly isPlain: boolean;
  readonly place: string;
  readonly pill: PillView;
  readonly line: string;
  readonly isActive: boolean;
  readonly isRunning: boolean;
  /** undefined: no total is known yet. */
  readonly progress: number | undefined;
  readonly lastMs: number | undefined;
  readonly last: string;
  readonly lastExact: string;
  readonly took: string;
  readonly strip: CompactStripView;
  /** Size and files, or only files: one line each. */
  readonly size: string;
  /** Day and time: one line each. */
  readonly next: string;
}

interface Ranked {
  readonly view: TaskRowView;
  readonly input: TaskInput;
  readonly report: StoredReport | undefined;
  readonly sizeKey: number;
}

export interface AttentionView {
  readonly tone: Tone;
  readonly icon: string;
  readonly name: string;
  readonly words: string;
  readonly action: { readonly kind: 'open' | 'run'; readonly path: string; readonly words: string };
}

export interface TasksView {
  readonly isEmpty: boolean;
  readonly noMatch: string;
  /** That no task starts by itself; empty where they do. */
  readonly paused: string;
  readonly attention: readonly AttentionView[];
  readonly attentionMore: string;
  readonly chips: readonly {
    readonly words: string;
    readonly count: number;
    readonly path: string;
    readonly isCurrent: boolean;
  }[];
  readonly columns: Readonly<
    Record<TaskSort, { readonly path: string; readonly sorted: 'ascending' | 'descending' | undefined }>
  >;
  readonly query: TasksQuery;
  readonly rows: readonly TaskRowView[];
  readonly total: string;
  readonly newer: string | undefined;
  readonly older: string | undefined;
  readonly happenings: readonly (ReturnType<typeof buildHappening> & {
    readonly time: string;
    readonly exact: string;
    readonly iso: string;
  })[];
  readonly day: {
    readonly copied: string;
    readonly files: string;
    readonly runs: string;
    readonly failed: string;
    readonly stored: string;
  };
  readonly next: { readonly name: string; readonly when: string } | undefined;
}

export function buildTasksView(input: TasksInput, text: Text, dates: Dates): TasksView {
  const { query } = input;
  const all = input.tasks.map((task) => rank(task, input.nowMs, text, dates));
  const found = all
    .filter((row) => matchesFilter(row, query.filter) && matchesWords(row, query.words))
    .sort(order(query));
  const pages = Math.max(1, Math.ceil(found.length / TASKS_PAGE));
  const page = Math.min(query.page, pages);
  const attention = all.filter((row) => ATTENTION_STATES.has(row.view.pill.state)).sort(order(WORST_FIRST));
  return {
    isEmpty: all.length === 0,
    noMatch: found.length > 0 ? '' : noMatchWords(query, text),
    paused: pausedWords(input.pausedUntilMs, text, dates),
    attention: attention.slice(0, ATTENTION_MAX).map((row) => attentionView(row, text)),
    attentionMore:
      attention.length > ATTENTION_MAX
        ? text.t('dash.attention-more', { count: attention.length - ATTENTION_MAX })
        : '',
    chips: FILTERS.map((filter) => ({
      words: text.t(FILTER_WORDS[filter]),
      count: all.filter((row) => matchesFilter(row, filter)).length,
      path: tasksPath({ ...query, filter, page: 1 }),
      isCurrent: filter === query.filter,
    })),
    columns: Object.fromEntries(SORTS.map((sort) => [sort, column(sort, query)])) as TasksView['columns'],
    query,
    rows: found.slice((page - 1) * TASKS_PAGE, page * TASKS_PAGE).map((row) => row.view),
    total: text.t('dash.count', { count: found.length }),
    newer: page > 1 ? tasksPath({ ...query, page: page - 1 }) : undefined,
    older: page < pages ? tasksPath({ ...query, page: page + 1 }) : undefined,
    happenings: input.happenings.map((happening) => ({
      ...buildHappening(happening, text, dates),
      time: dates.clock(happening.atMs),
      exact: dates.exact(happening.atMs),
      iso: new Date(happening.atMs).toISOString(),
    })),
    day: dayView(input.day, all, text),
    next: nextView(all, dates),
  };
}

const WORST_FIRST: TasksQuery = { filter: 'all', words: '', sort: 'status', isReversed: false, page: 1 };

const FILTER_WORDS: Readonly<Record<TaskFilter, string>> = {
  all: 'dash.all',
  attention: 'dash.attention',
  running: 'st.running',
  ok: 'st.ok',
  paused: 'dash.paused',
};

/** The URL that shows the list so. */
export function tasksPath(query: TasksQuery): string {
  const parameters = new URLSearchParams();
  if (query.filter !== 'all') parameters.set('state', query.filter);
  if (query.words !== '') parameters.set('q', query.words);
  if (query.sort !== 'status' || query.isReversed) parameters.set('sort', (query.isReversed ? '-' : '') + query.sort);
  if (query.page > 1) parameters.set('page', String(query.page));
  const search = parameters.toString();
  return search === '' ? '/tasks' : `/tasks?${search}`;
}

/** The state of a task and how it is shown. */
export function pillOf(input: Omit<TaskInput, 'marks' | 'trail' | 'lastFinished'>, text: Text): PillView {
  const state = taskState({
    phase: input.activity?.phase,
    lastOutcome: input.lastEnded?.outcome,
    lastCode: storedReport(input.lastEnded)?.cause?.code,
    isUsable: input.task.settings !== undefined,
    isPaused: input.task.isPaused,
    isOverdue: input.isOverdue,
    waitsForHours: input.waitsForHours,
    needsDecision: input.needsDecision,
  });
  const { tone, icon } = STATE_LOOKS[state];
  return { state, tone, icon, words: text.t(`st.${state}`) };
}

function rank(input: TaskInput, nowMs: number, text: Text, dates: Dates): Ranked {
  const { task, activity, lastEnded } = input;
  const pill = pillOf(input, text);
  const report = storedReport(lastEnded);
  const finished = storedReport(input.lastFinished);
  const live =
    activity === undefined || activity.phase === 'queued'
      ? undefined
      : buildLiveRun({ activity, trail: input.trail, nowMs, filesLastTime: finished?.counts.listed }, text, dates);
  const took = lastEnded === undefined ? undefined : tookMs(lastEnded);
  const lastMs = lastEnded?.startedMs ?? lastEnded?.queuedMs;
  const source = task.settings?.source;
  const files = finished?.stored?.files ?? finished?.counts.listed;
  const fileWords = files === undefined ? '–' : text.t('count.files', { count: files });
  const view: TaskRowView = {
    id: task.id,
    name: task.name,
    path: taskPath(task),
    protocol: source === undefined ? '' : PROTOCOL_WORDS[source.protocol],
    isPlain: source?.protocol === 'ftp',
    place: source === undefined ? '' : `${source.host}${source.folder === '/' ? '' : source.folder}`,
    pill,
    line: live?.short ?? lineWords(pill.state, input, report, text, dates),
    isActive: activity !== undefined,
    isRunning: live !== undefined,
    progress: live?.progress,
    lastMs,
    last: lastMs === undefined ? '' : dates.when(lastMs),
    lastExact: lastMs === undefined ? '' : dates.exact(lastMs),
    took:
      took === undefined
        ? ''
        : text.t(TOOK_KEYS[lastEnded?.outcome ?? ''] ?? 'dash.stopped-after', { x: roughDuration(took, text) }),
    strip: buildCompactStrip(input.marks, text),
    size: (finished?.stored === undefined ? [] : [text.bytes(finished.stored.bytes)]).concat(fileWords).join('\n'),
    next: input.nextMs === undefined ? '' : `${dates.day(input.nextMs)}\n${dates.clock(input.nextMs)}`,
  };
  return { view, input, report, sizeKey: finished?.stored?.bytes ?? files ?? -1 };
}

export const PROTOCOL_WORDS = { ftp: 'FTP', ftps: 'FTPS', 'ftps-implicit': 'FTPS' } as const;

const TOOK_KEYS: Readonly<Record<string, string>> = { complete: 'dash.took', incomplete: 'dash.took' };

function lineWords(
  state: TaskState,
  { task, activity, lastEnded }: TaskInput,
  report: StoredReport | undefined,
  text: Text,
  dates: Dates,
): string {
  if (task.settings === undefined) return text.t('short.settings-invalid');
  if (state === 'queued') return text.t(activity === undefined ? 'dash.line.hours' : 'dash.line.queued');
  if (lastEnded === undefined) return state === 'overdue' ? text.t('dash.line.overdue') : '';
  if (state !== 'overdue') return resultWords(lastEnded, report, text);
  return text.t('dash.line.overdue-since', { when: dates.inWords(lastEnded.startedMs ?? lastEnded.queuedMs) });
}

function attentionView({ view, input, report }: Ranked, text: Text): AttentionView {
  const base = { tone: view.pill.tone, icon: view.pill.icon, name: view.name };
  const open = (path: string, key: string): AttentionView['action'] => ({ kind: 'open', path, words: text.t(key) });
  const runPath = input.lastEnded === undefined ? view.path : `/runs/${input.lastEnded.id}`;
  if (input.task.settings === undefined) {
    return {
      ...base,
      words: errorWords(text, 'settings-invalid').cause,
      action: open(`${view.path}/edit`, 'act.edit'),
    };
  }
  if (view.pill.state === 'overdue') {
    const action = { kind: 'run', path: `/tasks/${view.id}/run`, words: text.t('act.backup') } as const;
    return { ...base, words: text.t('dash.overdue'), action };
  }
  if (input.needsDecision && view.pill.state === 'held') {
    const words = text.error('guard-held', report?.cause?.facts).cause;
    return { ...base, words, action: open(`${view.path}/decision`, 'act.decide') };
  }
  if (input.lastEnded?.outcome === 'held') {
    return { ...base, words: text.t('held.after-keep'), action: open(runPath, 'act.view') };
  }
  if (view.pill.state === 'partial') {
    return { ...base, words: partialWords(report, text), action: open(runPath, 'act.view') };
  }
  const cause = report?.cause;
  const words =
    cause === undefined ? errorWords(text, 'internal').cause : errorWords(text, cause.code, cause.facts).cause;
  const times = failuresInRow(input.marks);
  const repeated = times < 2 ? words : `${words} ${text.t('dash.in-row', { count: times })}`;
  const permission = permissionPath(cause?.code, cause?.facts['path']);
  const fix = CONNECTION_CODES.has(cause?.code ?? '')
    ? open(`${view.path}/edit#conn`, 'act.editconn')
    : permission === undefined
      ? open(runPath, 'act.view')
      : open(permission, 'perm.give');
  return { ...base, words: repeated, action: fix };
}

/** Causes that are put right among the connection's settings. */
export const CONNECTION_CODES: ReadonlySet<string> = new Set([
  'login-rejected',
  'host-unknown',
  'connection-refused',
  'tls-refused',
  'certificate-untrusted',
  'certificate-changed',
  'protocol-unusable',
  'remote-folder-missing',
]);

export function failuresInRow(marks: readonly RunMark[]): number {
  const ended = marks.filter((mark) => mark.endedMs !== undefined);
  const lastGood = ended.findLastIndex((mark) => mark.outcome !== 'failed');
  return ended.length - 1 - lastGood;
}

function matchesFilter({ view }: Ranked, filter: TaskFilter): boolean {
  switch (filter) {
    case 'all':
      return true;
    case 'attention':
      return ATTENTION_STATES.has(view.pill.state);
    case 'running':
      return view.isActive;
    default:
      return view.pill.state === filter;
  }
}

function matchesWords({ view }: Ranked, words: string): boolean {
  const wanted = words.trim().toLocaleLowerCase();
  return wanted === '' || `${view.name}\n${view.place}`.toLocaleLowerCase().includes(wanted);
}

const byName = (a: Ranked, b: Ranked): number => a.view.name.localeCompare(b.view.name);
const byNumber = (a: number, b: number): number => (a === b ? 0 : a - b);

const ORDERS: Readonly<Record<TaskSort, (a: Ranked, b: Ranked) => number>> = {
  status: (a, b) => byNumber(STATE_LOOKS[a.view.pill.state].rank, STATE_LOOKS[b.view.pill.state].rank),
  name: byName,
  last: (a, b) => byNumber(b.view.lastMs ?? -1, a.view.lastMs ?? -1),
  size: (a, b) => byNumber(b.sizeKey, a.sizeKey),
  next: (a, b) => byNumber(a.input.nextMs ?? Infinity, b.input.nextMs ?? Infinity),
};

function order({ sort, isReversed }: TasksQuery): (a: Ranked, b: Ranked) => number {
  return (a, b) => (isReversed ? -1 : 1) * ORDERS[sort](a, b) || byName(a, b);
}

/** A press on the column that sorts already turns it round. */
function column(sort: TaskSort, query: TasksQuery): TasksView['columns'][TaskSort] {
  const isCurrent = sort === query.sort;
  const path = tasksPath({ ...query, sort, isReversed: isCurrent && !query.isReversed, page: 1 });
  const startsHigh = sort === 'last' || sort === 'size' || sort === 'status';
  const sorted = startsHigh === query.isReversed ? 'ascending' : 'descending';
  return { path, sorted: isCurrent ? sorted : undefined };
}

function noMatchWords(query: TasksQuery, text: Text): string {
  return query.words === '' ? text.t('dash.nofilter') : text.t('dash.noresult', { q: query.words });
}

/** That all schedules are paused, and until when; empty where they are not. */
export function pausedWords(untilMs: number | undefined, text: Text, dates: Dates): string {
  const until = untilMs === undefined || untilMs === Infinity ? undefined : dates.inWords(untilMs);
  return untilMs === undefined ? '' : text.t('set.paused', { until });
}

function dayView(day: RunTotals, all: readonly Ranked[], text: Text): TasksView['day'] {
  const reports = all.map((row) => storedReport(row.input.lastFinished));
  const bytes = reports.reduce((sum, report) => sum + (report?.stored?.bytes ?? 0), 0);
  const files = reports.reduce((sum, report) => sum + (report?.stored?.files ?? report?.counts.listed ?? 0), 0);
  return {
    copied: text.bytes(day.bytes),
    files: text.number(day.files),
    runs: text.number(day.runs),
    failed: day.failed === 0 ? '' : text.t('dash.day-failed', { count: day.failed }),
    stored: bytes > 0 ? text.bytes(bytes) : text.t('count.files', { count: files }),
  };
}

function nextView(all: readonly Ranked[], dates: Dates): TasksView['next'] {
  const [first] = all.filter((row) => row.input.nextMs !== undefined).sort(ORDERS.next);
  if (first?.input.nextMs === undefined) return undefined;
  return { name: first.view.name, when: dates.inWords(first.input.nextMs) };
}
