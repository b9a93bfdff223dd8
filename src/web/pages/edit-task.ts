import { randomUUID } from 'node:crypto';
import type { Request, RequestHandler, Response } from 'express';
import {
  LIST_FIELDS,
  TEXT_FIELDS,
  EMPTY_TASK_FORM,
  parseTaskForm,
  readTaskForm,
  taskFormOf,
} from '../../settings/parse-form.ts';
import type { FormFault, TaskForm } from '../../settings/parse-form.ts';
import { KEEP_FIELDS } from '../../settings/keep-form.ts';
import { Secret } from '../../settings/secret.ts';
import type { TaskSettings } from '../../settings/task-settings.ts';
import { resolveTimeZone } from '../../settings/wall-clock.ts';
import { isDraftId } from '../../state/draft-store.ts';
import type { StoredTask } from '../../state/task-store.ts';
import type { Text } from '../../text.ts';
import { forecastPrune } from '../../tasks/forecast-prune.ts';
import { folderRoots } from '../../tasks/local-folders.ts';
import { answerGone } from '../error-pages.ts';
import { flash } from '../flash.ts';
import { formOf } from '../form.ts';
import type { Form } from '../form.ts';
import { keptForm } from '../kept-form.ts';
import { pageOf } from '../page-context.ts';
import { redirect } from '../redirect.ts';
import { render } from '../render.ts';
import type { Services } from '../services.ts';
import { idOf, taskPath } from '../task-path.ts';
import { buildTestView, testConnection } from './connection-test.ts';
import { browseLocal, browseRemote, makeAskedFolder, wantsNewFolder } from './folder-pickers.ts';
import { buildEditView } from './edit-task-view.ts';
import type { EditState } from './edit-task-view.ts';
import { faultMessages, inPageOrder } from './form-words.ts';
import type { FieldMessage } from './form-words.ts';
import { noteActivity } from './note-activity.ts';
import { pruneLines } from './prune-lines.ts';
import { nameTaken } from './wizard-connection.ts';
import { targetMessages } from './wizard-folders.ts';

const SOURCE_FIELDS: readonly string[] = ['protocol', 'host', 'port', 'user', 'password', 'fingerprint'];

export function showEditTask(services: Services): RequestHandler {
  return async (req, res) => {
    const task = await taskOf(services, req, res);
    if (task === undefined) return;
    const typed = keptForm(req, res, services.clock.nowMs());
    const state: EditState =
      typed === undefined
        ? {}
        : { form: readTaskForm(typed), kept: keepPassword(services, typed).kept, revision: sentRevision(typed) };
    await renderEdit(services, res, 200, task, state);
  };
}

/** Saves the task; or tests its connection, or opens a folder, and shows what was typed again. */
export function saveEditTask(services: Services): RequestHandler {
  return async (req, res) => {
    const task = await taskOf(services, req, res);
    if (task === undefined) return;
    const sent = formOf(req);
    const typed = keepPassword(services, sent);
    const form = typedForm(sent);
    const state: EditState = { form, kept: typed.kept, revision: sentRevision(sent) };
    const parsed = parseTaskForm(form, typed.password ?? task.settings?.source.password);
    const faults = 'faults' in parsed ? parsed.faults : [];
    const { text } = pageOf(res);
    if (sent.text('do') === 'preview') {
      await renderEdit(services, res, 200, task, state);
      return;
    }
    if (sent.text('do') === 'prune') {
      await renderForecast(services, res, task, state, faults, parsed);
      return;
    }
    if (wantsNewFolder(sent)) {
      const made = await makeAskedFolder(services, sent, text);
      const roots = await folderRoots(services.settings.read().folderRoots);
      const isMade = 'path' in made;
      await renderEdit(services, res, isMade ? 200 : 422, task, {
        ...state,
        form: isMade ? { ...form, target: made.path } : form,
        messages: isMade ? [] : [made.message],
        local: isMade
          ? await browseLocal(made.path, roots, text)
          : await browseLocal(sent.text('local'), roots, text, sent.text('newFolder')),
      });
      return;
    }
    const isAside = sent.text('do') === 'test' || sent.has('goRemote') || sent.has('goLocal');
    if (isAside) {
      // Only what this is about has to be right already.
      const needed = faults.filter((fault) => SOURCE_FIELDS.includes(fault.field));
      const isLocal = sent.has('goLocal');
      const messages = isLocal ? [] : faultMessages(needed, text);
      const source = 'settings' in parsed ? parsed.settings.source : sourceAlone(state, typed.password, task);
      if (messages.length > 0) await renderEdit(services, res, 422, task, { ...state, messages });
      else await renderAside(services, res, task, sent, state, source);
      return;
    }
    const messages = [...faultMessages(faults, text), ...(await laterMessages(services, task, form, faults, text))];
    if ('faults' in parsed || messages.length > 0) {
      await renderEdit(services, res, 422, task, { ...state, messages: inPageOrder(messages) });
      return;
    }
    const { settings, schedule } = parsed;
    const isSaved = services.tasks.update(task.id, sentRevision(sent), settings, schedule, services.clock.nowMs());
    if (!isSaved) {
      await renderConflict(services, req, res, task.id, state);
      return;
    }
    if (typed.kept !== '') services.drafts.remove(typed.kept);
    services.scheduler.reload();
    noteActivity(services, pageOf(res).account, 'task-changed', settings.name);
    flash(res, 'ok', services.runner.activity(task.id) === undefined ? 'ok.task.saved' : 'ok.task.saved.next', {
      name: settings.name,
    });
    redirect(res, taskPath({ id: task.id, name: settings.name }));
  };
}

/** The task of the URL; where it is gone, that has been said. */
export async function taskOf(services: Services, req: Request, res: Response): Promise<StoredTask | undefined> {
  const id = idOf(req.params['id']);
  const task = id === undefined ? undefined : services.tasks.get(id);
  if (task === undefined) await answerGone(req, res, 'task');
  return task;
}

/** The form as typed, with the folder that was gone to and the certificate that was trusted. */
function typedForm(sent: Form): TaskForm {
  const typed = readTaskForm(sent);
  const trusted = sent.text('trust');
  const isThere = sent.has('goRemote') && sent.text('goRemote') !== 'open';
  const folder = isThere ? sent.text('goRemote') : typed.folder;
  const target = sent.has('goLocal') && sent.text('goLocal') !== 'open' ? sent.text('goLocal') : typed.target;
  return {
    ...typed,
    folder,
    target,
    fingerprint: trusted === '' ? typed.fingerprint : trusted,
  };
}

/**
 * A password that was typed and not saved yet waits on this side, so that it need not be typed again and never goes back
 * into the page.
 */
function keepPassword(services: Services, sent: Form): { password: Secret | undefined; kept: string } {
  const nowMs = services.clock.nowMs();
  const id = sent.text('kept');
  const typed = sent.text('password');
  if (typed !== '') {
    const kept = isDraftId(id) ? id : randomUUID();
    const password = new Secret(typed);
    services.drafts.save(kept, {}, password, nowMs);
    return { password, kept };
  }
  const password = isDraftId(id) ? services.drafts.get(id, nowMs)?.password : undefined;
  return { password, kept: password === undefined ? '' : id };
}

function sentRevision(sent: Form): number {
  const revision = Number(sent.text('revision'));
  return Number.isSafeInteger(revision) ? revision : 0;
}

/** The connection as typed, where something beside it is still wrong. */
function sourceAlone(
  state: EditState,
  password: Secret | undefined,
  task: StoredTask,
): TaskSettings['source'] | undefined {
  const { protocol, host, port, user, fingerprint } = state.form ?? EMPTY_TASK_FORM;
  const alone: TaskForm = { ...EMPTY_TASK_FORM, name: 'x', target: '/volume1/x/x' };
  const parsed = parseTaskForm(
    { ...alone, protocol, host, port, user, fingerprint },
    password ?? task.settings?.source.password,
  );
  return 'settings' in parsed ? parsed.settings.source : undefined;
}

/** What only the stores and the disk know. A folder that is not changed is not asked for again: it may be unmounted. */
async function laterMessages(
  services: Services,
  task: StoredTask,
  form: TaskForm,
  faults: readonly FormFault[],
  text: Text,
): Promise<FieldMessage[]> {
  const target = form.target.trim().replace(/(?<=.)\/+$/, '');
  const isMoved = target !== task.settings?.target.folder && !faults.some((fault) => fault.field === 'target');
  const ofTarget = isMoved ? await targetMessages(services, target, text, task.id) : [];
  // Last of all: until the task is saved nobody else can take the name.
  return [...nameTaken(services, form.name, text, task.id), ...ofTarget];
}

async function renderAside(
  services: Services,
  res: Response,
  task: StoredTask,
  sent: Form,
  state: EditState,
  source: TaskSettings['source'] | undefined,
): Promise<void> {
  const { text } = pageOf(res);
  if (sent.has('goLocal')) {
    const roots = await folderRoots(services.settings.read().folderRoots);
    const asked = sent.text('goLocal') === 'open' ? (state.form?.target ?? '') : sent.text('goLocal');
    const opened = await browseLocal(asked, roots, text);
    const local = opened.fault !== '' && sent.text('goLocal') === 'open' ? await browseLocal('', roots, text) : opened;
    await renderEdit(services, res, 200, task, { ...state, local });
  } else if (source === undefined) {
    await renderEdit(services, res, 200, task, state);
  } else if (sent.has('goRemote')) {
    const path = state.form?.folder ?? '/';
    const remote = await browseRemote(services, source, path, path, '', text);
    await renderEdit(services, res, 200, task, { ...state, remote });
  } else {
    const steps = await testConnection(services, source, pageOf(res), String(task.id));
    await renderEdit(services, res, 200, task, { ...state, test: buildTestView(steps, source, text) });
  }
}

/** What the rules as typed would prune tonight. Only they have to be right already. */
async function renderForecast(
  services: Services,
  res: Response,
  task: StoredTask,
  state: EditState,
  faults: readonly FormFault[],
  parsed: ReturnType<typeof parseTaskForm>,
): Promise<void> {
  const { text, dates } = pageOf(res);
  const messages = faultMessages(
    faults.filter(({ field }) => KEEP_FIELDS.some((known) => known === field)),
    text,
  );
  const rules = messages.length > 0 ? undefined : rulesAlone(state.form ?? EMPTY_TASK_FORM, parsed);
  if (rules === undefined) {
    await renderEdit(services, res, 422, task, { ...state, messages });
    return;
  }
  const timeZone = resolveTimeZone(services.settings.read().timeZone);
  const question = {
    stateDir: services.stateDir,
    stateKey: task.stateKey,
    rules,
    nowMs: services.clock.nowMs(),
    timeZone,
  };
  await renderEdit(services, res, 200, task, {
    ...state,
    pruneLines: pruneLines(await forecastPrune(question), text, dates),
  });
}

/** The rules as typed, where something beside them is still wrong. */
function rulesAlone(form: TaskForm, parsed: ReturnType<typeof parseTaskForm>): TaskSettings | undefined {
  if ('settings' in parsed) return parsed.settings;
  const typed = Object.fromEntries(KEEP_FIELDS.map((name) => [name, form[name]]));
  const alone = { ...EMPTY_TASK_FORM, name: 'x', host: 'x', user: 'x', target: '/volume1/x/x', ...typed };
  const again = parseTaskForm(alone, new Secret('x'));
  return 'settings' in again ? again.settings : undefined;
}

/** Somebody else has saved meanwhile: both are shown, and saving again is meant. */
async function renderConflict(
  services: Services,
  req: Request,
  res: Response,
  taskId: number,
  state: EditState,
): Promise<void> {
  const now = services.tasks.get(taskId);
  if (now === undefined) {
    await answerGone(req, res, 'task');
    return;
  }
  const { text } = pageOf(res);
  const theirs = now.settings === undefined ? undefined : taskFormOf(now.settings, now.schedule, text.language);
  const mine = state.form ?? EMPTY_TASK_FORM;
  const changed = [...TEXT_FIELDS, ...LIST_FIELDS].filter(
    (field) => theirs !== undefined && String(theirs[field]) !== String(mine[field]).replaceAll('\r\n', '\n'),
  );
  const differences = changed.map((field) => ({
    field,
    theirs: String(theirs?.[field] ?? ''),
    mine: String(mine[field]),
  }));
  await renderEdit(services, res, 409, now, {
    ...state,
    revision: now.revision,
    conflict: { atMs: now.updatedMs, differences },
  });
}

async function renderEdit(
  services: Services,
  res: Response,
  status: number,
  task: StoredTask,
  state: EditState,
): Promise<void> {
  const page = pageOf(res);
  const isRunning = services.runner.activity(task.id) !== undefined;
  const view = buildEditView(task, state, { isRunning, nowMs: services.clock.nowMs() }, page);
  const title = page.t('ed.title.edit', { name: task.name });
  await render(res, 'edit-task', view, { status, title, menu: 'tasks', scripts: ['forms.js'] });
}
