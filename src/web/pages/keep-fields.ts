import { KEEP_STEPS } from '../../settings/keep-form.ts';
import type { TaskForm } from '../../settings/parse-form.ts';
import type { DeletionRule, KeepRule } from '../../settings/task-settings.ts';
import type { Text } from '../../text.ts';

interface RuleView {
  readonly value: string;
  readonly words: string;
  /** Empty where the words say it all. */
  readonly hint: string;
  readonly isChosen: boolean;
}

/** What becomes of files that have gone, and which older versions stay, as a task's form asks for it. */
export interface KeepFieldsView {
  readonly deletions: readonly RuleView[];
  readonly rules: readonly RuleView[];
  readonly steps: readonly {
    readonly id: string;
    readonly words: string;
    readonly value: string;
    readonly fault: string | undefined;
  }[];
  readonly hasStepFault: boolean;
}

/** The recommended ones first. */
const DELETIONS: readonly DeletionRule[] = ['archive', 'keep', 'delete'];
const RULES: readonly KeepRule[] = ['smart', 'last', 'within', 'steps', 'all'];
const STEPS = Object.keys(KEEP_STEPS) as (keyof typeof KEEP_STEPS)[];

export function keepFieldsView(form: TaskForm, faults: Readonly<Record<string, string>>, text: Text): KeepFieldsView {
  const rule = (value: string, key: string, chosen: string): RuleView => ({
    value,
    words: text.t(key),
    hint: text.has(`${key}.hint`) ? text.t(`${key}.hint`) : '',
    isChosen: value === chosen,
  });
  return {
    deletions: DELETIONS.map((value) => rule(value, `od.${value}`, form.deletion)),
    rules: RULES.map((value) => rule(value, `keep.${value}`, form.keepRule)),
    steps: STEPS.map((id) => ({ id, words: text.t(`f.${id}`), value: form[id], fault: faults[id] })),
    hasStepFault: STEPS.some((id) => faults[id] !== undefined),
  };
}
