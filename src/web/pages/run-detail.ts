import type { Request, RequestHandler } from 'express';
import { asErrorCode } from '../../errors.ts';
import { openPastReading } from '../../state/past-reading.ts';
import { RestorePoints } from '../../state/restore-points.ts';
import { openRunHistory } from '../../state/run-history.ts';
import type { RunHistory } from '../../state/run-history.ts';
import type { StoredRun } from '../../state/run-store.ts';
import { readNewestHold } from '../../state/task-hold.ts';
import type { StoredTask } from '../../state/task-store.ts';
import { csvLine, startCsv } from '../csv.ts';
import { errorWords } from '../error-words.ts';
import { answerGone } from '../error-pages.ts';
import { readLogPage } from '../log-reader.ts';
import { pageOf } from '../page-context.ts';
import { askedText } from '../query.ts';
import { render } from '../render.ts';
import type { Services } from '../services.ts';
import { idOf, taskPath } from '../task-path.ts';
import { FILE_KINDS, RUN_TABS, buildRunDetail } from './run-detail-view.ts';
import type { CauseInput, RunInput, RunTab } from './run-detail-view.ts';
import { liveOf } from './run-list.ts';

/** Files of a cause before one asks for the others. */
const FIRST_FILES = 4;
/** Files, or lines, on one page. */
const FILES_PAGE = 200;
/** Events of one notice that are shown. */
const NOTICE_FILES = 20;
/** Lines of a run may be written while it is being closed. */
const LOG_GRACE_MS = 10_000;

/** One run: what it did, what it could not do and why. */
export function showRun(services: Services): RequestHandler {
  return async (req, res) => {
    const run = services.runs.get(idOf(req.params['id']) ?? 0);
    if (run === undefined) {
      await answerGone(req, res, 'run');
      return;
    }
    const page = pageOf(res);
    const input = await readRun(services, run, req);
    const view = buildRunDetail(input, page.text, page.dates);
    const live = liveOf(services, `task:${run.taskId}`, `/tasks/${run.taskId}/live.json`, page);
    const title = `${page.t('run.title', { n: run.id })} – ${run.taskName}`;
    await render(res, 'run-detail', { view, live }, { title, menu: 'tasks', scripts: view.isOpen ? ['live.js'] : [] });
  };
}

/** All failures of a run as a table for other programs. */
export function downloadRunErrors(services: Services): RequestHandler {
  return async (req, res) => {
    const run = services.runs.get(idOf(req.params['id']) ?? 0);
    const history = run === undefined ? undefined : openHistory(services, run);
    if (run?.localRunId === undefined || history === undefined) {
      history?.close();
      await answerGone(req, res, 'run');
      return;
    }
    try {
      const { text } = pageOf(res);
      startCsv(res, `run-${run.id}-errors.csv`);
      res.write(csvLine(['col.time', 'col.file', 'col.cause', 'run.detail'].map((key) => text.t(key))));
      for (let afterId = 0; ;) {
        const events = history.events(run.localRunId, 'failure', { afterId }, FILES_PAGE);
        for (const { atMs, path, code, detail } of events) {
          const { cause } = errorWords(text, asErrorCode(code));
          res.write(csvLine([new Date(atMs).toISOString(), path ?? '', cause, detail ?? '']));
        }
        if (events.length < FILES_PAGE || res.destroyed) break;
        afterId = events.at(-1)?.id ?? Infinity;
        await new Promise(setImmediate);
      }
      res.end();
    } finally {
      history.close();
    }
  };
}

async function readRun(services: Services, run: StoredRun, req: Request): Promise<RunInput> {
  const { runs, tasks, clock } = services;
  const tab: RunTab = RUN_TABS.find((known) => known === askedText(req, 'tab')) ?? 'errors';
  const task = tasks.get(run.taskId);
  const history = openHistory(services, run);
  try {
    const noted = history === undefined || run.localRunId === undefined ? undefined : { history, id: run.localRunId };
    return {
      run,
      taskPath: task === undefined ? undefined : taskPath(task),
      versionRun: task === undefined ? undefined : readVersionRun(services, run, task),
      needsDecision: task !== undefined && run.outcome === 'held' && isOpenHold(services, task),
      tab,
      newerId: runs.neighbour(run.taskId, run.id, 'newer'),
      olderId: runs.neighbour(run.taskId, run.id, 'older'),
      shownCause: askedText(req, 'cause') || undefined,
      causes: noted === undefined || tab !== 'errors' ? [] : readCauses(noted, req),
      notices: noted === undefined || tab !== 'errors' ? [] : readNotices(noted),
      files: readFiles(noted, tab, req),
      log: tab === 'log' ? await readLog(services, run, req) : { lines: [], next: undefined },
      hasNotes: noted !== undefined,
      nowMs: clock.nowMs(),
    };
  } finally {
    history?.close();
  }
}

/** The run whose tree this one has left: itself, or the last one before it that changed anything. */
function readVersionRun({ stateDir }: Services, run: StoredRun, { stateKey }: StoredTask): number | undefined {
  if (run.cause === 'simulation' || run.localRunId === undefined || run.endedMs === undefined) return undefined;
  const past = openPastReading(stateDir, stateKey);
  try {
    const point = past === undefined ? 'unknown' : new RestorePoints(past.db).of(run.localRunId);
    return typeof point === 'string' ? undefined : point.runId;
  } finally {
    past?.close();
  }
}

function isOpenHold({ stateDir }: Services, { stateKey }: StoredTask): boolean {
  return readNewestHold(stateDir, stateKey)?.decision === 'open';
}

/** A simulation writes into a copy that is thrown away: its number there is none of the task's own database. */
function openHistory(services: Services, run: StoredRun): RunHistory | undefined {
  if (run.cause === 'simulation' || run.localRunId === undefined) return undefined;
  const task = services.tasks.get(run.taskId);
  return task === undefined ? undefined : openRunHistory(services.stateDir, task.stateKey);
}

interface Noted {
  readonly history: RunHistory;
  readonly id: number;
}

function readCauses({ history, id }: Noted, req: Request): CauseInput[] {
  const asked = askedText(req, 'cause');
  const codes = history.codes(id, 'failure');
  const isKnown = codes.some(({ code }) => code === asked);
  return codes
    .filter(({ code }) => !isKnown || code === asked)
    .map(({ code, count }) => {
      const limit = isKnown ? FILES_PAGE : FIRST_FILES;
      const afterId = isKnown ? idOf(req.query['after']) : undefined;
      const events = history.events(id, 'failure', { code, afterId }, limit + 1);
      return { code, count, events: events.slice(0, limit), hasMore: events.length > limit };
    });
}

function readNotices({ history, id }: Noted): RunInput['notices'] {
  return history
    .codes(id, 'notice')
    .map(({ code, count }) => ({ code, count, events: history.events(id, 'notice', { code }, NOTICE_FILES) }));
}

function readFiles(noted: Noted | undefined, tab: RunTab, req: Request): RunInput['files'] {
  const kind = FILE_KINDS.find((known) => known === askedText(req, 'kind'));
  const words = askedText(req, 'q');
  if (noted === undefined) return { events: [], kinds: [], kind, words, hasMore: false };
  const { history, id } = noted;
  const kinds = history.codes(id, 'change');
  if (tab !== 'files') return { events: [], kinds, kind, words, hasMore: false };
  const filter = { code: kind, pathPart: words || undefined, afterId: idOf(req.query['after']) };
  const events = history.events(id, 'change', filter, FILES_PAGE + 1);
  return { events: events.slice(0, FILES_PAGE), kinds, kind, words, hasMore: events.length > FILES_PAGE };
}

async function readLog(services: Services, run: StoredRun, req: Request): Promise<RunInput['log']> {
  const untilMs = run.endedMs === undefined ? undefined : run.endedMs + LOG_GRACE_MS;
  const filter = { runId: run.id, sinceMs: run.queuedMs - LOG_GRACE_MS, untilMs };
  return readLogPage(services.logFile, filter, askedText(req, 'after') || undefined, FILES_PAGE);
}
