import { nextRunAt } from '../../settings/next-run-at.ts';
import { parseScheduleForm } from '../../settings/parse-form.ts';
import type { TaskForm } from '../../settings/parse-form.ts';
import type { Schedule } from '../../settings/schedule.ts';
import type { Text } from '../../text.ts';
import type { Dates } from '../dates.ts';

/** The parts of the schedule's fields that are lists of choices. */
export interface ScheduleFieldsView {
  readonly days: readonly {
    readonly value: string;
    readonly short: string;
    readonly long: string;
    readonly isTicked: boolean;
  }[];
  /** *Next: tonight 02:00, …*; empty where it never runs by itself or the fields are not right yet. */
  readonly next: string;
}

/** A Sunday, from which days are counted. */
const SUNDAY_MS = Date.UTC(2026, 0, 4, 12);
const DAY_MS = 86_400_000;
/** Monday first, as calendars have it in both languages' countries. */
const WEEK = [1, 2, 3, 4, 5, 6, 0];
const NEXT_SHOWN = 3;

export function scheduleFieldsView(form: TaskForm, text: Text, dates: Dates, nowMs: number): ScheduleFieldsView {
  const name = (day: number, weekday: 'short' | 'long'): string =>
    new Intl.DateTimeFormat(text.language, { weekday, timeZone: 'UTC' }).format(SUNDAY_MS + day * DAY_MS);
  const parsed = parseScheduleForm(form);
  return {
    days: WEEK.map((day) => ({
      value: String(day),
      short: name(day, 'short'),
      long: name(day, 'long'),
      isTicked: form.days.includes(String(day)),
    })),
    next: 'faults' in parsed ? '' : nextWords(parsed.schedule, text, dates, nowMs),
  };
}

/** The next times, in the zone of the NAS. Empty where the task waits for somebody to start it. */
export function nextWords(schedule: Schedule, text: Text, dates: Dates, nowMs: number): string {
  const times: string[] = [];
  let fromMs = nowMs;
  for (let count = 0; count < NEXT_SHOWN; count++) {
    // As if each one had run at its time.
    const next = nextRunAt(schedule, count === 0 ? undefined : fromMs, fromMs, dates.timeZone);
    if (next === undefined) break;
    times.push(dates.inWords(next));
    fromMs = next;
  }
  return times.length === 0 ? '' : text.t('f.next', { times: times.join(' · ') });
}
