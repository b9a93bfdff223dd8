import type { RequestHandler, Response } from 'express';
import { countVersions, ownerOfFolder, removeTaskFiles } from '../../tasks/task-files.ts';
import type { FolderOwner } from '../../tasks/task-files.ts';
import { readTaskMarker, removeTaskDatabase } from '../../state/database-care.ts';
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
  const job = services.jobs.start('delete-files', task.name, async (_report, signal) => {
    // Nothing may start it any more, by schedule or by hand.
    services.tasks.setPaused(task.id, true, services.clock.nowMs());
    services.scheduler.reload();
    await removeTaskFiles(folder, readTaskMarker(services.stateDir, task.stateKey), signal);
    removeTaskDatabase(services.stateDir, task.stateKey);
    forget(services, task);
    noteActivity(services, account, 'task-files-deleted', task.name, folder);
    return { tone: 'ok', key: 'done', facts: {} };
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
  const view = buildDeleteView(task, facts, typed, messages, isRunning, text);
  await render(res, 'delete-task', view, { status, title: t('dg.task.h', { name: task.name }), menu: 'tasks' });
}

export function buildDeleteView(
  task: StoredTask,
  facts: FileFacts,
  typed: { readonly isWipe: boolean; readonly typed: string },
  messages: readonly FieldMessage[],
  isRunning: boolean,
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
    isRunning,
    messages,
    faults: messagesByField(messages),
  };
}
