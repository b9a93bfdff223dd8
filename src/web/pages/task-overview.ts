import type { RequestHandler } from 'express';
import { isBackupError } from '../../errors.ts';
import type { StoredTask } from '../../state/task-store.ts';
import { answerGone } from '../error-pages.ts';
import { liveHubOf } from '../live-hub.ts';
import { readLogPage } from '../log-reader.ts';
import type { LogLine } from '../log-reader.ts';
import type { PageContext } from '../page-context.ts';
import { pageOf } from '../page-context.ts';
import { render } from '../render.ts';
import type { Services } from '../services.ts';
import { idOf } from '../task-path.ts';
import { STRIP_RUNS } from './run-charts.ts';
import { buildOverview } from './task-overview-view.ts';
import type { OverviewView } from './task-overview-view.ts';
import { readTaskInput } from './task-reading.ts';
import { versionTotals } from './version-totals.ts';
import type { VersionTotals } from './version-totals.ts';

const LAST_RUNS = 5;
const WARNINGS_SHOWN = 5;

/** One task: is it safe, when next; or while it runs: how far, how fast, what is wrong. */
export function showTask(services: Services): RequestHandler {
  const hub = liveHubOf(services);
  return async (req, res) => {
    const task = services.tasks.get(idOf(req.params['id']) ?? 0);
    if (task === undefined) {
      await answerGone(req, res, 'task');
      return;
    }
    const page = pageOf(res);
    const sequence = hub.sequence;
    const view = await readOverview(services, task, page);
    const live = {
      topics: `task:${task.id}`,
      poll: `/tasks/${task.id}/live.json`,
      sequence,
      at: page.dates.clock(services.clock.nowMs()),
    };
    await render(
      res,
      'task-overview',
      { view, live, tab: 'overview' },
      { title: task.name, menu: 'tasks', scripts: ['live.js'] },
    );
  };
}

async function readOverview(services: Services, task: StoredTask, page: PageContext): Promise<OverviewView> {
  const { runs, scheduler, clock } = services;
  const marks = runs.marks(task.id, 0, STRIP_RUNS);
  const input = { ...readTaskInput(services, task, page.timeZone), marks };
  const runId = input.activity?.runId;
  return buildOverview(
    {
      task: input,
      dataMarks: marks,
      lastRuns: runs.list({ taskId: task.id }, LAST_RUNS),
      lastComplete: runs.lastComplete(task.id),
      versions: readableTotals(services, task, runId !== undefined),
      warnings: runId === undefined ? [] : await newestWarnings(services, runId, input.activity?.queuedMs ?? 0),
      pausedUntilMs: scheduler.pausedUntil(),
      nowMs: clock.nowMs(),
    },
    page.text,
    page.dates,
  );
}

/** A page must open although the database of its task cannot be read: its runs say so. */
function readableTotals(services: Services, { stateKey }: StoredTask, isRunning: boolean): VersionTotals | undefined {
  try {
    return versionTotals(services, stateKey, isRunning);
  } catch (error) {
    if (isBackupError(error)) return undefined;
    throw error;
  }
}

/** The report of a run comes with its end; until then the log has what went wrong. */
async function newestWarnings(services: Services, runId: number, sinceMs: number): Promise<readonly LogLine[]> {
  const filter = { runId, level: 'warn', sinceMs } as const;
  return (await readLogPage(services.logFile, filter, undefined, WARNINGS_SHOWN)).lines;
}
