import type { RequestHandler } from 'express';
import { isBackupError } from '../../errors.ts';
import { openPastReading } from '../../state/past-reading.ts';
import { RestorePoints } from '../../state/restore-points.ts';
import type { RestorePoint } from '../../state/restore-points.ts';
import { openTaskDatabase } from '../../state/task-database.ts';
import type { StoredTask } from '../../state/task-store.ts';
import type { Text } from '../../text.ts';
import { flash } from '../flash.ts';
import { formOf } from '../form.ts';
import { pageOf } from '../page-context.ts';
import { pathWith } from '../query.ts';
import { redirect } from '../redirect.ts';
import { render } from '../render.ts';
import type { Services } from '../services.ts';
import { storedReport } from '../stored-report.ts';
import { idOf, taskPath } from '../task-path.ts';
import { taskOf } from './edit-task.ts';
import { keepWords } from './keep-words.ts';
import { noteActivity } from './note-activity.ts';
import { buildTaskHead } from './task-overview-view.ts';
import type { TaskHeadView } from './task-overview-view.ts';
import { readTaskInput } from './task-reading.ts';
import { versionTotals } from './version-totals.ts';

/** Versions on one page. */
const VERSIONS_PAGE = 50;

interface VersionRow {
  readonly runId: number;
  readonly atMs: number;
  readonly path: string;
  /** Empty for a complete run. */
  readonly note: string;
  readonly isLatest: boolean;
  readonly isPinned: boolean;
  readonly fresh: string;
  readonly changed: string;
  readonly gone: string;
  readonly data: string;
  /** undefined where the run's page is no longer there. */
  readonly runPath: string | undefined;
  readonly runWords: string;
  readonly pinPath: string;
  /** undefined where it may not be deleted. */
  readonly deletePath: string | undefined;
}

interface VersionsView {
  readonly head: TaskHeadView;
  readonly rows: readonly VersionRow[];
  readonly stored: string;
  readonly rules: readonly string[];
  readonly rulesPath: string;
  /** What this page begins after, so that a form leads back to it; empty on the first one. */
  readonly after: string;
  readonly newest: string | undefined;
  readonly older: string | undefined;
}

/** The versions of a task that can be gone back to, the newest first. */
export function showVersions(services: Services): RequestHandler {
  return async (req, res) => {
    const task = await taskOf(services, req, res);
    if (task === undefined) return;
    const page = pageOf(res);
    const { text } = page;
    const before = idOf(req.query['after']);
    const { points, latest } = readVersions(services, task, before);
    const stored = versionTotals(services, task.stateKey, services.runner.activity(task.id) !== undefined);
    const path = `${taskPath(task)}/versions`;
    const runIds = services.runs.idsOfLocal(
      task.id,
      points.map(({ runId }) => runId),
    );
    const view: VersionsView = {
      head: buildTaskHead(readTaskInput(services, task, page.timeZone), text),
      rows: points
        .slice(0, VERSIONS_PAGE)
        .map((point) => versionRow(point, path, { latest, runPageId: runIds.get(point.runId) }, text)),
      stored:
        stored.files === 0
          ? ''
          : text.t('vs.stored', {
              files: text.t('count.files', { count: stored.files }),
              size: text.bytes(stored.bytes),
            }),
      rules: task.settings === undefined ? [] : keepWords(task.settings, text),
      rulesPath: `${taskPath(task)}/edit#keep`,
      after: before === undefined ? '' : String(before),
      newest: before === undefined ? undefined : path,
      older: points.length > VERSIONS_PAGE ? pathWith(path, { after: points[VERSIONS_PAGE - 1]?.runId }) : undefined,
    };
    await render(
      res,
      'versions',
      { view, tab: 'versions' },
      { title: `${text.t('tab.versions')} – ${task.name}`, menu: 'tasks' },
    );
  };
}

/** Keeps a version whatever the rules say, or lets it go by them again. */
export function pinVersion(services: Services): RequestHandler {
  return async (req, res) => {
    const task = await taskOf(services, req, res);
    if (task === undefined) return;
    const { dates, account } = pageOf(res);
    const form = formOf(req);
    const isPinned = form.text('pinned') === 'yes';
    const runId = idOf(req.params['run']) ?? 0;
    const point = setPinned(services, task, runId, isPinned);
    if (typeof point === 'string') {
      flash(res, 'warn', `vs.pin.${point}`);
    } else {
      const what = isPinned ? 'version-pinned' : 'version-unpinned';
      noteActivity(services, account, what, task.name, String(point.startedMs));
      flash(res, 'ok', isPinned ? 'ok.pinned' : 'ok.unpinned', { when: dates.when(point.startedMs) });
    }
    redirect(res, pathWith(`${taskPath(task)}/versions`, { after: idOf(form.text('after')) }));
  };
}

/** `busy`: a run is under way, and what it counts on may not change. `gone`: there is no such version any more. */
function setPinned(
  { stateDir }: Services,
  { stateKey }: StoredTask,
  runId: number,
  isPinned: boolean,
): RestorePoint | 'busy' | 'gone' {
  let database: ReturnType<typeof openTaskDatabase>;
  try {
    database = openTaskDatabase(stateDir, stateKey);
  } catch (error) {
    if (isBackupError(error, 'already-running')) return 'busy';
    throw error;
  }
  try {
    const points = new RestorePoints(database.db);
    const point = points.of(runId);
    if (typeof point === 'string' || !points.setPinned(runId, isPinned)) return 'gone';
    return point;
  } finally {
    database.close();
  }
}

/** One version more than a page has, where there are so many. */
function readVersions(
  { stateDir }: Services,
  { stateKey }: StoredTask,
  before: number | undefined,
): { points: readonly RestorePoint[]; latest: number | undefined } {
  const past = openPastReading(stateDir, stateKey);
  if (past === undefined) return { points: [], latest: undefined };
  try {
    const points = new RestorePoints(past.db);
    return {
      points: points.list(before ?? Number.MAX_SAFE_INTEGER, VERSIONS_PAGE + 1),
      latest: points.list(Number.MAX_SAFE_INTEGER, 1)[0]?.runId,
    };
  } finally {
    past.close();
  }
}

function versionRow(
  point: RestorePoint,
  path: string,
  known: { readonly latest: number | undefined; readonly runPageId: number | undefined },
  text: Text,
): VersionRow {
  const report = storedReport(point);
  const count = (value: number | undefined): string => (value === undefined ? '' : text.number(value));
  return {
    runId: point.runId,
    atMs: point.startedMs,
    path: `${path}/${point.runId}`,
    note: point.outcome === 'complete' ? '' : text.t(`versions.run-${point.outcome}`),
    isLatest: point.runId === known.latest,
    isPinned: point.isPinned,
    fresh: count(report?.counts.new),
    changed: count(report?.counts.changed),
    gone: count(report?.counts.retired),
    data: report === undefined ? '' : text.bytes(report.bytes),
    runWords: text.t('run.title', { n: known.runPageId }),
    runPath: known.runPageId === undefined ? undefined : `/runs/${known.runPageId}`,
    pinPath: `${path}/${point.runId}/pin`,
    deletePath: point.isPinned || point.runId === known.latest ? undefined : `${path}/${point.runId}/delete`,
  };
}
