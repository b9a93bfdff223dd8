import { randomUUID } from 'node:crypto';
import type { RequestHandler, Response } from 'express';
import { addressParts, parseTaskForm, readTaskForm } from '../../settings/parse-form.ts';
import type { FormField, TaskForm } from '../../settings/parse-form.ts';
import { DEFAULT_PORTS } from '../../settings/parse-task.ts';
import { Secret } from '../../settings/secret.ts';
import type { Text } from '../../text.ts';
import { formOf } from '../form.ts';
import type { Form } from '../form.ts';
import { keptForm } from '../kept-form.ts';
import { pageOf } from '../page-context.ts';
import { redirect } from '../redirect.ts';
import { render } from '../render.ts';
import type { Services } from '../services.ts';
import { buildTestView, connectionFacts, isUsable, testConnection } from './connection-test.ts';
import type { TestView } from './connection-test.ts';
import { faultMessages, messagesByField } from './form-words.ts';
import type { FieldMessage } from './form-words.ts';
import { draftOf, saveDraft, stepViews, wizardPath } from './wizard-draft.ts';
import type { StepView, WizardDraft } from './wizard-draft.ts';

interface ConnectionView {
  readonly steps: readonly StepView[];
  readonly form: TaskForm;
  readonly messages: readonly FieldMessage[];
  readonly faults: Readonly<Record<string, string>>;
  /** A password is kept with the draft, and need not be typed again. */
  readonly hasPassword: boolean;
  readonly test: TestView | undefined;
  /** Tells the steps of a test that is under way. */
  readonly testPath: string;
  readonly portHints: string;
}

const STEP_FIELDS: readonly FormField[] = ['protocol', 'host', 'port', 'user', 'name'];
/** What can be wrong here; the other steps' fields are not filled in yet. */
const CHECKED_FIELDS: readonly string[] = [...STEP_FIELDS, 'password', 'fingerprint'];
/** Stands for the folder that the next step asks for; a name that is left empty is taken from the server. */
const FOLDER_TO_COME = '/volume1/later/on';

/** A new draft at each call; it is stored with its first step. */
export const newTask: RequestHandler = (_req, res) => {
  redirect(res, wizardPath(randomUUID(), 'connection'));
};

export function showConnectionStep(services: Services): RequestHandler {
  return async (req, res) => {
    const draft = await draftOf(services, req, res, 'connection');
    if (draft === undefined) return;
    const kept = keptForm(req, res, services.clock.nowMs());
    const form = kept === undefined ? draft.form : readTaskForm(kept, draft.form, STEP_FIELDS);
    await renderStep(res, 200, { ...draft, form }, [], undefined);
  };
}

/** Tests the connection; goes on where it works. */
export function saveConnectionStep(services: Services): RequestHandler {
  return async (req, res) => {
    const before = await draftOf(services, req, res, 'connection');
    if (before === undefined) return;
    const { text } = pageOf(res);
    const draft = typedConnection(before, formOf(req));
    saveDraft(services, draft);
    const name = draft.form.name === '' ? 'x' : draft.form.name;
    const parsed = parseTaskForm({ ...draft.form, name, target: FOLDER_TO_COME }, draft.password);
    const faults = 'faults' in parsed ? parsed.faults.filter((fault) => CHECKED_FIELDS.includes(fault.field)) : [];
    const messages = [...faultMessages(faults, text), ...nameTaken(services, draft.form.name, text)];
    if (messages.length > 0 || 'faults' in parsed) {
      await renderStep(res, 422, draft, messages, undefined);
      return;
    }
    const { source } = parsed.settings;
    const steps = await testConnection(services, source, pageOf(res), draft.id);
    if (!isUsable(steps)) {
      await renderStep(res, 422, draft, [], buildTestView(steps, source, text));
      return;
    }
    const stepsDone = Math.max(1, draft.stepsDone);
    saveDraft(services, { ...draft, connection: connectionFacts(steps, source), stepsDone });
    redirect(res, wizardPath(draft.id, 'folders'));
  };
}

export function nameTaken(services: Services, name: string, text: Text, ownId?: number): FieldMessage[] {
  const id = services.tasks.idByName(name.trim());
  if (id === undefined || id === ownId) return [];
  return [{ field: 'name', words: text.t('e.name.taken', { name: name.trim() }) }];
}

/** The draft with what was typed. An address that was pasted into the field for the server fills the others. */
function typedConnection(before: WizardDraft, sent: Form): WizardDraft {
  const typed = readTaskForm(sent, before.form, STEP_FIELDS);
  const parts = addressParts(sent.text('host'));
  const { password: pasted = '', ...fields } = parts ?? {};
  const user = parts === undefined || parts.user === '' ? typed.user : parts.user;
  const filled: TaskForm = { ...typed, ...fields, user };
  const isSameServer = filled.host.trim() === before.form.host.trim() && filled.protocol === before.form.protocol;
  const trusted = sent.text('trust') === '' ? (isSameServer ? before.form.fingerprint : '') : sent.text('trust');
  const password = sent.text('password') === '' ? pasted : sent.text('password');
  return {
    ...before,
    form: {
      ...filled,
      name: filled.name.trim() === '' ? suggestedName(filled.host) : filled.name,
      fingerprint: trusted,
    },
    password: password === '' ? before.password : new Secret(password),
    // What was found out about another connection says nothing about this one.
    connection: undefined,
    stepsDone: isSameServer ? before.stepsDone : 0,
  };
}

/** `ftp.garage-morel.fr` is the site of garage-morel.fr. */
function suggestedName(host: string): string {
  return host
    .trim()
    .replace(/^(ftps?|ssh|sftp|www)\./i, '')
    .slice(0, 100);
}

async function renderStep(
  res: Response,
  status: number,
  draft: WizardDraft,
  messages: readonly FieldMessage[],
  test: TestView | undefined,
): Promise<void> {
  const { t, text } = pageOf(res);
  const view: ConnectionView = {
    steps: stepViews(draft, 'connection', text),
    form: draft.form,
    messages,
    faults: messagesByField(messages),
    hasPassword: draft.password !== undefined,
    test,
    testPath: `/tasks/new/${draft.id}/test`,
    portHints: t('f.port.hint', { ftp: DEFAULT_PORTS.ftp, implicit: DEFAULT_PORTS['ftps-implicit'] }),
  };
  await render(res, 'wizard-connection', view, {
    status,
    title: t('ed.title.new'),
    menu: 'tasks',
    scripts: ['forms.js'],
  });
}
