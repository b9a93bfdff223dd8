import { basename } from 'node:path';
import type { RequestHandler, Response } from 'express';
import { BackupError } from '../../errors.ts';
import { taskDatabasePath } from '../../state/task-database.ts';
import type { StoredTask } from '../../state/task-store.ts';
import { adoptFolder, lookAtFolder } from '../../tasks/adopt-task.ts';
import type { AdoptAssignment, FolderOutlook } from '../../tasks/adopt-task.ts';
import type { Job } from '../../tasks/jobs.ts';
import type { Text } from '../../text.ts';
import { errorWords } from '../error-words.ts';
import { flash } from '../flash.ts';
import { formOf } from '../form.ts';
import { pageOf } from '../page-context.ts';
import { redirect } from '../redirect.ts';
import { render } from '../render.ts';
import type { Services } from '../services.ts';
import { taskPath } from '../task-path.ts';
import { taskOf } from './edit-task.ts';
import { messagesByField } from './form-words.ts';
import type { FieldMessage } from './form-words.ts';
import { noteActivity } from './note-activity.ts';
import { buildJobView } from './settings-maintenance.ts';
import type { JobView } from './settings-maintenance.ts';

interface AdoptView {
  readonly name: string;
  readonly taskPath: string;
  readonly job: JobView | undefined;
  /** False where there is nothing to adopt, or it has been done. */
  readonly canAdopt: boolean;
  readonly heading: string;
  /** What will happen, or why nothing can. */
  readonly lines: readonly string[];
  readonly messages: readonly FieldMessage[];
  readonly faults: Readonly<Record<string, string>>;
  readonly isRunning: boolean;
}

/** What lies in the task's folder, and what adopting it would do; or how far that is. */
export function showAdopt(services: Services): RequestHandler {
  return async (req, res) => {
    const task = await taskOf(services, req, res);
    if (task !== undefined) await renderAdopt(services, res, 200, task, []);
  };
}

/** Begins to adopt the folder; it needs the tick. */
export function startAdopt(services: Services): RequestHandler {
  return async (req, res) => {
    const task = await taskOf(services, req, res);
    if (task === undefined) return;
    const { t, account } = pageOf(res);
    if (formOf(req).text('confirm') !== 'yes') {
      await renderAdopt(services, res, 422, task, [{ field: 'confirm', words: t('e.adopt.confirm') }]);
      return;
    }
    const assignment = assignmentOf(services, task);
    if (assignment === undefined || services.runner.activity(task.id) !== undefined) {
      await renderAdopt(services, res, 409, task, []);
      return;
    }
    const job = services.jobs.start('adopt', task.id, adoptFolder(assignment, services.log), (ended) => {
      if (ended.result !== undefined) noteActivity(services, account, 'folder-adopted', task.name, assignment.folder);
    });
    if (job === undefined) flash(res, 'warn', 'job.busy');
    redirect(res, `${taskPath(task)}/adopt`);
  };
}

/** Whether the folder of a task that has never run holds what could be adopted. */
export async function holdsBackup(services: Services, task: StoredTask): Promise<boolean> {
  const assignment = assignmentOf(services, task);
  return assignment !== undefined && !((await lookAtFolder(assignment, services.clock)) instanceof BackupError);
}

function assignmentOf({ stateDir, tasks }: Services, task: StoredTask): AdoptAssignment | undefined {
  const folder = task.settings?.target.folder;
  if (folder === undefined) return undefined;
  const liveDatabases = tasks.list().map(({ stateKey }) => basename(taskDatabasePath(stateDir, stateKey)));
  return { folder, stateDir, stateKey: task.stateKey, liveDatabases };
}

async function renderAdopt(
  services: Services,
  res: Response,
  status: number,
  task: StoredTask,
  messages: readonly FieldMessage[],
): Promise<void> {
  const { t, text } = pageOf(res);
  const job = services.jobs.latest('adopt', task.id);
  const assignment = assignmentOf(services, task);
  const isDone = job !== undefined && job.failure === undefined;
  const outlook =
    assignment === undefined || isDone
      ? new BackupError(assignment === undefined ? 'settings-invalid' : 'task-has-backup')
      : await lookAtFolder(assignment, services.clock);
  const isRunning = services.runner.activity(task.id) !== undefined;
  const view = buildAdoptView({ name: task.name, path: taskPath(task), outlook, job, isRunning, messages }, text);
  await render(res, 'adopt', view, { status, title: t('adopt.title'), menu: 'tasks', scripts: ['forms.js'] });
}

export interface AdoptInput {
  readonly name: string;
  readonly path: string;
  readonly outlook: FolderOutlook | BackupError;
  /** Of this task. */
  readonly job: Job | undefined;
  readonly isRunning: boolean;
  readonly messages: readonly FieldMessage[];
}

export function buildAdoptView({ name, path, outlook, job, isRunning, messages }: AdoptInput, text: Text): AdoptView {
  const shown = { name, taskPath: path, job: buildJobView(job, 'adopt', text), messages, isRunning };
  const faults = messagesByField(messages);
  if (outlook instanceof BackupError) {
    const { cause, action } = errorWords(text, outlook.code, outlook.facts);
    const lines = job === undefined ? [action] : [];
    return { ...shown, faults, canAdopt: false, heading: job === undefined ? cause : '', lines };
  }
  const { folder, layout, files, bytes, isCounted, hasManifest, isMarked, others } = outlook;
  const count = text.t('count.files', { count: files });
  const size = isCounted
    ? { files: count, bytes: text.bytes(bytes) }
    : {
        files: text.t('adopt.at-least', { what: count }),
        bytes: text.t('adopt.at-least', { what: text.bytes(bytes) }),
      };
  const lines = [
    text.t('adopt.will-read', size),
    text.t(hasManifest ? 'adopt.has-manifest' : 'adopt.no-manifest'),
    layout === 'backup' ? '' : text.t('adopt.will-move', { folder }),
    isMarked ? text.t('adopt.will-mark') : '',
    others > 0 ? text.t('adopt.others', { count: others }) : '',
    text.t('adopt.nothing-lost'),
  ].filter((line) => line !== '');
  return { ...shown, faults, canAdopt: true, heading: text.t(`adopt.found-${layout}`, { folder, ...size }), lines };
}
