import type { Request, RequestHandler, Response } from 'express';
import type { StoredTask } from '../../state/task-store.ts';
import { deletionJob, lookAtDeletion } from '../../tasks/delete-version.ts';
import type { DeletionOutlook } from '../../tasks/delete-version.ts';
import type { Job } from '../../tasks/jobs.ts';
import type { Text } from '../../text.ts';
import { askedBytes } from '../bytes-query.ts';
import type { Dates } from '../dates.ts';
import { errorWords } from '../error-words.ts';
import { flash } from '../flash.ts';
import { pageOf } from '../page-context.ts';
import { redirect } from '../redirect.ts';
import { render } from '../render.ts';
import type { Services } from '../services.ts';
import { historyPath, idOf, taskPath } from '../task-path.ts';
import { taskOf } from './edit-task.ts';
import { askedKey } from './file-history.ts';
import { noteActivity } from './note-activity.ts';

type DeletionWish = DeletionOutlook['wish'];

/** A page waits no longer for the end; the rest happens behind it. */
const WAIT_MAX_MS = 20_000;

interface DeleteVersionView {
  readonly taskName: string;
  readonly taskPath: string;
  readonly heading: string;
  readonly what: string;
  readonly lines: readonly string[];
  /** Why nothing can be deleted; empty where it can. */
  readonly obstacle: string;
  readonly link: { readonly path: string; readonly words: string } | undefined;
  readonly backPath: string;
}

export function showDeleteVersion(services: Services): RequestHandler {
  return showDeletion(services, pointWish);
}

export function showDeleteContent(services: Services): RequestHandler {
  return showDeletion(services, contentWish);
}

/** Deletes a whole version. */
export function deleteVersionOf(services: Services): RequestHandler {
  return startDeletion(services, pointWish);
}

/** Deletes one older content of a file. */
export function deleteContentOf(services: Services): RequestHandler {
  return startDeletion(services, contentWish);
}

function pointWish(req: Request): DeletionWish {
  return { kind: 'point', runId: idOf(req.params['run']) ?? 0 };
}

function contentWish(req: Request): DeletionWish {
  return { kind: 'content', path: askedBytes(req, 'path'), key: askedKey(req, 'version') };
}

/** What would be lost, and the button. */
function showDeletion(services: Services, wishOf: (req: Request) => DeletionWish): RequestHandler {
  return async (req, res) => {
    const task = await taskOf(services, req, res);
    if (task === undefined) return;
    const { text, dates } = pageOf(res);
    const wish = wishOf(req);
    const outlook = lookAtDeletion({ stateDir: services.stateDir, stateKey: task.stateKey }, wish);
    const isBusy = services.runner.activity(task.id) !== undefined;
    const view = buildDeleteVersion(task, outlook, isBusy, text, dates);
    const status = outlook.loss === 'gone' ? 404 : 200;
    await render(res, 'delete-version', view, { status, title: `${view.heading} – ${task.name}`, menu: 'tasks' });
  };
}

function startDeletion(services: Services, wishOf: (req: Request) => DeletionWish): RequestHandler {
  return async (req, res) => {
    const task = await taskOf(services, req, res);
    if (task === undefined) return;
    const { account } = pageOf(res);
    const wish = wishOf(req);
    const outlook = lookAtDeletion({ stateDir: services.stateDir, stateKey: task.stateKey }, wish);
    const { loss } = outlook;
    const folder = task.settings?.target.folder;
    if (typeof loss === 'string' || folder === undefined || services.runner.activity(task.id) !== undefined) {
      flash(res, 'warn', `del.why.${typeof loss === 'string' ? loss : 'busy'}`);
      redirect(res, backPath(task, wish));
      return;
    }
    const { stateDir, clock, log } = services;
    const assignment = { stateDir, stateKey: task.stateKey, folder, wish, nowMs: clock.nowMs(), by: account };
    const what = 'point' in loss ? String(loss.point.startedMs) : outlook.path;
    let tell: (job: Job) => void = () => undefined;
    const ended = new Promise<Job | undefined>((resolve) => {
      const timer = setTimeout(resolve, WAIT_MAX_MS, undefined);
      tell = (job) => {
        clearTimeout(timer);
        resolve(job);
      };
    });
    const taskLog = log.child({ task: task.id });
    const job = services.jobs.start('delete-version', task.id, deletionJob(assignment, taskLog), (end) => {
      if (end.result?.tone === 'ok') {
        noteActivity(services, account, wish.kind === 'point' ? 'version-deleted' : 'content-deleted', task.name, what);
      } else if (end.failure !== undefined) {
        taskLog.warn('delete-failed', { code: end.failure.code, what });
      }
      tell(end);
    });
    if (job === undefined) flash(res, 'warn', 'job.busy');
    else flashEnd(res, await ended);
    redirect(res, backPath(task, wish));
  };
}

/** `end`: undefined where it goes on behind the page. */
function flashEnd(res: Response, end: Job | undefined): void {
  const { text } = pageOf(res);
  if (end === undefined) flash(res, 'info', 'del.started');
  else if (end.failure !== undefined) {
    const isBusy = end.failure.code === 'already-running';
    const { cause, action } = errorWords(text, end.failure.code, end.failure.facts);
    if (isBusy) flash(res, 'warn', 'del.why.busy');
    else flash(res, 'err', 'del.failed', { cause, action });
  } else if (end.result?.tone === 'ok') flash(res, 'ok', 'del.done', end.result.facts);
  else flash(res, 'warn', `del.why.${end.result?.key ?? 'gone'}`);
}

function backPath(task: StoredTask, wish: DeletionWish): string {
  return wish.kind === 'point' ? `${taskPath(task)}/versions` : historyPath(task.id, wish.path);
}

export function buildDeleteVersion(
  task: StoredTask,
  { wish, path, loss }: DeletionOutlook,
  isBusy: boolean,
  text: Text,
  dates: Pick<Dates, 'when' | 'inWords'>,
): DeleteVersionView {
  const { t } = text;
  const obstacle = typeof loss === 'string' ? loss : isBusy ? 'busy' : undefined;
  const view = {
    taskName: task.name,
    taskPath: taskPath(task),
    heading: t('del.title'),
    what: path,
    obstacle: obstacle === undefined ? '' : t(`del.why.${obstacle}`),
    link: loss === 'held' ? { path: `${taskPath(task)}/decision`, words: t('act.decide') } : undefined,
    backPath: backPath(task, wish),
    lines: [],
  };
  if (typeof loss === 'string' || obstacle !== undefined) return view;
  if ('point' in loss) {
    const { point, only, oldestMs } = loss;
    const amount = { files: t('count.files', { count: only.files }), size: text.bytes(only.bytes) };
    const lines = [
      t('del.point.back'),
      only.files === 0 ? t('del.point.none') : t('del.point.only', amount),
      oldestMs === undefined ? '' : t('del.point.oldest', { when: dates.inWords(oldestMs) }),
    ].filter((line) => line !== '');
    return { ...view, heading: t('del.point.h', { when: dates.inWords(point.startedMs) }), lines };
  }
  const { content, points } = loss;
  const { sizeBytes, modifiedMs } = content.file;
  const lines = [
    t('del.content.size', {
      size: text.bytes(sizeBytes),
      when: modifiedMs === undefined ? undefined : dates.inWords(modifiedMs),
    }),
    t('del.content.shown', {
      versions: t('count.versions', { count: points.count }),
      oldest: points.oldestMs === undefined ? undefined : dates.inWords(points.oldestMs),
      newest: points.count < 2 || points.newestMs === undefined ? undefined : dates.inWords(points.newestMs),
    }),
    t('del.content.rest'),
    t('del.elsewhere'),
  ];
  return { ...view, heading: t('del.content.h'), lines };
}
