import { posix } from 'node:path';
import type { RequestHandler, Response } from 'express';
import { parseTaskForm, readTaskForm } from '../../settings/parse-form.ts';
import type { TaskForm } from '../../settings/parse-form.ts';
import type { SourceSettings } from '../../settings/task-settings.ts';
import { folderRoots, probeLocalFolder } from '../../tasks/local-folders.ts';
import type { FolderRoot } from '../../tasks/local-folders.ts';
import type { Text } from '../../text.ts';
import { formOf } from '../form.ts';
import type { Form } from '../form.ts';
import { keptForm } from '../kept-form.ts';
import { pageOf } from '../page-context.ts';
import { redirect } from '../redirect.ts';
import { render } from '../render.ts';
import type { Services } from '../services.ts';
import { slugOf } from '../task-path.ts';
import { connectionWords } from './connection-test.ts';
import { filterSetViews } from './filter-set-views.ts';
import type { FilterSetView } from './filter-set-views.ts';
import {
  browseLocal,
  browseRemote,
  makeAskedFolder,
  remoteFolder,
  rootWords,
  typedRemoteFolder,
  wantsNewFolder,
} from './folder-pickers.ts';
import type { PickerView } from './folder-pickers.ts';
import { faultMessages, messagesByField } from './form-words.ts';
import type { FieldMessage } from './form-words.ts';
import { draftOf, saveDraft, stepViews, wizardPath } from './wizard-draft.ts';
import type { StepView, WizardDraft } from './wizard-draft.ts';

interface FoldersView {
  readonly steps: readonly StepView[];
  readonly backPath: string;
  readonly connected: string;
  readonly isPlain: boolean;
  readonly form: TaskForm;
  readonly messages: readonly FieldMessage[];
  readonly faults: Readonly<Record<string, string>>;
  readonly remote: PickerView;
  readonly sets: readonly FilterSetView[];
  readonly roots: readonly { readonly path: string; readonly words: string; readonly isChosen: boolean }[];
  /** The place below the shared folder. */
  readonly subfolder: string;
  readonly local: PickerView | undefined;
  readonly hiddenRoots: string;
}

export function showFoldersStep(services: Services): RequestHandler {
  return async (req, res) => {
    const draft = await draftOf(services, req, res, 'folders');
    if (draft === undefined) return;
    const query = req.query as Readonly<Record<string, unknown>>;
    const path = typeof query['path'] === 'string' ? remoteFolder(query['path']) : undefined;
    const local = typeof query['local'] === 'string' ? query['local'] : undefined;
    const kept = keptForm(req, res, services.clock.nowMs());
    await renderStep(services, res, 200, kept === undefined ? draft : typedFolders(draft, kept), [], path, local);
  };
}

export function saveFoldersStep(services: Services): RequestHandler {
  return async (req, res) => {
    const before = await draftOf(services, req, res, 'folders');
    if (before === undefined) return;
    const sent = formOf(req);
    const { text } = pageOf(res);
    const draft = typedFolders(before, sent);
    saveDraft(services, draft);

    const step = wizardPath(draft.id, 'folders');
    if (sent.text('do') === 'back') {
      redirect(res, wizardPath(draft.id, 'connection'));
      return;
    }
    const typed = typedRemoteFolder(sent);
    const isBrowsing = typed !== undefined || ['goRemote', 'goLocal'].some((name) => sent.has(name));
    if (isBrowsing && (typed === undefined || remoteFolder(typed) !== undefined)) {
      const path = typed ?? (sent.has('goRemote') ? sent.text('goRemote') : sent.text('path'));
      const goLocal = sent.text('goLocal') === 'open' ? '' : sent.text('goLocal');
      const local = sent.has('goLocal') ? goLocal : sent.has('local') ? sent.text('local') : undefined;
      const query = new URLSearchParams({ path, ...(local === undefined ? {} : { local }) });
      redirect(res, `${step}?${query.toString()}#${sent.has('goLocal') ? 'target' : 'folder'}`);
      return;
    }
    if (wantsNewFolder(sent)) {
      const made = await makeAskedFolder(services, sent, text);
      const path = sent.text('path');
      if ('message' in made) {
        const [local, name] = [sent.text('local'), sent.text('newFolder')];
        await renderStep(services, res, 422, draft, [made.message], remoteFolder(path), local, name);
        return;
      }
      redirect(res, `${step}?${new URLSearchParams({ path, local: made.path }).toString()}#target`);
      return;
    }
    const messages = await folderMessages(services, draft, text);
    if (messages.length > 0) {
      const local = sent.has('local') ? sent.text('local') : undefined;
      await renderStep(services, res, 422, draft, messages, remoteFolder(sent.text('path')), local);
      return;
    }
    saveDraft(services, { ...draft, stepsDone: Math.max(2, draft.stepsDone) });
    redirect(res, wizardPath(draft.id, 'schedule'));
  };
}

function typedFolders(before: WizardDraft, sent: Form): WizardDraft {
  const typed = readTaskForm(sent, before.form, ['folder', 'exclude', 'sets']);
  const [root, subfolder] = [sent.text('root'), sent.text('subfolder').trim()];
  const target = root === '' ? '' : `${root}/${subfolder}`;
  // Without a row ticked, the folder that is open is meant.
  const chosen = typed.folder === '' ? sent.text('path') : typed.folder;
  const path = typedRemoteFolder(sent);
  const folder = path === undefined ? chosen : (remoteFolder(path) ?? path);
  return { ...before, form: { ...typed, folder, target } };
}

const STEP_FIELDS: readonly string[] = ['folder', 'exclude', 'sets', 'target'];

/** What is wrong with the folders of a draft; the one on the NAS is tried. */
export async function folderMessages(services: Services, draft: WizardDraft, text: Text): Promise<FieldMessage[]> {
  const parsed = parseTaskForm(draft.form, draft.password);
  if ('faults' in parsed) {
    const faults = parsed.faults.filter((fault) => STEP_FIELDS.includes(fault.field));
    return faultMessages(faults, text);
  }
  return targetMessages(services, parsed.settings.target.folder, text);
}

/** Whether `folder` can be written to, lies where tasks may, and is no other task's. */
export async function targetMessages(
  services: Services,
  folder: string,
  text: Text,
  ownId?: number,
): Promise<FieldMessage[]> {
  const isWithin = (inner: string, outer: string): boolean => inner === outer || inner.startsWith(`${outer}/`);
  const other = services.tasks.list().find((task) => {
    const taken = task.settings?.target.folder;
    return task.id !== ownId && taken !== undefined && (isWithin(folder, taken) || isWithin(taken, folder));
  });
  if (other !== undefined) return [{ field: 'target', words: text.t('e.local.used', { task: other.name }) }];
  const roots = await folderRoots(services.settings.read().folderRoots);
  const fault = await probeLocalFolder(folder, roots);
  return fault === undefined ? [] : [{ field: 'target', words: text.t(`folder.${fault}`, { path: folder }) }];
}

async function renderStep(
  services: Services,
  res: Response,
  status: number,
  draft: WizardDraft,
  messages: readonly FieldMessage[],
  remotePath: string | undefined,
  localPath: string | undefined,
  newFolder = '',
): Promise<void> {
  const { t, text } = pageOf(res);
  const roots = await folderRoots(services.settings.read().folderRoots);
  const source = sourceOf(draft);
  if (source === undefined) {
    redirect(res, wizardPath(draft.id, 'connection'));
    return;
  }
  const { folder } = draft.form;
  const here = remotePath ?? (folder === '/' ? '/' : posix.dirname(folder));
  const remote = await browseRemote(services, source, here, folder, 'folder', text);
  const local = localPath === undefined ? undefined : await browseLocal(localPath, roots, text, newFolder);
  const view: FoldersView = {
    steps: stepViews(draft, 'folders', text),
    backPath: wizardPath(draft.id, 'connection'),
    connected: draft.connection === undefined ? '' : connectionWords(draft.connection, text),
    isPlain: draft.form.protocol === 'ftp',
    messages,
    faults: messagesByField(messages),
    form: draft.form,
    remote,
    sets: filterSetViews(draft.form.sets, text),
    // What was typed and is wrong stays to be corrected.
    ...placeViews(draft, roots, messages.length > 0 ? undefined : local, services.shareName, text),
    local,
  };
  await render(res, 'wizard-folders', view, { status, title: t('ed.title.new'), menu: 'tasks', scripts: ['forms.js'] });
}

/** The shared folder and the place in it: where the picker is, else what was typed, else a proposal. */
function placeViews(
  draft: WizardDraft,
  roots: readonly FolderRoot[],
  local: PickerView | undefined,
  shareName: string | undefined,
  text: Text,
): Pick<FoldersView, 'roots' | 'subfolder' | 'hiddenRoots'> {
  const writable = roots.filter((root) => root.isWritable);
  const isOpen = local !== undefined && local.fault === '' && local.path !== '';
  const target = isOpen ? local.path : draft.form.target;
  const root =
    writable.find((item) => target === item.path || target.startsWith(`${item.path}/`)) ??
    writable.find((item) => item.name === shareName) ??
    writable[0];
  const isTyped = root !== undefined && target.startsWith(root.path);
  const below = isTyped ? target.slice(root.path.length).replace(/^\/+/, '') : '';
  const hidden = roots.length - writable.length;
  return {
    roots: writable.map((item) => ({ path: item.path, words: rootWords(item, text), isChosen: item === root })),
    // The top of a shared folder is seldom meant: a new folder in the one that is open is proposed.
    subfolder: isOpen || below === '' ? posix.join(below, slugOf(draft.form.name)) : below,
    hiddenRoots: hidden === 0 ? '' : text.t('wz.hiddenroots', { count: hidden }),
  };
}

/** The connection of the draft, whatever else is still missing in it. */
function sourceOf(draft: WizardDraft): SourceSettings | undefined {
  const parsed = parseTaskForm(
    { ...draft.form, folder: '/', exclude: '', target: '/volume1/later/on' },
    draft.password,
  );
  return 'settings' in parsed ? parsed.settings.source : undefined;
}
