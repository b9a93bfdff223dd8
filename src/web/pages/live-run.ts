import type { Text } from '../../text.ts';
import type { TaskActivity } from '../../tasks/task-runner.ts';
import type { Dates } from '../dates.ts';
import type { RunTrail } from '../live-hub.ts';
import { roughDuration } from './run-words.ts';

/** Before this much time in its stage, a rate says nothing about the rest. */
const ESTIMATE_AFTER_MS = 20_000;
/** A run in which nothing arrives for so long is said to be stalled. */
const STALLED_AFTER_MS = 30_000;

/** Stands for a number that there is none of. */
const NOTHING = '–';

/** The phases of a run as people see them; planning is part of looking at the site. */
export const PHASES = ['connect', 'scan', 'download', 'verify', 'finish'] as const;

const PHASE_OF_STAGE = {
  connecting: 0,
  scanning: 1,
  planning: 1,
  transferring: 2,
  verifying: 3,
  finishing: 4,
} as const;

/** The numbers of a run under way, in words. All strings may stand in a page as they are told; none is HTML. */
export interface LiveRunView {
  readonly phase: number;
  readonly isTransferring: boolean;
  /** Empty while there is no total. */
  readonly percent: string;
  /** 0 to 100; undefined while there is no total: an invented one would be a lie. */
  readonly progress: number | undefined;
  readonly headline: string;
  readonly left: string;
  /** The time alone, below a heading that says what it is. */
  readonly leftTime: string;
  readonly ends: string;
  readonly speed: string;
  readonly filesPerSecond: string;
  readonly elapsed: string;
  readonly connections: string;
  readonly failed: string;
  readonly retries: string;
  /** What looking at the site has found; empty before its end. */
  readonly scan: string;
  readonly stalled: string;
  /** TRANSFER_ROWS of them: a file stays in its row until it is there. */
  readonly transfers: readonly TransferView[];
  readonly transferCount: string;
  /** One line for the list of tasks. */
  readonly short: string;
}

/** One row of the files that arrive; without a name it is empty, and not shown. */
export interface TransferView {
  readonly folder: string;
  readonly name: string;
  readonly size: string;
  /** 0 to 100. */
  readonly share: number;
  readonly speed: string;
}

/** A run tells of at most so many files at once. */
export const TRANSFER_ROWS = 16;

export interface LiveRunInput {
  readonly activity: TaskActivity;
  readonly trail: RunTrail | undefined;
  readonly nowMs: number;
  /** Files of the site at the last run that saw all of it. */
  readonly filesLastTime: number | undefined;
}

export function buildLiveRun(input: LiveRunInput, text: Text, dates: Dates): LiveRunView {
  const { activity, trail, nowMs } = input;
  const { progress } = activity;
  const { t } = text;
  const stage = progress?.stage ?? 'connecting';
  const hasTotal = stage === 'transferring' || stage === 'verifying' || stage === 'finishing';
  const share = progress === undefined || !hasTotal ? undefined : shareDone(progress);
  const percent = share === undefined ? '' : t('pr.percent', { n: share });
  const leftMs = stage === 'transferring' ? honestLeftMs(progress, trail, nowMs) : undefined;
  const leftTime = leftMs === undefined ? undefined : roughDuration(leftMs, text);
  const about = leftTime === undefined ? undefined : t('pr.about', { x: leftTime });
  const elapsedMs = activity.startedMs === undefined ? 0 : Math.max(0, nowMs - activity.startedMs);
  const speed = progress?.bytesPerSecond ?? 0;
  return {
    phase: PHASE_OF_STAGE[stage],
    isTransferring: stage === 'transferring',
    percent,
    progress: share,
    headline: headline(input, text),
    left: about ?? (stage === 'transferring' ? t('pr.calc') : ''),
    leftTime: leftTime ?? NOTHING,
    ends: leftMs === undefined ? '' : t('pr.ends', { t: dates.clock(nowMs + leftMs) }),
    speed: stage === 'transferring' ? text.bytesPerSecond(speed) : NOTHING,
    filesPerSecond: stage === 'transferring' ? text.number(Math.round(trail?.filesPerSecond ?? 0)) : NOTHING,
    elapsed: elapsedMs < 10_000 ? roughDuration(elapsedMs, text) : text.duration(elapsedMs),
    connections: text.number(progress?.connections ?? 0),
    failed: text.number(progress?.filesFailed ?? 0),
    retries: text.number(progress?.retries ?? 0),
    scan: hasTotal ? scanWords(progress, text) : '',
    stalled: stalledWords(input, text),
    transfers: transferViews(progress, text),
    transferCount: text.t('td.transfer-count', { n: progress?.transfers.length ?? 0 }),
    short: shortLine(input, { percent, about }, text),
  };
}

function scanWords(progress: TaskActivity['progress'], text: Text): string {
  const { filesListed = 0, filesPlanned = 0 } = progress ?? {};
  return text.t('pr.scan', { count: filesListed, n: filesListed, copy: filesPlanned });
}

function transferViews(progress: TaskActivity['progress'], text: Text): TransferView[] {
  return Array.from({ length: TRANSFER_ROWS }, (_, slot) => {
    const transfer = progress?.transfers.find((one) => one.slot === slot);
    if (transfer === undefined) return NO_TRANSFER;
    const { path, sizeBytes, doneBytes, bytesPerSecond } = transfer;
    const cut = path.lastIndexOf('/') + 1;
    const share = sizeBytes === 0 ? 100 : Math.floor((doneBytes / sizeBytes) * 100);
    return {
      folder: path.slice(0, cut),
      name: path.slice(cut),
      size: text.bytes(sizeBytes),
      share: Math.max(0, Math.min(100, share)),
      speed: text.bytesPerSecond(bytesPerSecond),
    };
  });
}

const NO_TRANSFER: TransferView = { folder: '', name: '', size: '', share: 0, speed: '' };

/** The lesser of files and bytes, never 100 before the end. */
function shareDone(progress: NonNullable<TaskActivity['progress']>): number {
  const { filesPlanned, bytesPlanned, filesDone, filesFailed, bytesDone } = progress;
  const byFiles = filesPlanned === 0 ? 1 : (filesDone + filesFailed) / filesPlanned;
  const byBytes = bytesPlanned === 0 ? 1 : bytesDone / bytesPlanned;
  const share = Math.floor(Math.min(byFiles, byBytes) * 100);
  return Math.max(0, Math.min(progress.stage === 'finishing' ? 100 : 99, share));
}

function headline({ activity, filesLastTime }: LiveRunInput, text: Text): string {
  const { progress } = activity;
  const { t } = text;
  if (activity.phase === 'stopping') return t('pr.stopping');
  if (progress === undefined || progress.stage === 'connecting') return t('pr.connecting');
  switch (progress.stage) {
    case 'scanning':
      return t('pr.scanning', {
        count: progress.filesListed,
        n: progress.filesListed,
        last: filesLastTime === undefined ? undefined : text.number(filesLastTime),
      });
    case 'planning':
      return t('pr.planning', { count: progress.filesListed, n: progress.filesListed });
    case 'transferring':
    case 'finishing':
    case 'verifying':
      return t('pr.done', {
        count: progress.filesPlanned,
        files: text.number(progress.filesDone + progress.filesFailed),
        filesAll: text.number(progress.filesPlanned),
        bytes: text.bytes(progress.bytesDone),
        bytesAll: text.bytes(progress.bytesPlanned),
      });
  }
}

function shortLine(
  { activity }: LiveRunInput,
  words: { readonly percent: string; readonly about: string | undefined },
  text: Text,
): string {
  const { progress } = activity;
  if (activity.phase === 'stopping') return text.t('pr.short.stopping');
  if (words.percent !== '') return words.about === undefined ? words.percent : `${words.percent} · ${words.about}`;
  if (progress?.stage === 'scanning' || progress?.stage === 'planning') {
    return text.t('pr.short.scanning', { count: progress.filesListed, n: progress.filesListed });
  }
  return text.t('pr.short.connecting');
}

function stalledWords({ activity, trail, nowMs }: LiveRunInput, text: Text): string {
  const stage = activity.progress?.stage;
  if (trail === undefined || (stage !== 'scanning' && stage !== 'transferring')) return '';
  const silentMs = nowMs - trail.movedMs;
  // In steps of ten: a number that ticks says no more.
  return silentMs < STALLED_AFTER_MS ? '' : text.t('pr.stalled', { s: Math.floor(silentMs / 10_000) * 10 });
}

function honestLeftMs(
  progress: TaskActivity['progress'],
  trail: RunTrail | undefined,
  nowMs: number,
): number | undefined {
  if (progress?.secondsLeft === undefined || trail === undefined) return undefined;
  if (nowMs - trail.stageSinceMs < ESTIMATE_AFTER_MS) return undefined;
  return roundedLeftMs(progress.secondsLeft * 1000);
}

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

/** Up to whole minutes below an hour, five minutes below three, hours beyond: no more exact than it is known. */
export function roundedLeftMs(leftMs: number): number {
  const stepMs = leftMs < HOUR_MS ? MINUTE_MS : leftMs < 3 * HOUR_MS ? 5 * MINUTE_MS : HOUR_MS;
  return Math.max(MINUTE_MS, Math.ceil(leftMs / stepMs) * stepMs);
}
