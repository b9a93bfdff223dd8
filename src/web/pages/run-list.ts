import type { Request, RequestHandler } from 'express';
import type { StoredOutcome, StoredRun } from '../../state/run-store.ts';
import { csvLine, startCsv } from '../csv.ts';
import { answerGone } from '../error-pages.ts';
import { dayStartMs } from '../exact-times.ts';
import { liveHubOf } from '../live-hub.ts';
import { pageOf } from '../page-context.ts';
import type { PageContext } from '../page-context.ts';
import { askedText, pathWith } from '../query.ts';
import { render } from '../render.ts';
import type { Services } from '../services.ts';
import { storedReport } from '../stored-report.ts';
import { idOf, taskPath } from '../task-path.ts';
import { buildHappening, readHappenings } from './activity-rows.ts';
import { buildCalendar } from './run-calendar.ts';
import { buildRunRow } from './run-row.ts';
import { buildTaskHead } from './task-overview-view.ts';
import { readTaskInput } from './task-reading.ts';

/** Runs on one page. */
export const RUNS_PAGE = 50;
const DAY_MS = 24 * 60 * 60_000;
const CALENDAR_DAYS = 30;
const CALENDAR_RUNS_MAX = 30 * 24;

const STATE_FILTERS: Readonly<Record<string, readonly StoredOutcome[]>> = {
  ok: ['complete'],
  partial: ['incomplete'],
  failed: ['failed', 'held'],
  stopped: ['cancelled', 'interrupted'],
};

const STATE_WORDS: Readonly<Record<string, string>> = {
  ok: 'st.ok',
  partial: 'st.partial',
  failed: 'st.failed',
  stopped: 'hist.stopped',
};

/** History of one task. */
export function showTaskRuns(services: Services): RequestHandler {
  return async (req, res) => {
    const task = services.tasks.get(idOf(req.params['id']) ?? 0);
    if (task === undefined) {
      await answerGone(req, res, 'task');
      return;
    }
    const page = pageOf(res);
    const { text, dates } = page;
    const path = `${taskPath(task)}/runs`;
    const filter = runFilter(req, page);
    const beforeId = idOf(req.query['after']);
    const runs = services.runs.list({ ...filter, taskId: task.id, beforeId }, RUNS_PAGE + 1);
    const nowMs = services.clock.nowMs();
    const marks = services.runs.marks(task.id, nowMs - (CALENDAR_DAYS - 1) * DAY_MS, CALENDAR_RUNS_MAX);
    const view = {
      head: buildTaskHead(readTaskInput(services, task, page.timeZone), text),
      rows: runs.slice(0, RUNS_PAGE).map((run) => buildRunRow(run, text)),
      chips: stateChips(req, page, path),
      calendar: buildCalendar(marks, { nowMs, days: CALENDAR_DAYS, path }, text, dates),
      day: filter.day,
      clearPath: path,
      newest: beforeId === undefined ? undefined : pathWith(path, { ...kept(req) }),
      older: runs.length > RUNS_PAGE ? pathWith(path, { ...kept(req), after: runs[RUNS_PAGE - 1]?.id }) : undefined,
      csv: pathWith(`/tasks/${task.id}/runs.csv`, kept(req)),
    };
    const live = liveOf(services, `task:${task.id}`, `/tasks/${task.id}/live.json`, page);
    await render(
      res,
      'task-runs',
      { view, live, tab: 'history' },
      { title: `${text.t('tab.history')} – ${task.name}`, menu: 'tasks', scripts: ['live.js'] },
    );
  };
}

/** Activity: what ran and what was done, in all tasks. */
export function showActivity(services: Services): RequestHandler {
  return async (req, res) => {
    const page = pageOf(res);
    const { text } = page;
    const kind = KINDS.find((known) => known === askedText(req, 'kind'));
    const hasState = Object.hasOwn(STATE_FILTERS, askedText(req, 'state'));
    const filter = { ...runFilter(req, page), kind: hasState ? ('runs' as const) : kind };
    const taskId = idOf(req.query['task']);
    const cursor = parseCursor(askedText(req, 'after'));
    const { happenings, next } = readHappenings(
      services,
      { ...filter, taskId, kind: taskId === undefined ? filter.kind : 'runs' },
      cursor ?? { runId: undefined, deedId: undefined },
      RUNS_PAGE,
    );
    const rest = { ...kept(req), kind: kind ?? '', task: taskId };
    const view = {
      rows: happenings.map((happening) => ({
        ...buildHappening(happening, text, page.dates),
        run: happening.kind === 'run' ? buildRunRow(happening.run, text) : undefined,
      })),
      kinds: [undefined, ...KINDS].map((known) => ({
        words: text.t(`activity-kind.${known ?? 'all'}`),
        path: pathWith('/runs', { kind: known ?? '', task: taskId }),
        isCurrent: known === kind && !hasState,
      })),
      states: stateChips(req, page, '/runs').slice(1),
      newest: cursor === undefined ? undefined : pathWith('/runs', rest),
      older:
        next === undefined
          ? undefined
          : pathWith('/runs', { ...rest, after: `${next.runId ?? ''}.${next.deedId ?? ''}` }),
    };
    const live = liveOf(services, 'tasks', '/tasks/live.json', page);
    await render(
      res,
      'activity',
      { view, live },
      { title: text.t('nav.activity'), menu: 'activity', scripts: ['live.js'] },
    );
  };
}

/** The runs of a task as a table for other programs. */
export function downloadTaskRuns(services: Services): RequestHandler {
  return async (req, res) => {
    const task = services.tasks.get(idOf(req.params['id']) ?? 0);
    if (task === undefined) {
      await answerGone(req, res, 'task');
      return;
    }
    const page = pageOf(res);
    const { t } = page.text;
    startCsv(res, `${taskPath(task).slice(1).replaceAll('/', '-')}-runs.csv`);
    const names = ['run.start', 'run.seconds', 'col.result', 'run.new', 'run.changed', 'run.gone', 'run.notcopied'];
    res.write(csvLine([...names, 'run.bytes', 'run.trigger'].map((key) => t(key))));
    const filter = runFilter(req, page);
    for (let beforeId: number | undefined; ;) {
      const runs = services.runs.list({ ...filter, taskId: task.id, beforeId }, RUNS_PAGE);
      for (const run of runs) res.write(csvLine(runColumns(run, page)));
      beforeId = runs.at(-1)?.id;
      if (runs.length < RUNS_PAGE || res.destroyed) break;
      // Other requests come between two pages.
      await new Promise(setImmediate);
    }
    res.end();
  };
}

function runColumns(run: StoredRun, page: PageContext): (string | number)[] {
  const row = buildRunRow(run, page.text);
  const report = storedReport(run);
  return [
    new Date(row.startedMs).toISOString(),
    run.startedMs === undefined || run.endedMs === undefined ? '' : Math.round((run.endedMs - run.startedMs) / 1000),
    row.pill.words,
    report?.counts.new ?? '',
    report?.counts.changed ?? '',
    report?.counts.vanished ?? '',
    report?.failureCount ?? '',
    report?.bytes ?? '',
    row.by,
  ];
}

const KINDS = ['runs', 'deeds'] as const;

/** `state`, and `day` in the zone of the pages. What makes no sense is left out. */
function runFilter(
  req: Request,
  page: PageContext,
): { outcomes: readonly StoredOutcome[] | undefined; sinceMs?: number; untilMs?: number; day: string } {
  const state = askedText(req, 'state');
  const outcomes = Object.hasOwn(STATE_FILTERS, state) ? STATE_FILTERS[state] : undefined;
  const day = askedText(req, 'day');
  const midnightMs = dayStartMs(day, page.timeZone);
  if (midnightMs === undefined) return { outcomes, day: '' };
  const untilMs = dayStartMs(day, page.timeZone, 1) ?? midnightMs;
  return { outcomes, sinceMs: midnightMs, untilMs, day: page.dates.day(midnightMs) };
}

function kept(req: Request): Record<string, string> {
  return { state: askedText(req, 'state'), day: askedText(req, 'day') };
}

function stateChips(
  req: Request,
  page: PageContext,
  path: string,
): { words: string; path: string; isCurrent: boolean }[] {
  const current = askedText(req, 'state');
  const day = askedText(req, 'day');
  const all = {
    words: page.t('dash.all'),
    path: pathWith(path, { day }),
    isCurrent: !Object.hasOwn(STATE_FILTERS, current),
  };
  const others = Object.keys(STATE_FILTERS).map((state) => ({
    words: page.t(STATE_WORDS[state] ?? ''),
    path: pathWith(path, { state, day }),
    isCurrent: state === current,
  }));
  return [all, ...others];
}

function parseCursor(text: string): { runId: number | undefined; deedId: number | undefined } | undefined {
  const match = /^(\d{0,15})\.(\d{0,15})$/.exec(text);
  return match === null ? undefined : { runId: idOf(match[1]), deedId: idOf(match[2]) };
}

/** What live.js needs to keep the page right. */
export function liveOf(
  services: Services,
  topics: string,
  poll: string,
  page: PageContext,
): { topics: string; poll: string; sequence: string; at: string } {
  return { topics, poll, sequence: liveHubOf(services).sequence, at: page.dates.clock(services.clock.nowMs()) };
}
