import { asErrorCode } from '../../errors.ts';
import { certificateRows } from '../../settings/certificate-words.ts';
import type { CertificateRow } from '../../settings/certificate-words.ts';
import type { HistoryEvent } from '../../state/run-history.ts';
import type { StoredRun } from '../../state/run-store.ts';
import type { Text } from '../../text.ts';
import type { Dates } from '../dates.ts';
import { errorWords } from '../error-words.ts';
import { headingWords, secondsWords } from '../exact-times.ts';
import type { LogLine } from '../log-reader.ts';
import { pathWith } from '../query.ts';
import { storedReport } from '../stored-report.ts';
import { historyPath } from '../task-path.ts';
import { buildLogLine } from './log-words.ts';
import type { LogLineView } from './log-words.ts';
import { startedByWords, tookMs } from './run-words.ts';
import { STATE_LOOKS, outcomeState } from './task-state.ts';
import { CONNECTION_CODES } from './tasks-view.ts';
import type { PillView } from './tasks-view.ts';

export const RUN_TABS = ['errors', 'files', 'log'] as const;
export type RunTab = (typeof RUN_TABS)[number];

/** What the Files tab can be narrowed to. */
export const FILE_KINDS = ['new', 'changed', 'vanished', 'retired'] as const;
export type FileKind = (typeof FILE_KINDS)[number];

/** Failures of one cause: its number, and the first or the asked-for page of it. */
export interface CauseInput {
  readonly code: string;
  readonly count: number;
  readonly events: readonly HistoryEvent[];
  readonly hasMore: boolean;
}

export interface RunInput {
  readonly run: StoredRun;
  /** Below the base path; undefined where the task was deleted. */
  readonly taskPath: string | undefined;
  /** The run whose tree this run has left; undefined where that is not kept. */
  readonly versionRun: number | undefined;
  /** It is held, and the question is open. */
  readonly needsDecision: boolean;
  readonly tab: RunTab;
  readonly newerId: number | undefined;
  readonly olderId: number | undefined;
  readonly causes: readonly CauseInput[];
  /** The one cause that is being read page by page. */
  readonly shownCause: string | undefined;
  readonly notices: readonly {
    readonly code: string;
    readonly count: number;
    readonly events: readonly HistoryEvent[];
  }[];
  readonly files: {
    readonly events: readonly HistoryEvent[];
    readonly kinds: readonly { readonly code: string; readonly count: number }[];
    readonly kind: FileKind | undefined;
    readonly words: string;
    readonly hasMore: boolean;
  };
  readonly log: { readonly lines: readonly LogLine[]; readonly next: string | undefined };
  /** False where the run's own notes are not there any more, or never were. */
  readonly hasNotes: boolean;
  readonly nowMs: number;
}

export interface FileView {
  readonly folder: string;
  readonly base: string;
  readonly detail: string;
  readonly size: string;
  readonly time: string;
  readonly kind: string;
  /** Every content that it has had; undefined where that is not told. */
  readonly historyPath?: string;
}

export interface RunDetailView {
  readonly id: number;
  readonly heading: string;
  readonly pill: PillView;
  readonly taskName: string;
  readonly taskPath: string | undefined;
  /** The site as this run has left it; undefined where that is not kept. */
  readonly versionPath: string | undefined;
  readonly isOpen: boolean;
  readonly isSimulation: boolean;
  readonly newer: string | undefined;
  readonly older: string | undefined;
  readonly figures: readonly { readonly name: string; readonly value: string; readonly look: string }[];
  readonly facts: readonly string[];
  /** Empty where the run has no certificate. */
  readonly certificate: readonly CertificateRow[];
  readonly trouble:
    | {
        readonly tone: 'err' | 'warn';
        readonly cause: string;
        readonly action: string;
        readonly detail: string;
        readonly help: string;
        /** Where it is decided; undefined where nothing waits for that. */
        readonly decisionPath: string | undefined;
        /** Where the connection is put right, where that is what was wrong. */
        readonly connectionPath: string | undefined;
      }
    | undefined;
  readonly tabs: readonly {
    readonly words: string;
    readonly path: string;
    readonly count: string;
    readonly isErr: boolean;
    readonly isCurrent: boolean;
  }[];
  readonly tab: RunTab;
  readonly groups: readonly CauseView[];
  readonly notices: readonly { readonly words: string; readonly count: string; readonly files: readonly FileView[] }[];
  readonly quiet: string;
  readonly isSafe: boolean;
  readonly csv: string;
  readonly files: readonly FileView[];
  readonly fileChips: readonly {
    readonly words: string;
    readonly path: string;
    readonly count: string;
    readonly isCurrent: boolean;
  }[];
  readonly fileWords: string;
  readonly fileKind: string;
  readonly filesOlder: string | undefined;
  readonly lines: readonly LogLineView[];
  readonly linesOlder: string | undefined;
}

export interface CauseView {
  readonly tone: 'err' | 'warn';
  readonly icon: string;
  readonly cause: string;
  readonly count: string;
  readonly action: string;
  readonly help: string;
  /** Where the files can be left out; undefined where that is no answer. */
  readonly fixPath: string | undefined;
  /** The raw word of the server or system, where all files shown have the same. */
  readonly detail: string;
  readonly files: readonly FileView[];
  readonly more: { readonly path: string; readonly words: string } | undefined;
  readonly back: string | undefined;
}

export function buildRunDetail(input: RunInput, text: Text, dates: Dates): RunDetailView {
  const { run, tab } = input;
  const { t } = text;
  const state = outcomeState(run.outcome);
  const { tone, icon } = STATE_LOOKS[state];
  const report = storedReport(run);
  const failures = report?.failureCount ?? input.causes.reduce((sum, cause) => sum + cause.count, 0);
  const path = `/runs/${run.id}`;
  const isOpen = run.outcome === 'running' || run.outcome === 'queued';
  const fileCount = input.files.kinds.reduce((sum, kind) => sum + kind.count, 0);
  const cause = report?.cause;
  return {
    id: run.id,
    heading: headingWords(run.startedMs ?? run.queuedMs, text.language, dates.timeZone),
    pill: { state, tone, icon, words: t(`st.${state}`) },
    taskName: run.taskName,
    taskPath: input.taskPath,
    versionPath:
      input.taskPath === undefined || input.versionRun === undefined
        ? undefined
        : `${input.taskPath}/versions/${input.versionRun}`,
    isOpen,
    isSimulation: run.cause === 'simulation',
    newer: input.newerId === undefined ? undefined : `/runs/${input.newerId}`,
    older: input.olderId === undefined ? undefined : `/runs/${input.olderId}`,
    figures: figures(report, text),
    facts: facts(input, text, dates),
    certificate: report?.certificate === undefined ? [] : certificateRows(report.certificate, text),
    trouble:
      cause === undefined
        ? undefined
        : {
            ...words(errorWords(text, cause.code, cause.facts)),
            detail: cause.detail ?? '',
            help: helpPath(cause.code),
            tone: run.outcome === 'failed' ? 'err' : 'warn',
            decisionPath:
              input.needsDecision && input.taskPath !== undefined ? `${input.taskPath}/decision` : undefined,
            connectionPath: CONNECTION_CODES.has(cause.code) ? editPath(input, 'conn') : undefined,
          },
    tabs: RUN_TABS.map((known) => ({
      words: t(`run.${known}`),
      path: pathWith(path, { tab: known === 'errors' ? '' : known }),
      count:
        known === 'errors' ? text.number(failures) : known === 'files' && fileCount > 0 ? text.number(fileCount) : '',
      isErr: known === 'errors' && failures > 0,
      isCurrent: known === tab,
    })),
    tab,
    groups: input.causes.map((group) => causeView(group, input, text, dates)),
    notices: input.notices.map((notice) => ({
      words: t(`notice.${notice.code}`),
      // A notice without a path is about the run, not about a file.
      count: notice.events.some(({ path }) => path !== undefined) ? t('count.files', { count: notice.count }) : '',
      files: notice.events.map((event) => fileView(event, text, dates)),
    })),
    quiet: quietWords(input, failures, text),
    isSafe: failures > 0,
    csv: failures > 0 && input.hasNotes ? `${path}/errors.csv` : '',
    files: input.files.events.map((event) => ({
      ...fileView(event, text, dates),
      ...(event.path === undefined || input.taskPath === undefined
        ? {}
        : { historyPath: historyPath(run.taskId, Buffer.from(event.path, 'utf8').toString('latin1')) }),
    })),
    fileChips: fileChips(input, path, text),
    fileWords: input.files.words,
    fileKind: input.files.kind ?? '',
    filesOlder: input.files.hasMore
      ? pathWith(path, {
          tab: 'files',
          kind: input.files.kind,
          q: input.files.words,
          after: input.files.events.at(-1)?.id,
        })
      : undefined,
    lines: input.log.lines.map((line) => buildLogLine(line, new Map(), text, dates)),
    linesOlder: input.log.next === undefined ? undefined : pathWith(path, { tab: 'log', after: input.log.next }),
  };
}

const words = ({ cause, action }: { cause: string; action: string }): { cause: string; action: string } => ({
  cause,
  action,
});

/** A section of the edit page; undefined where the task was deleted. */
const editPath = ({ taskPath }: RunInput, section: string): string | undefined =>
  taskPath === undefined ? undefined : `${taskPath}/edit#${section}`;

const helpPath = (code: string): string => `/help#error-${code}`;

function figures(report: ReturnType<typeof storedReport>, text: Text): RunDetailView['figures'] {
  if (report === undefined) return [];
  const figure = (key: string, count: number, look = ''): RunDetailView['figures'][number] => ({
    name: text.t(key),
    value: text.number(count),
    look: count === 0 ? 'muted' : look,
  });
  return [
    figure('run.new', report.counts.new),
    figure('run.changed', report.counts.changed),
    figure('run.gone', report.counts.vanished),
    figure('run.notcopied', report.failureCount, 't-warn'),
    figure('run.same', report.counts.unchanged),
    { name: text.t('run.copied'), value: text.bytes(report.bytes), look: report.bytes === 0 ? 'muted' : '' },
  ];
}

function facts({ run }: RunInput, text: Text, dates: Dates): string[] {
  const report = storedReport(run);
  const took = tookMs(run);
  const rows = [
    run.startedMs === undefined
      ? ''
      : text.t('run.fact.start', { time: secondsWords(run.startedMs, text.language, dates.timeZone) }),
    took === undefined ? '' : text.t('run.fact.duration', { x: text.duration(took) }),
    report === undefined || took === undefined || took < 1000 || report.bytes === 0
      ? ''
      : text.t('run.fact.speed', { x: text.bytesPerSecond((report.bytes * 1000) / took) }),
    report === undefined || report.foldersIncomplete === 0
      ? ''
      : text.t('run.fact.folders', { count: report.foldersIncomplete }),
    startedByWords(run, text),
    text.t('run.title', { n: run.id }),
    text.t('log.zone', { zone: dates.timeZone }),
  ];
  return rows.filter((row) => row !== '');
}

function causeView(group: CauseInput, input: RunInput, text: Text, dates: Dates): CauseView {
  const code = asErrorCode(group.code);
  const path = `/runs/${input.run.id}`;
  const isShown = input.shownCause === group.code;
  const next = pathWith(path, { cause: group.code, after: isShown ? group.events.at(-1)?.id : '' });
  const left = group.count - group.events.length;
  const [first] = group.events;
  const isShared = group.events.every((event) => event.detail === first?.detail);
  return {
    tone: QUIET_CODES.has(code) ? 'warn' : 'err',
    icon: QUIET_CODES.has(code) ? 'warning' : 'error',
    ...errorWords(text, code),
    count: text.t(FOLDER_CODES.has(code) ? 'count.folders' : 'count.files', { count: group.count }),
    help: helpPath(code),
    fixPath: FILTER_CODES.has(code) ? editPath(input, 'what') : undefined,
    detail: isShared ? (first?.detail ?? '') : '',
    files: group.events.map((event) => ({
      ...fileView(event, text, dates),
      ...(isShared ? { detail: '' } : {}),
    })),
    more: !group.hasMore
      ? undefined
      : { path: next, words: isShown ? text.t('list.next') : text.t('run.other', { count: left }) },
    back: isShown ? path : undefined,
  };
}

/** Causes that mostly go by themselves at the next run. */
const QUIET_CODES: ReadonlySet<string> = new Set([
  'file-vanished',
  'changed-meanwhile',
  'size-mismatch',
  'transfer-aborted',
  'connection-lost',
  'timed-out',
  'server-busy',
]);

/** Causes that stay at every run unless the file or folder is left out, or the site is changed. */
const FILTER_CODES: ReadonlySet<string> = new Set([
  'permission-denied',
  'changed-meanwhile',
  'name-unusable',
  'listing-refused',
  'folder-loop',
  'folder-too-deep',
]);

const FOLDER_CODES: ReadonlySet<string> = new Set([
  'listing-refused',
  'listing-aborted',
  'listing-truncated',
  'listing-unparsed',
  'listing-suspiciously-empty',
  'folder-loop',
  'folder-too-deep',
]);

function fileView(event: HistoryEvent, text: Text, dates: Dates): FileView {
  const path = event.path ?? '';
  const cut = path.lastIndexOf('/', path.length - 2) + 1;
  return {
    folder: path.slice(0, cut).replace(/^\//, ''),
    base: path.slice(cut) === '' ? '/' : path.slice(cut),
    detail: event.detail ?? '',
    size: event.sizeBytes === undefined ? '' : text.bytes(event.sizeBytes),
    time: secondsWords(event.atMs, text.language, dates.timeZone),
    kind: FILE_KINDS.includes(event.code as FileKind) ? text.t(`file.${event.code}`) : '',
  };
}

function fileChips(input: RunInput, path: string, text: Text): RunDetailView['fileChips'] {
  const { kinds, kind: current, words: q } = input.files;
  return [undefined, ...FILE_KINDS].map((kind) => ({
    words: text.t(kind === undefined ? 'dash.all' : `file.${kind}`),
    path: pathWith(path, { tab: 'files', kind, q }),
    count: text.number(
      kinds.filter(({ code }) => kind === undefined || code === kind).reduce((sum, { count }) => sum + count, 0),
    ),
    isCurrent: kind === current,
  }));
}

/** What stands there instead of a list of errors. */
function quietWords({ run, causes }: RunInput, failures: number, text: Text): string {
  if (causes.length > 0) return '';
  if (run.outcome === 'running') return text.t('run.quiet.running');
  if (run.outcome === 'queued') return text.t('run.quiet.queued');
  if (failures > 0) return text.t(run.cause === 'simulation' ? 'run.quiet.simulation' : 'run.quiet.lost');
  const report = storedReport(run);
  if (run.outcome === 'held') return text.t('run.quiet.held');
  if (run.outcome === 'failed' && report?.cause !== undefined) return text.t('run.quiet.failed');
  if (run.outcome !== 'complete' || report === undefined) return text.t('td.noerrors');
  if (run.cause === 'simulation') return text.t('run.quiet.simulated');
  const copied = report.counts.downloaded;
  return copied === 0 ? text.t('run.quiet.same') : text.t('run.quiet.copied', { count: copied });
}
