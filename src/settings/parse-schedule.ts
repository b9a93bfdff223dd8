import { CRON_LENGTH_MAX, parseCron } from './cron-expression.ts';
import { nextRunAt } from './next-run-at.ts';
import type { AllowedHours, Schedule, ScheduleRule, TimeOfDay } from './schedule.ts';
import type { SettingsFault } from './settings-fault.ts';

const INTERVAL_MINUTES_MIN = 5;
/** Seven days. */
const INTERVAL_MINUTES_MAX = 10_080;
/** Times of day in one schedule. */
const TIMES_MAX = 24;

const KINDS: readonly ScheduleRule['kind'][] = ['manual', 'interval', 'weekly', 'cron'];

/**
 * Turns a schedule as it is stored and exported (the shape of `Schedule`) into one that is tidy: days and times
 * ascend, none is there twice. Or says everything that is wrong with it, with paths below `/schedule`. Never throws.
 */
export function parseSchedule(json: unknown): { schedule: Schedule } | { faults: readonly SettingsFault[] } {
  const faults: SettingsFault[] = [];
  const add: AddFault = (path, key, facts = {}, allowed) => {
    faults.push({ path: `/schedule${path}`, key, facts, allowed });
  };
  const { rule: ruleJson, allowedHours: hoursJson } = membersOf(json);
  const rule = ruleOf(membersOf(ruleJson), add);
  const allowedHours = hoursOf(hoursJson, add);
  return rule === undefined || faults.length > 0 ? { faults } : { schedule: { rule, allowedHours } };
}

/** Fields of an HTML form. */
export interface ScheduleForm {
  /** The field as typed; empty where it was not sent. */
  text(name: string): string;
  /** All values of the field. */
  list(name: string): readonly string[];
}

/**
 * The schedule that a form describes, for `parseSchedule`. Its fields: `scheduleKind`; `everyCount` and `everyUnit`
 * (minutes, hours, days); `days` (0 to 6, several) and `times` (in one text, or several); `cron`; and for the hours
 * `hasAllowedHours`, `hoursFrom`, `hoursTo`. Fields of a kind that was not chosen are not looked at.
 */
export function scheduleFormJson(form: ScheduleForm): unknown {
  const kind = form.text('scheduleKind');
  const times = form.list('times').flatMap((text) => text.split(/[\s,;]+/).filter((part) => part !== ''));
  const rules: Readonly<Record<string, object>> = {
    interval: { kind, everyMinutes: minutesOf(form.text('everyCount'), form.text('everyUnit')) },
    weekly: { kind, days: form.list('days').map((text) => numberOf(text)), times },
    cron: { kind, expression: form.text('cron') },
  };
  const rule = Object.hasOwn(rules, kind) ? rules[kind] : { kind };
  if (form.text('hasAllowedHours') === '') return { rule };
  return { rule, allowedHours: { from: form.text('hoursFrom').trim(), to: form.text('hoursTo').trim() } };
}

/** The field of `scheduleFormJson` that a fault of `parseSchedule` belongs to. */
export function scheduleFieldOf(fault: SettingsFault): string {
  const part = fault.path.split('/').findLast((name) => Object.hasOwn(FIELD_OF_PART, name));
  return part === undefined ? 'scheduleKind' : (FIELD_OF_PART[part] ?? 'scheduleKind');
}

const FIELD_OF_PART: Readonly<Record<string, string>> = {
  everyMinutes: 'everyCount',
  days: 'days',
  times: 'times',
  expression: 'cron',
  from: 'hoursFrom',
  to: 'hoursTo',
  allowedHours: 'hoursFrom',
};

type AddFault = (path: string, key: string, facts?: SettingsFault['facts'], allowed?: string) => void;

function membersOf(json: unknown): Readonly<Record<string, unknown>> {
  return typeof json === 'object' && json !== null ? (json as Record<string, unknown>) : {};
}

function ruleOf(json: Readonly<Record<string, unknown>>, add: AddFault): ScheduleRule | undefined {
  const kind = KINDS.find((known) => known === json['kind']);
  switch (kind) {
    case undefined: {
      const values = KINDS.map((known) => `"${known}"`).join(', ');
      add('/rule/kind', 'fault.value', { values }, 'allowed.schedule-kind');
      return undefined;
    }
    case 'manual':
      return { kind };
    case 'interval':
      return intervalOf(json['everyMinutes'], add);
    case 'weekly':
      return { kind, days: daysOf(json['days'], add), times: timesOf(json['times'], add) };
    case 'cron':
      return cronOf(json['expression'], add);
  }
}

function intervalOf(value: unknown, add: AddFault): ScheduleRule | undefined {
  const isWhole = typeof value === 'number' && Number.isInteger(value);
  if (isWhole && value >= INTERVAL_MINUTES_MIN && value <= INTERVAL_MINUTES_MAX) {
    return { kind: 'interval', everyMinutes: value };
  }
  const key = value === undefined || value === '' ? 'fault.empty' : 'fault.value';
  add('/rule/everyMinutes', key, { min: INTERVAL_MINUTES_MIN, max: INTERVAL_MINUTES_MAX }, 'allowed.interval');
  return undefined;
}

function daysOf(value: unknown, add: AddFault): number[] {
  const days: unknown[] = Array.isArray(value) ? value : [];
  if (days.length === 0) add('/rule/days', 'fault.empty', {}, 'allowed.weekdays');
  const isWeekday = (day: unknown): day is number => typeof day === 'number' && [0, 1, 2, 3, 4, 5, 6].includes(day);
  if (!days.every(isWeekday)) add('/rule/days', 'fault.value', {}, 'allowed.weekdays');
  return [...new Set(days.filter(isWeekday))].sort((a, b) => a - b);
}

function timesOf(value: unknown, add: AddFault): TimeOfDay[] {
  const texts: unknown[] = Array.isArray(value) ? value : [];
  if (texts.length === 0) add('/rule/times', 'fault.empty', { max: TIMES_MAX }, 'allowed.times');
  const times = new Set<TimeOfDay>();
  for (const [index, text] of texts.slice(0, INPUTS_MAX).entries()) {
    const time = timeOf(text);
    if (time === undefined) add(`/rule/times/${index}`, 'fault.value-shown', { value: shown(text) }, 'allowed.time');
    else times.add(time);
  }
  if (times.size > TIMES_MAX || texts.length > INPUTS_MAX) {
    add('/rule/times', 'fault.value', { max: TIMES_MAX }, 'allowed.times');
  }
  return [...times].sort();
}

/** Times that are looked at, the same one several times among them. */
const INPUTS_MAX = 200;

function cronOf(value: unknown, add: AddFault): ScheduleRule | undefined {
  const path = '/rule/expression';
  const expression = typeof value === 'string' ? value.trim().replace(/\s+/g, ' ') : '';
  if (expression === '') {
    add(path, 'fault.empty', {}, 'allowed.cron');
    return undefined;
  }
  if (expression.length > CRON_LENGTH_MAX) {
    add(path, 'fault.too-long', { lengthMax: CRON_LENGTH_MAX }, 'allowed.cron');
    return undefined;
  }
  const cron = parseCron(expression);
  if ('fault' in cron) {
    const { field, part } = cron.fault;
    if (field === undefined) add(path, 'fault.cron-fields', { found: part }, 'allowed.cron');
    else add(path, `fault.cron-${field}`, { value: shown(part) });
    return undefined;
  }
  const rule: ScheduleRule = { kind: 'cron', expression };
  if (nextRunAt({ rule, allowedHours: undefined }, undefined, 0, 'UTC') !== undefined) return rule;
  add(path, 'fault.cron-never');
  return undefined;
}

function hoursOf(json: unknown, add: AddFault): AllowedHours | undefined {
  if (json === undefined || json === null) return undefined;
  const members = membersOf(json);
  const [from, to] = (['from', 'to'] as const).map((name) => {
    const text = members[name];
    const time = timeOf(text);
    if (time !== undefined) return time;
    if (text === undefined || text === '') add(`/allowedHours/${name}`, 'fault.empty', {}, 'allowed.time');
    else add(`/allowedHours/${name}`, 'fault.value-shown', { value: shown(text) }, 'allowed.time');
    return undefined;
  });
  if (from === undefined || to === undefined) return undefined;
  // Nobody could tell whether the whole day is meant, or none of it.
  if (from === to) add('/allowedHours/to', 'fault.hours-same');
  return { from, to };
}

/** `2:00`, `02h00` and `2h` are times as people write them. */
function timeOf(value: unknown): TimeOfDay | undefined {
  const match = typeof value === 'string' ? /^(\d{1,2})(?:[:h](\d\d)|h)$/i.exec(value.trim()) : null;
  if (match === null) return undefined;
  const [, hour = '', minute = '00'] = match;
  return Number(hour) < 24 && Number(minute) < 60 ? `${hour.padStart(2, '0')}:${minute}` : undefined;
}

const SHOWN_LENGTH_MAX = 20;

function shown(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  // An array hole or a function has no JSON.
  return `"${(text as string | undefined)?.slice(0, SHOWN_LENGTH_MAX) ?? ''}"`;
}

function minutesOf(countText: string, unit: string): unknown {
  const minutes: Readonly<Record<string, number>> = { minutes: 1, hours: 60, days: 1440 };
  const count = numberOf(countText);
  if (typeof count === 'string' || !Object.hasOwn(minutes, unit)) return count;
  return count * (minutes[unit] ?? 1);
}

/** The text itself where it is no number, so that its fault can be told from an empty field. */
function numberOf(text: string): number | string {
  const trimmed = text.trim();
  return /^\d{1,9}$/.test(trimmed) ? Number(trimmed) : trimmed;
}
