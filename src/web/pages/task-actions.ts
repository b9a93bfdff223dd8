import { posix } from 'node:path';
import type { Request, RequestHandler, Response } from 'express';
import type { RunCause } from '../../state/run-store.ts';
import type { StoredTask } from '../../state/task-store.ts';
import type { TaskActivity } from '../../tasks/task-runner.ts';
import { flash } from '../flash.ts';
import { formOf } from '../form.ts';
import { pageOf } from '../page-context.ts';
import { ownPath, redirect } from '../redirect.ts';
import type { Services } from '../services.ts';
import { idOf, taskPath } from '../task-path.ts';
import { taskOf } from './edit-task.ts';
import { noteActivity } from './note-activity.ts';

/** Names of copies that are tried: `Garage (2)` and so on. */
const COPIES_MAX = 99;
const NAME_LENGTH_MAX = 100;
const SELECTED_MAX = 200;

/** *Back up now*. */
export function runTaskNow(services: Services): RequestHandler {
  return taskAction(services, (task, res) => {
    start(services, res, task, 'user');
  });
}

/** *Simulate*: a run that copies nothing. */
export function simulateTask(services: Services): RequestHandler {
  return taskAction(services, (task, res) => {
    start(services, res, task, 'simulation');
  });
}

export function stopTask(services: Services): RequestHandler {
  return taskAction(services, (task, res) => {
    const phase = stop(services, res, task);
    const key = phase === undefined ? 'ok.stop.none' : phase === 'queued' ? 'ok.unqueued' : 'ok.stopping';
    flash(res, phase === undefined ? 'warn' : 'info', key, { name: task.name });
  });
}

export function pauseTask(services: Services): RequestHandler {
  return taskAction(services, (task, res) => {
    setPaused(services, res, task, true);
    flash(res, 'ok', 'ok.paused', { name: task.name });
  });
}

export function resumeTask(services: Services): RequestHandler {
  return taskAction(services, (task, res) => {
    setPaused(services, res, task, false);
    flash(res, 'ok', 'ok.resumed', { name: task.name });
  });
}

/** A second task with the same settings, beside the first one on the NAS. It waits, paused, to be looked through. */
export function duplicateTask(services: Services): RequestHandler {
  return async (req, res) => {
    const task = await taskOf(services, req, res);
    if (task === undefined) return;
    const copy = copyOf(services, task);
    if (copy === undefined) {
      flash(res, 'err', 'ok.duplicate.not', { name: task.name });
      redirect(res, taskPath(task));
      return;
    }
    noteActivity(services, pageOf(res).account, 'task-duplicated', copy.name, task.name);
    flash(res, 'ok', 'ok.duplicated', { name: copy.name });
    redirect(res, `${taskPath(copy)}/edit`);
  };
}

/** The buttons below the list, for the tasks that are ticked. */
export function actOnTasks(services: Services): RequestHandler {
  return (req, res) => {
    const form = formOf(req);
    const ids = form.list('task').slice(0, SELECTED_MAX).map(idOf);
    const tasks = ids.flatMap((id) => (id === undefined ? [] : (services.tasks.get(id) ?? [])));
    const what = form.text('do');
    const count = tasks.filter((task) => actOn(services, res, task, what)).length;
    if (ids.length === 0) flash(res, 'warn', 'ok.bulk.none');
    else if (count === 0) flash(res, 'warn', 'ok.bulk.nothing');
    else flash(res, 'ok', `ok.bulk.${what}`, { count });
    // Not `back`: the buttons of single rows are in the same form, and lead to the page of their task.
    redirect(res, ownPath(form.text('list') || '/tasks'));
  };
}

/** False where there was nothing to do. */
function actOn(services: Services, res: Response, task: StoredTask, what: string): boolean {
  switch (what) {
    case 'run':
      return (
        services.runner.activity(task.id) === undefined &&
        !isBeingDeleted(services, task) &&
        services.runner.start(task.id, 'user', pageOf(res).account) !== undefined
      );
    case 'stop':
      return stop(services, res, task) !== undefined;
    case 'pause':
    case 'resume':
      if (task.isPaused === (what === 'pause')) return false;
      setPaused(services, res, task, what === 'pause');
      return true;
    default:
      return false;
  }
}

function taskAction(services: Services, act: (task: StoredTask, res: Response) => void): RequestHandler {
  return async (req, res) => {
    const task = await taskOf(services, req, res);
    if (task === undefined) return;
    act(task, res);
    redirect(res, backOf(req, taskPath(task)));
  };
}

function start(services: Services, res: Response, task: StoredTask, cause: RunCause): void {
  const { name } = task;
  const before = services.runner.activity(task.id);
  if (before !== undefined) flash(res, 'info', 'ok.started.before', { name });
  else if (isBeingDeleted(services, task)) flash(res, 'warn', 'job.delete-files.running', { name });
  else if (services.runner.start(task.id, cause, pageOf(res).account) === undefined) {
    flash(res, 'err', 'ok.started.not', { name });
  } else {
    const isWaiting = services.runner.activity(task.id)?.phase === 'queued';
    const key = cause === 'simulation' ? 'ok.simulating' : isWaiting ? 'ok.queued' : 'ok.started';
    flash(res, 'ok', key, { name });
  }
}

/** Gives what was under way; undefined where nothing was. Of two presses one is written down. */
function stop(services: Services, res: Response, task: StoredTask): TaskActivity['phase'] | undefined {
  const phase = services.runner.activity(task.id)?.phase;
  if (phase === undefined) return undefined;
  const { account } = pageOf(res);
  services.runner.stop(task.id, account === undefined ? undefined : { hint: 'person', by: account });
  if (phase !== 'stopping') noteActivity(services, account, 'run-stopped', task.name);
  return phase;
}

function isBeingDeleted(services: Services, task: StoredTask): boolean {
  return services.jobs.running('delete-files')?.taskId === task.id;
}

function setPaused(services: Services, res: Response, task: StoredTask, isPaused: boolean): void {
  services.tasks.setPaused(task.id, isPaused, services.clock.nowMs());
  services.scheduler.reload();
  noteActivity(services, pageOf(res).account, isPaused ? 'task-paused' : 'task-resumed', task.name);
}

/** Back to the page with the button, which names itself. */
function backOf(req: Request, otherwise: string): string {
  const back = formOf(req).text('back');
  return back === '' ? otherwise : ownPath(back);
}

function copyOf(services: Services, task: StoredTask): { id: number; name: string } | undefined {
  const { settings } = task;
  if (settings === undefined) return undefined;
  const folders = new Set(services.tasks.list().map((other) => other.settings?.target.folder));
  for (let count = 2; count <= COPIES_MAX; count++) {
    const name = `${task.name.slice(0, NAME_LENGTH_MAX - 5)} (${count})`;
    const { folder } = settings.target;
    const beside = posix.join(posix.dirname(folder), `${posix.basename(folder)}-${count}`);
    if (services.tasks.idByName(name) !== undefined || folders.has(beside)) continue;
    const copy = { ...settings, name, target: { folder: beside } };
    const id = services.tasks.add(copy, task.schedule, services.clock.nowMs());
    services.tasks.setPaused(id, true, services.clock.nowMs());
    services.scheduler.reload();
    return { id, name };
  }
  return undefined;
}
