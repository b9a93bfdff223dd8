import type { RequestHandler, Response } from 'express';
import { countVersions, ownerOfFolder, removeTaskFiles } from '../../tasks/task-files.ts';
import type { FolderOwner } from '../../tasks/task-files.ts';
import type { Job, JobWork } from '../../tasks/jobs.ts';
import { readTaskMarker, removeTaskDatabase } from '../../state/database-care.ts';
import { holdTaskLock } from '../../state/task-database.ts';
import type { StoredTask } from '../../state/task-store.ts';
import type { Text } from '../../text.ts';
import { flash } from '../flash.ts';
import { formOf } from '../form.ts';
import { pageOf } from '../page-context.ts';
import { redirect } from '../redirect.ts';
import { render } from '../render.ts';
import type { Services } from '../services.ts';
import { storedReport } from '../stored-report.ts';
import { taskPath } from '../task-path.ts';
import { taskOf } from './edit-task.ts';
import { messagesByField } from './form-words.ts';
import type { FieldMessage } from './form-words.ts';
import { noteActivity } from './note-activity.ts';
import { buildJobView } from './settings-maintenance.ts';
import type { JobView } from './settings-maintenance.ts';

interface DeleteView {
  readonly name: string;
  readonly taskPath: string;
  readonly folder: string;
  /** Why the files cannot be deleted from here; empty where they can. */
  readonly keepNote: string;
  readonly wipeWords: string;
  readonly lossWords: string;
  readonly isWipe: boolean;
  readonly typed: string;
  readonly isRunning: boolean;
  /** Its files are being deleted, or could not be. */
  readonly job: JobView | undefined;
  readonly messages: readonly FieldMessage[];
  readonly faults: Readonly<Record<string, string>>;
}

/** What is known of the files of a task. */
interface FileFacts {
  readonly folder: string;
  readonly owner: FolderOwner;
  readonly bytes: number | undefined;
  readonly versions: number;
}

export function showDeleteTask(services: Services): RequestHandler {
  return async (req, res) => {
    const task = await taskOf(services, req, res);
    if (task !== undefined) await renderDelete(services, res, 200, task, { isWipe: false, typed: '' }, []);
  };
}

/** Deletes the task; its files only where that was chosen and the task's name typed. */
export function deleteTask(services: Services): RequestHandler {
  return async (req, res) => {
    const task = await taskOf(services, req, res);
    if (task === undefined) return;
    const { t, account } = pageOf(res);
    const form = formOf(req);
    const typed = { isWipe: form.text('files') === 'delete', typed: form.text('confirm') };
    const messages: FieldMessage[] = [];
    if (typed.isWipe && typed.typed.trim() !== task.name.trim()) {
      messages.push({ field: 'confirm', words: t('e.confirm', { name: task.name }) });
    }
    const isBusy = services.runner.activity(task.id) !== undefined;
    if (messages.length > 0 || isBusy) {
      await renderDelete(services, res, isBusy ? 409 : 422, task, typed, messages);
      return;
    }
    if (typed.isWipe) {
      const facts = await fileFacts(services, task);
      if (facts.owner !== 'own') {
        await renderDelete(services, res, 409, task, typed, []);
        return;
      }
      startDeletion(services, res, task);
      return;
    }
    forget(services, task);
    noteActivity(services, account, 'task-deleted', task.name, task.settings?.target.folder);
    flash(res, 'ok', 'ok.deleted', { path: task.settings?.target.folder ?? '' });
    redirect(res, '/tasks');
  };
}

/** The task itself goes last: while files are left, there is still a task that says whose they are. */
function startDeletion(services: Services, res: Response, task: StoredTask): void {
  const { account } = pageOf(res);
  const folder = task.settings?.target.folder ?? '';
  const note = (action: 'task-files-deleting' | 'task-files-deleted' | 'task-files-left'): void => {
    noteActivity(services, account, action, task.name, folder);
  };
  const work: JobWork = async (_report, signal) => {
    // A run may have begun since somebody looked; from here on none can.
    const release = holdTaskLock(services.stateDir, task.stateKey);
    try {
      note('task-files-deleting');
      services.tasks.setPaused(task.id, true, services.clock.nowMs());
      services.scheduler.reload();
      await removeTaskFiles(folder, readTaskMarker(services.stateDir, task.stateKey), signal);
      removeTaskDatabase(services.stateDir, task.stateKey);
      forget(services, task);
      note('task-files-deleted');
      return { tone: 'ok', key: 'done', facts: {} };
    } finally {
      release();
    }
  };
  const job = services.jobs.start('delete-files', task.id, work, (ended) => {
    if (ended.failure !== undefined && ended.failure.code !== 'already-running') note('task-files-left');
  });
  if (job === undefined) flash(res, 'warn', 'job.delete-files.busy');
  else flash(res, 'info', 'job.delete-files.started', { name: task.name, path: folder });
  redirect(res, '/tasks');
}

function forget(services: Services, task: StoredTask): void {
  services.tasks.remove(task.id);
  services.runs.removeOfTask(task.id);
  services.scheduler.reload();
}

async function fileFacts(services: Services, task: StoredTask): Promise<FileFacts> {
  const folder = task.settings?.target.folder ?? '';
  if (folder === '') return { folder, owner: 'absent', bytes: undefined, versions: 0 };
  const last = services.runs.list({ taskId: task.id, outcomes: ['complete', 'incomplete'] }, 1)[0];
  return {
    folder,
    owner: await ownerOfFolder(folder, readTaskMarker(services.stateDir, task.stateKey)),
    bytes: storedReport(last)?.stored?.bytes,
    versions: await countVersions(folder),
  };
}

async function renderDelete(
  services: Services,
  res: Response,
  status: number,
  task: StoredTask,
  typed: { readonly isWipe: boolean; readonly typed: string },
  messages: readonly FieldMessage[],
): Promise<void> {
  const { t, text } = pageOf(res);
  const facts = await fileFacts(services, task);
  const isRunning = services.runner.activity(task.id) !== undefined;
  const job = services.jobs.latest('delete-files', task.id);
  const view = buildDeleteView(task, facts, typed, messages, { isRunning, job }, text);
  await render(res, 'delete-task', view, { status, title: t('dg.task.h', { name: task.name }), menu: 'tasks' });
}

export function buildDeleteView(
  task: StoredTask,
  facts: FileFacts,
  typed: { readonly isWipe: boolean; readonly typed: string },
  messages: readonly FieldMessage[],
  now: { readonly isRunning: boolean; readonly job: Job | undefined },
  text: Text,
): DeleteView {
  const { folder, owner, bytes, versions } = facts;
  const size = bytes === undefined ? undefined : text.bytes(bytes);
  return {
    name: task.name,
    taskPath: taskPath(task),
    folder,
    keepNote: owner === 'own' ? '' : text.t(`dg.task.${owner}`, { path: folder }),
    wipeWords:
      size === undefined
        ? text.t('dg.task.wipe.all', { path: folder })
        : text.t('dg.task.wipe', { size, path: folder }),
    lossWords: versions === 0 ? text.t('dg.task.loss') : text.t('dg.task.loss.versions', { count: versions }),
    isWipe: typed.isWipe && owner === 'own',
    typed: typed.typed,
    isRunning: now.isRunning,
    job: buildJobView(now.job, 'delete-files', text, task.name),
    messages,
    faults: messagesByField(messages),
  };
}
