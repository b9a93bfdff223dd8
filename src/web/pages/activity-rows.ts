import type { Activity, ActivityStore } from '../../state/activity-store.ts';
import type { RunStore, StoredRun } from '../../state/run-store.ts';
import type { Text } from '../../text.ts';
import type { Dates } from '../dates.ts';
import { storedReport } from '../stored-report.ts';
import { resultWords, starterWords } from './run-words.ts';
import { STATE_LOOKS, outcomeState } from './task-state.ts';
import type { Tone } from './task-state.ts';

/** What happened: a run, or something that was done. */
export type Happening =
  | { readonly kind: 'run'; readonly atMs: number; readonly run: StoredRun }
  | { readonly kind: 'deed'; readonly atMs: number; readonly deed: Activity };

/** Where the next page begins: below these numbers. */
export interface HappeningCursor {
  readonly runId: number | undefined;
  readonly deedId: number | undefined;
}

/** Runs and deeds together, newest first. Reads at most `limit` + 1 of each, wherever the cursor stands. */
export function readHappenings(
  stores: { readonly runs: Pick<RunStore, 'list'>; readonly activity: Pick<ActivityStore, 'list'> },
  filter: Parameters<RunStore['list']>[0] & { readonly kind?: 'runs' | 'deeds' | undefined },
  cursor: HappeningCursor,
  limit: number,
): { readonly happenings: readonly Happening[]; readonly next: HappeningCursor | undefined } {
  const runs = filter.kind === 'deeds' ? [] : stores.runs.list({ ...filter, beforeId: cursor.runId }, limit + 1);
  const deeds = filter.kind === 'runs' ? [] : stores.activity.list(cursor.deedId, limit + 1);
  const happenings: Happening[] = [];
  let runsTaken = 0;
  let deedsTaken = 0;
  // Each list keeps its own order, so that the next page begins exactly below, even where the clock was set back.
  while (happenings.length < limit) {
    const run = runs[runsTaken];
    const deed = deeds[deedsTaken];
    if (run !== undefined && (deed === undefined || run.queuedMs >= deed.atMs)) {
      happenings.push({ kind: 'run', atMs: run.startedMs ?? run.queuedMs, run });
      runsTaken++;
    } else if (deed !== undefined) {
      happenings.push({ kind: 'deed', atMs: deed.atMs, deed });
      deedsTaken++;
    } else break;
  }
  const hasMore = runsTaken < runs.length || deedsTaken < deeds.length;
  const next = {
    runId: runs[runsTaken - 1]?.id ?? cursor.runId,
    deedId: deeds[deedsTaken - 1]?.id ?? cursor.deedId,
  };
  return { happenings, next: hasMore ? next : undefined };
}

export interface HappeningView {
  readonly atMs: number;
  readonly icon: string;
  readonly tone: Tone;
  readonly stateWords: string;
  /** The task; a deed's words name it themselves. */
  readonly subject: string;
  readonly words: string;
  readonly by: string;
  /** Below the base path; empty where there is nothing more to see. */
  readonly path: string;
}

export function buildHappening(happening: Happening, text: Text, dates: Pick<Dates, 'when'>): HappeningView {
  if (happening.kind === 'deed') return deedView(happening.deed, text, dates);
  const { run } = happening;
  const state = outcomeState(run.outcome);
  const { icon, tone } = STATE_LOOKS[state];
  const stateWords = text.t(`st.${state}`);
  const result = resultWords(run, storedReport(run), text);
  return {
    atMs: happening.atMs,
    icon,
    tone,
    stateWords: run.cause === 'simulation' ? text.t('run.simulated', { state: stateWords }) : stateWords,
    subject: run.taskName,
    words: result,
    by: starterWords(run, text),
    path: `/runs/${run.id}`,
  };
}

function deedView(deed: Activity, text: Text, dates: Pick<Dates, 'when'>): HappeningView {
  const { actor, action, subject } = deed;
  const detail = detailWords(deed, text, dates);
  return {
    atMs: deed.atMs,
    icon: DEED_ICONS.find(([pattern]) => pattern.test(action))?.[1] ?? 'settings',
    tone: 'idle',
    stateWords: '',
    subject: '',
    words: text.t(`activity.${action}`, { actor, subject, detail }),
    by: actor ?? text.t('run.byService'),
    path: '',
  };
}

/** Deeds whose detail is the start of a run, in ms since 1970: today is yesterday tomorrow. */
const VERSION_DEEDS: ReadonlySet<string> = new Set(['version-pinned', 'version-unpinned', 'version-deleted']);

/** In the language and at the time of who reads, not of who did it. Earlier versions stored words. */
function detailWords({ action, detail }: Activity, text: Text, dates: Pick<Dates, 'when'>): string | undefined {
  if (detail === undefined) return undefined;
  if (action === 'settings-changed') return text.t(detail);
  return VERSION_DEEDS.has(action) && /^\d+$/.test(detail) ? dates.when(Number(detail)) : detail;
}

const DEED_ICONS: readonly (readonly [RegExp, string])[] = [
  [/sign|password|account|session|set-?up/, 'account'],
  [/delete|remove/, 'delete'],
  [/pause/, 'pause'],
  [/stopped/, 'stop'],
  [/task|create|edit|change/, 'edit'],
];
