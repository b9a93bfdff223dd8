import type { RequestHandler, Response } from 'express';
import { parseTaskForm } from '../../settings/parse-form.ts';
import { FILTER_SETS } from '../../settings/filter-sets.ts';
import type { Schedule } from '../../settings/schedule.ts';
import type { TaskSettings } from '../../settings/task-settings.ts';
import type { EstimateState } from '../../tasks/estimates.ts';
import { freeBytesFor } from '../../tasks/local-folders.ts';
import type { Text, TextFacts } from '../../text.ts';
import { errorWords } from '../error-words.ts';
import { flash } from '../flash.ts';
import { formOf } from '../form.ts';
import { pageOf } from '../page-context.ts';
import { redirect } from '../redirect.ts';
import { render } from '../render.ts';
import type { Services } from '../services.ts';
import { taskPath } from '../task-path.ts';
import { holdsBackup } from './adopt.ts';
import { keepWords } from './keep-words.ts';
import { noteActivity } from './note-activity.ts';
import { faultMessages } from './form-words.ts';
import type { FieldMessage } from './form-words.ts';
import { nextWords } from './schedule-fields.ts';
import { scheduleWords } from './schedule-words.ts';
import { nameTaken } from './wizard-connection.ts';
import { draftOf, saveDraft, stepViews, wizardPath } from './wizard-draft.ts';
import type { StepView, WizardDraft, WizardStep } from './wizard-draft.ts';
import { targetMessages } from './wizard-folders.ts';

interface CheckView {
  readonly steps: readonly StepView[];
  readonly rows: readonly SummaryRow[];
  /** With the page where each can be corrected. */
  readonly problems: readonly { readonly words: string; readonly path: string }[];
  readonly isPlain: boolean;
  readonly estimate: EstimateView | undefined;
}

interface EstimateView {
  readonly isRunning: boolean;
  readonly words: string;
  /** Empty where what was seen fits on the volume. */
  readonly warning: string;
}

interface SummaryRow {
  readonly label: string;
  readonly lines: readonly string[];
  /** Where it can be changed; empty for what no step asks for. */
  readonly path: string;
}

export function showCheckStep(services: Services): RequestHandler {
  return async (req, res) => {
    const draft = await draftOf(services, req, res, 'check');
    if (draft !== undefined) await renderStep(services, res, 200, draft, []);
  };
}

/** Makes the task, and starts its first run where that was ticked. */
export function createTask(services: Services): RequestHandler {
  return async (req, res) => {
    const draft = await draftOf(services, req, res, 'check');
    if (draft === undefined) return;
    const { text, account } = pageOf(res);
    if (formOf(req).text('do') === 'back') {
      redirect(res, wizardPath(draft.id, 'schedule'));
      return;
    }
    const parsed = parseTaskForm(draft.form, draft.password);
    const ofTarget = 'faults' in parsed ? [] : await targetMessages(services, parsed.settings.target.folder, text);
    if (services.drafts.get(draft.id, services.clock.nowMs()) === undefined) {
      // The other of two presses of the button has made the task meanwhile.
      redirect(res, '/tasks');
      return;
    }
    const messages =
      'faults' in parsed
        ? faultMessages(parsed.faults, text)
        : [...nameTaken(services, parsed.settings.name, text), ...ofTarget];
    if ('faults' in parsed || messages.length > 0) {
      await renderStep(services, res, 422, draft, messages);
      return;
    }
    const { settings, schedule } = parsed;
    const id = services.tasks.add(settings, schedule, services.clock.nowMs());
    // Of two presses of the button the second finds no draft.
    services.drafts.remove(draft.id);
    services.estimates.forget(draft.id);
    services.scheduler.reload();
    noteActivity(services, account, 'task-created', settings.name);
    const task = services.tasks.get(id);
    if (task !== undefined && (await holdsBackup(services, task))) {
      flash(res, 'info', 'ok.created.adopt', { name: settings.name });
      redirect(res, `${taskPath(task)}/adopt`);
      return;
    }
    const isStarted = formOf(req).has('start') && services.runner.start(id, 'user', account) !== undefined;
    const isQueued = services.runner.activity(id)?.phase === 'queued';
    const key = !isStarted ? 'ok.created' : isQueued ? 'ok.created.queued' : 'ok.created.started';
    flash(res, 'ok', key, { name: settings.name });
    redirect(res, taskPath({ id, name: settings.name }));
  };
}

/** Forgets the draft. */
export function dropDraft(services: Services): RequestHandler {
  return async (req, res) => {
    const draft = await draftOf(services, req, res, 'connection');
    if (draft === undefined) return;
    services.drafts.remove(draft.id);
    services.estimates.forget(draft.id);
    redirect(res, '/tasks');
  };
}

/** What will be made, by the step where it can be changed. */
export function summaryRows(
  settings: TaskSettings,
  schedule: Schedule,
  facts: { readonly next: string; readonly freeBytes: number | undefined; readonly draftId: string },
  text: Text,
): SummaryRow[] {
  const t = (key: string, values?: TextFacts): string => text.t(key, values);
  const { source, filters } = settings;
  const row = (key: string, step: WizardStep, lines: readonly string[]): SummaryRow => ({
    label: t(key),
    lines: lines.filter((line) => line !== ''),
    path: wizardPath(facts.draftId, step),
  });
  const sets = filters.sets.filter((name) => Object.hasOwn(FILTER_SETS, name)).map((name) => t(`set.${name}`));
  const left = [...sets, ...filters.exclude];
  const free = facts.freeBytes === undefined ? '' : t('wz.free', { free: text.bytes(facts.freeBytes) });
  const server = t('wz.server', { user: source.user, host: source.host, port: source.port });
  return [
    row('f.name', 'connection', [settings.name]),
    row('td.source', 'connection', [server, t(`proto.${source.protocol}`)]),
    row('f.remote', 'folders', [source.folder]),
    row('f.exclude', 'folders', [left.length === 0 ? t('wz.nothing') : left.join(', ')]),
    row('td.dest', 'folders', [settings.target.folder, free]),
    row('td.schedule', 'schedule', [scheduleWords(schedule, text), facts.next]),
    { label: t('tab.versions'), lines: [keepWords(settings, text).join(' '), t('wz.keep.later')], path: '' },
  ];
}

async function renderStep(
  services: Services,
  res: Response,
  status: number,
  draft: WizardDraft,
  messages: readonly FieldMessage[],
): Promise<void> {
  const { t, text, dates } = pageOf(res);
  const parsed = parseTaskForm(draft.form, draft.password);
  if ('faults' in parsed && messages.length === 0) {
    // Something became wrong since the steps were done, such as a setting of an earlier version.
    saveDraft(services, { ...draft, stepsDone: 0 });
    redirect(res, wizardPath(draft.id, 'connection'));
    return;
  }
  const freeBytes = 'faults' in parsed ? undefined : await freeBytesFor(parsed.settings.target.folder);
  const seen = 'faults' in parsed ? undefined : services.estimates.of(draft.id, parsed.settings);
  const view: CheckView = {
    steps: stepViews(draft, 'check', text),
    rows:
      'faults' in parsed
        ? []
        : summaryRows(
            parsed.settings,
            parsed.schedule,
            {
              next: nextWords(parsed.schedule, text, dates, services.clock.nowMs()),
              freeBytes,
              draftId: draft.id,
            },
            text,
          ),
    problems: messages.map(({ field, words }) => ({ words, path: wizardPath(draft.id, stepOfField(field)) })),
    isPlain: draft.form.protocol === 'ftp',
    estimate: seen === undefined ? undefined : estimateView(seen, freeBytes, text),
  };
  await render(res, 'wizard-check', view, {
    status,
    title: t('ed.title.new'),
    menu: 'tasks',
    scripts: ['forms.js'],
  });
}

/** What a look at the site has found. Never more than was seen: `at least` as long as not all was. */
export function estimateView(
  { isRunning, estimate }: EstimateState,
  freeBytes: number | undefined,
  text: Text,
): EstimateView {
  const { files, folders, bytes, isComplete, failure } = estimate;
  const facts = {
    size: text.bytes(bytes),
    files: text.t('count.files', { count: files }),
    folders: text.t('count.folders', { count: folders }),
  };
  const key = isRunning ? 'running' : isComplete ? 'complete' : 'part';
  const isTooLarge = freeBytes !== undefined && bytes > freeBytes;
  return {
    isRunning,
    words:
      failure === undefined
        ? text.t(`wz.estimate.${key}`, facts)
        : text.t('wz.estimate.unknown', { cause: errorWords(text, failure.code, failure.facts).cause }),
    warning: isTooLarge ? text.t('wz.estimate.toolarge', { free: text.bytes(freeBytes) }) : '',
  };
}

function stepOfField(field: string): WizardStep {
  if (['name', 'protocol', 'host', 'port', 'user', 'password', 'fingerprint'].includes(field)) return 'connection';
  return ['folder', 'sets', 'exclude', 'target'].includes(field) ? 'folders' : 'schedule';
}
