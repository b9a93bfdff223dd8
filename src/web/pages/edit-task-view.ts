import { GUARD_LIMITS } from '../../settings/guard-form.ts';
import { KEEP_FIELDS } from '../../settings/keep-form.ts';
import { EMPTY_TASK_FORM, taskFormOf } from '../../settings/parse-form.ts';
import type { FormField, TaskForm } from '../../settings/parse-form.ts';
import type { StoredTask } from '../../state/task-store.ts';
import type { PageContext } from '../page-context.ts';
import { taskPath } from '../task-path.ts';
import type { TestView } from './connection-test.ts';
import { filterSetViews } from './filter-set-views.ts';
import type { FilterSetView } from './filter-set-views.ts';
import type { PickerView } from './folder-pickers.ts';
import { FIELD_LABELS, messagesByField } from './form-words.ts';
import type { FieldMessage } from './form-words.ts';
import { guardFieldViews } from './guard-fields.ts';
import { keepFieldsView } from './keep-fields.ts';
import type { KeepFieldsView } from './keep-fields.ts';
import type { GuardFieldView } from './guard-fields.ts';
import { scheduleFieldsView } from './schedule-fields.ts';
import type { ScheduleFieldsView } from './schedule-fields.ts';

/** What a request adds to the task that is edited. */
export interface EditState {
  /** As typed; undefined: as stored. */
  readonly form?: TaskForm;
  /** The draft that holds a password which was typed and not saved; empty: none. */
  readonly kept?: string;
  /** The revision that the form began with. */
  readonly revision?: number;
  readonly messages?: readonly FieldMessage[];
  readonly test?: TestView;
  readonly remote?: PickerView;
  readonly local?: PickerView;
  readonly pruneLines?: readonly string[];
  readonly conflict?: { readonly atMs: number; readonly differences: readonly Difference[] };
}

interface Difference {
  readonly field: FormField;
  readonly theirs: string;
  readonly mine: string;
}

export interface EditView {
  readonly name: string;
  readonly taskPath: string;
  readonly form: TaskForm;
  readonly kept: string;
  readonly revision: number;
  readonly messages: readonly FieldMessage[];
  readonly faults: Readonly<Record<string, string>>;
  readonly sections: readonly SectionView[];
  readonly hasPassword: boolean;
  readonly isRunning: boolean;
  /** The task as it is stored cannot be used. */
  readonly isBroken: boolean;
  readonly test: TestView | undefined;
  readonly remote: PickerView | undefined;
  readonly local: PickerView | undefined;
  readonly sets: readonly FilterSetView[];
  readonly guards: readonly GuardFieldView[];
  readonly keep: KeepFieldsView;
  /** What would be pruned, where that was asked. */
  readonly pruneLines: readonly string[] | undefined;
  readonly schedule: ScheduleFieldsView;
  readonly speedRows: readonly { readonly from: string; readonly to: string; readonly limit: string }[];
  readonly conflict: ConflictView | undefined;
  readonly timeZone: string;
}

interface SectionView {
  readonly id: string;
  readonly words: string;
  readonly faultCount: number;
}

interface ConflictView {
  readonly heading: string;
  readonly rows: readonly { readonly label: string; readonly theirs: string; readonly mine: string }[];
}

/** The sections of the page, with the fields in each. */
const SECTIONS: readonly (readonly [id: string, fields: readonly FormField[]])[] = [
  ['general', ['name']],
  ['conn', ['protocol', 'host', 'port', 'user', 'password', 'fingerprint']],
  ['what', ['folder', 'sets', 'exclude', 'include', 'minSize', 'maxSize', 'newerThanDays', 'olderThanDays']],
  ['where', ['target']],
  [
    'when',
    ['scheduleKind', 'everyCount', 'everyUnit', 'days', 'times', 'cron', 'hasAllowedHours', 'hoursFrom', 'hoursTo'],
  ],
  ['keep', [...KEEP_FIELDS, 'guards', ...GUARD_LIMITS]],
];
const LAST_SECTION = 'adv';

/** Empty rows for more hours in the table of speeds. */
const SPARE_ROWS = 2;

export function buildEditView(
  task: StoredTask,
  state: EditState,
  facts: { readonly isRunning: boolean; readonly nowMs: number },
  page: Pick<PageContext, 'text' | 'dates'>,
): EditView {
  const { text, dates } = page;
  const stored = task.settings === undefined ? undefined : taskFormOf(task.settings, task.schedule, text.language);
  const form = state.form ?? stored ?? { ...EMPTY_TASK_FORM, name: task.name };
  const messages = state.messages ?? [];
  const { conflict } = state;
  return {
    name: task.name,
    taskPath: taskPath(task),
    form,
    kept: state.kept ?? '',
    revision: state.revision ?? task.revision,
    messages,
    faults: messagesByField(messages),
    sections: sectionViews(messages, (key) => text.t(key)),
    hasPassword: state.kept !== undefined && state.kept !== '' ? true : task.settings !== undefined,
    isRunning: facts.isRunning,
    isBroken: task.settings === undefined,
    test: state.test,
    remote: state.remote,
    local: state.local,
    sets: filterSetViews(form.sets, text),
    guards: guardFieldViews(form, text),
    keep: keepFieldsView(form, messagesByField(messages), text),
    pruneLines: state.pruneLines,
    schedule: scheduleFieldsView(form, text, dates, facts.nowMs),
    speedRows: speedRows(form),
    conflict:
      conflict === undefined
        ? undefined
        : {
            heading: text.t('e.changed', { t: dates.inWords(conflict.atMs) }),
            rows: conflict.differences.map(({ field, theirs, mine }) => ({
              label: text.t(FIELD_LABELS[field]),
              theirs,
              mine,
            })),
          },
    timeZone: dates.timeZone,
  };
}

function sectionViews(messages: readonly FieldMessage[], t: (key: string) => string): SectionView[] {
  const known = SECTIONS.flatMap(([, fields]) => fields as readonly string[]);
  const count = (isIn: (field: string) => boolean): number => messages.filter(({ field }) => isIn(field)).length;
  const sections = SECTIONS.map(([id, fields]) => ({
    id,
    words: t(`ed.sec.${id}`),
    faultCount: count((field) => (fields as readonly string[]).includes(field)),
  }));
  const last = { id: LAST_SECTION, words: t(`ed.sec.${LAST_SECTION}`), faultCount: count((f) => !known.includes(f)) };
  return [...sections, last];
}

function speedRows(form: TaskForm): EditView['speedRows'] {
  const typed = Math.max(form.speedFrom.length, form.speedTo.length, form.speedLimit.length);
  const rows = Array.from({ length: typed }, (_, index) => ({
    from: form.speedFrom[index] ?? '',
    to: form.speedTo[index] ?? '',
    limit: form.speedLimit[index] ?? '',
  })).filter((row) => row.from !== '' || row.to !== '' || row.limit !== '');
  return [...rows, ...Array.from({ length: SPARE_ROWS }, () => ({ from: '', to: '', limit: '' }))];
}
