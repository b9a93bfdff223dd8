import type { Request, RequestHandler } from 'express';
import { liveHubOf } from '../live-hub.ts';
import { pageOf } from '../page-context.ts';
import { render } from '../render.ts';
import type { Services } from '../services.ts';
import { readHappenings } from './activity-rows.ts';
import { STRIP_RUNS } from './run-charts.ts';
import { readTaskInput } from './task-reading.ts';
import { FILTERS, SORTS, buildTasksView } from './tasks-view.ts';
import type { TasksQuery } from './tasks-view.ts';
import { wizardPath } from './wizard-draft.ts';

const HAPPENINGS_SHOWN = 4;
const DAY_MS = 24 * 60 * 60_000;
const WORDS_LENGTH_MAX = 200;

/** The home page: which sites need me? */
export function showTasks(services: Services): RequestHandler {
  const hub = liveHubOf(services);
  return async (req, res) => {
    const page = pageOf(res);
    const nowMs = services.clock.nowMs();
    const sequence = hub.sequence;
    const marks = services.runs.marksOfTasks(STRIP_RUNS);
    const tasks = services.tasks.list().map((task) => ({
      ...readTaskInput(services, task, page.timeZone),
      marks: marks.get(task.id) ?? [],
    }));
    const { happenings } = readHappenings(services, {}, { runId: undefined, deedId: undefined }, HAPPENINGS_SHOWN);
    const day = services.runs.totalsSince(nowMs - DAY_MS);
    const pausedUntilMs = services.scheduler.pausedUntil();
    const input = { tasks, query: tasksQuery(req), happenings, day, pausedUntilMs, nowMs };
    const view = buildTasksView(input, page.text, page.dates);
    const live = { topics: 'tasks', poll: '/tasks/live.json', sequence, at: page.dates.clock(nowMs) };
    const draft = services.drafts.latest(nowMs);
    const draftPath = draft === undefined ? '' : wizardPath(draft.id, 'connection');
    await render(
      res,
      'tasks',
      { view, live, draftPath },
      { title: page.t('dash.title'), menu: 'tasks', scripts: ['live.js', 'tasks.js'] },
    );
  };
}

/** What the URL asks for. Values that make no sense are left out. */
export function tasksQuery(req: Request): TasksQuery {
  const asked = (name: string): string => {
    const value = req.query[name];
    return typeof value === 'string' ? value : '';
  };
  const sort = asked('sort');
  return {
    filter: FILTERS.find((filter) => filter === asked('state')) ?? 'all',
    words: asked('q').slice(0, WORDS_LENGTH_MAX),
    sort: SORTS.find((known) => known === sort.replace(/^-/, '')) ?? 'status',
    isReversed: sort.startsWith('-'),
    page: /^[1-9]\d{0,4}$/.test(asked('page')) ? Number(asked('page')) : 1,
  };
}
