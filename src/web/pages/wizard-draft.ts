import type { Request, Response } from 'express';
import { EMPTY_TASK_FORM, readTaskForm } from '../../settings/parse-form.ts';
import type { TaskForm } from '../../settings/parse-form.ts';
import type { Secret } from '../../settings/secret.ts';
import { isDraftId } from '../../state/draft-store.ts';
import type { StoredDraft } from '../../state/draft-store.ts';
import type { Text } from '../../text.ts';
import { answerNotFound } from '../error-pages.ts';
import { redirect } from '../redirect.ts';
import type { Services } from '../services.ts';
import type { ConnectionFacts } from './connection-test.ts';

export const WIZARD_STEPS = ['connection', 'folders', 'schedule', 'check'] as const;
export type WizardStep = (typeof WIZARD_STEPS)[number];

/** A task that is being made. */
export interface WizardDraft {
  readonly id: string;
  readonly form: TaskForm;
  readonly password: Secret | undefined;
  /** What was found out when the connection worked; undefined before. */
  readonly connection: ConnectionFacts | undefined;
  /** How many steps are done, from the first on. */
  readonly stepsDone: number;
}

export interface StepView {
  readonly state: 'done' | 'now' | 'next';
  readonly number: string;
  readonly words: string;
  /** Empty where the step cannot be gone to yet. */
  readonly path: string;
}

export function wizardPath(draftId: string, step: WizardStep): string {
  return `/tasks/new/${draftId}/${step}`;
}

export function stepViews(draft: WizardDraft, now: WizardStep, text: Text): StepView[] {
  return WIZARD_STEPS.map((step, index) => {
    const isDone = index < draft.stepsDone;
    return {
      state: step === now ? 'now' : isDone ? 'done' : 'next',
      number: String(index + 1),
      words: text.t(`wz.step.${step}`),
      path: step !== now && index <= draft.stepsDone ? wizardPath(draft.id, step) : '',
    };
  });
}

/**
 * The draft of this request's URL. undefined where the answer has been given: a URL that is none, or a step whose
 * earlier ones are not done (after a day a draft is forgotten).
 */
export async function draftOf(
  services: Services,
  req: Request,
  res: Response,
  step: WizardStep,
): Promise<WizardDraft | undefined> {
  const id = req.params['draft'];
  if (typeof id !== 'string' || !isDraftId(id)) {
    await answerNotFound(req, res, () => undefined);
    return undefined;
  }
  const stored = services.drafts.get(id, services.clock.nowMs());
  const draft = stored === undefined ? newDraft(services, id) : readDraft(stored);
  const missing = WIZARD_STEPS[draft.stepsDone];
  if (missing !== undefined && draft.stepsDone < WIZARD_STEPS.indexOf(step)) {
    redirect(res, wizardPath(id, missing));
    return undefined;
  }
  return draft;
}

export function saveDraft(services: Services, draft: WizardDraft): void {
  const { id, form, password, connection, stepsDone } = draft;
  services.drafts.save(id, { form, connection, stepsDone }, password, services.clock.nowMs());
}

/** Nothing is stored before the first step was sent: opening a page leaves no trace. */
function newDraft(services: Services, id: string): WizardDraft {
  const form = { ...EMPTY_TASK_FORM, times: suggestedTime(services.tasks.list().length) };
  return { id, form, password: undefined, connection: undefined, stepsDone: 0 };
}

const FIRST_MINUTE = 2 * 60;
const STEP_MINUTES = 15;
const LAST_MINUTE = 6 * 60;

/** From 02:00 on, each further task a quarter of an hour later, so that thirty sites do not start together. */
export function suggestedTime(taskCount: number): string {
  const minute = FIRST_MINUTE + ((taskCount * STEP_MINUTES) % (LAST_MINUTE - FIRST_MINUTE));
  return `0${Math.floor(minute / 60)}:${String(minute % 60).padStart(2, '0')}`;
}

/** What an earlier version wrote, or lacks, is a field that was not typed. */
function readDraft(stored: StoredDraft): WizardDraft {
  const { form, connection, stepsDone } = stored.content;
  const fields = (typeof form === 'object' && form !== null ? form : {}) as Record<string, unknown>;
  const list = (name: string): readonly string[] => {
    const value = fields[name];
    return (Array.isArray(value) ? value : [value]).filter((item) => typeof item === 'string');
  };
  return {
    id: stored.id,
    form: readTaskForm({ list, text: (name) => list(name)[0] ?? '' }),
    password: stored.password,
    connection: connection as ConnectionFacts | undefined,
    stepsDone: typeof stepsDone === 'number' ? stepsDone : 0,
  };
}
