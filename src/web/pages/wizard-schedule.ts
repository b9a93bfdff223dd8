import type { RequestHandler, Response } from 'express';
import { parseTaskForm, readTaskForm } from '../../settings/parse-form.ts';
import type { FormField, TaskForm } from '../../settings/parse-form.ts';
import { formOf } from '../form.ts';
import { keptForm } from '../kept-form.ts';
import { pageOf } from '../page-context.ts';
import { redirect } from '../redirect.ts';
import { render } from '../render.ts';
import type { Services } from '../services.ts';
import { faultMessages, messagesByField } from './form-words.ts';
import type { FieldMessage } from './form-words.ts';
import { scheduleFieldsView } from './schedule-fields.ts';
import type { ScheduleFieldsView } from './schedule-fields.ts';
import { draftOf, saveDraft, stepViews, wizardPath } from './wizard-draft.ts';
import type { StepView, WizardDraft } from './wizard-draft.ts';

interface ScheduleStepView {
  readonly steps: readonly StepView[];
  readonly form: TaskForm;
  readonly messages: readonly FieldMessage[];
  readonly faults: Readonly<Record<string, string>>;
  readonly schedule: ScheduleFieldsView;
  readonly timeZone: string;
}

/** The fields of a schedule, wherever they stand. */
export const SCHEDULE_FIELDS: readonly FormField[] = [
  'scheduleKind',
  'everyCount',
  'everyUnit',
  'days',
  'times',
  'cron',
  'hasAllowedHours',
  'hoursFrom',
  'hoursTo',
];

export function showScheduleStep(services: Services): RequestHandler {
  return async (req, res) => {
    const draft = await draftOf(services, req, res, 'schedule');
    if (draft === undefined) return;
    const kept = keptForm(req, res, services.clock.nowMs());
    const form = kept === undefined ? draft.form : readTaskForm(kept, draft.form, SCHEDULE_FIELDS);
    await renderStep(services, res, 200, { ...draft, form }, []);
  };
}

export function saveScheduleStep(services: Services): RequestHandler {
  return async (req, res) => {
    const before = await draftOf(services, req, res, 'schedule');
    if (before === undefined) return;
    const sent = formOf(req);
    const { text } = pageOf(res);
    const draft: WizardDraft = { ...before, form: readTaskForm(sent, before.form, SCHEDULE_FIELDS) };
    saveDraft(services, draft);
    if (sent.text('do') === 'back') {
      redirect(res, wizardPath(draft.id, 'folders'));
      return;
    }
    const parsed = parseTaskForm(draft.form, draft.password);
    const faults = 'faults' in parsed ? parsed.faults.filter((fault) => SCHEDULE_FIELDS.includes(fault.field)) : [];
    const isPreview = sent.text('do') === 'preview';
    if (faults.length > 0 || isPreview) {
      const messages = isPreview ? [] : faultMessages(faults, text);
      await renderStep(services, res, isPreview ? 200 : 422, draft, messages);
      return;
    }
    saveDraft(services, { ...draft, stepsDone: Math.max(3, draft.stepsDone) });
    redirect(res, wizardPath(draft.id, 'check'));
  };
}

async function renderStep(
  services: Services,
  res: Response,
  status: number,
  draft: WizardDraft,
  messages: readonly FieldMessage[],
): Promise<void> {
  const { t, text, dates } = pageOf(res);
  const view: ScheduleStepView = {
    steps: stepViews(draft, 'schedule', text),
    form: draft.form,
    messages,
    faults: messagesByField(messages),
    schedule: scheduleFieldsView(draft.form, text, dates, services.clock.nowMs()),
    timeZone: dates.timeZone,
  };
  await render(res, 'wizard-schedule', view, {
    status,
    title: t('ed.title.new'),
    menu: 'tasks',
    scripts: ['forms.js'],
  });
}
