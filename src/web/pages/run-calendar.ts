import type { RunMark } from '../../state/run-store.ts';
import type { Text } from '../../text.ts';
import type { Dates } from '../dates.ts';
import { dayOf, dayWords } from '../exact-times.ts';
import { pathWith } from '../query.ts';
import { STATE_LOOKS, outcomeState } from './task-state.ts';
import type { TaskState } from './task-state.ts';

/** Marks shown of one day. */
const MARKS_MAX = 4;
/** A day may have 23 hours: steps of a whole day could pass over it. */
const HALF_DAY_MS = 12 * 60 * 60_000;

export interface CalendarDayView {
  readonly number: string;
  readonly words: string;
  /** undefined where nothing ran: there is nothing to open. */
  readonly path: string | undefined;
  readonly looks: readonly string[];
}

/** The last days, oldest first, each with the worst of its runs first. */
export function buildCalendar(
  marks: readonly RunMark[],
  options: { readonly nowMs: number; readonly days: number; readonly path: string },
  text: Text,
  dates: Dates,
): readonly CalendarDayView[] {
  const byDay = new Map<string, TaskState[]>();
  for (const mark of marks) {
    const day = dayOf(mark.queuedMs, dates.timeZone);
    byDay.set(day, [...(byDay.get(day) ?? []), outcomeState(mark.outcome)]);
  }
  return lastDays(options.nowMs, options.days, dates.timeZone).map(({ day, atMs }) => {
    const states = (byDay.get(day) ?? []).sort((a, b) => STATE_LOOKS[a].rank - STATE_LOOKS[b].rank);
    const count = (state: TaskState): number => states.filter((known) => known === state).length;
    const runs = text.t('strip.label', {
      count: states.length,
      ok: count('ok'),
      partial: count('partial'),
      failed: count('failed') + count('held'),
    });
    return {
      number: String(Number(day.slice(-2))),
      words: `${dayWords(atMs, text.language, dates.timeZone)} – ${states.length === 0 ? text.t('strip.none') : runs}`,
      path: states.length === 0 ? undefined : pathWith(options.path, { day }),
      looks: states.slice(0, MARKS_MAX).map((state) => STATE_LOOKS[state].tone),
    };
  });
}

function lastDays(nowMs: number, days: number, timeZone: string): { day: string; atMs: number }[] {
  const found = new Map<string, number>();
  for (let back = 0; found.size < days; back++) {
    const atMs = nowMs - back * HALF_DAY_MS;
    const day = dayOf(atMs, timeZone);
    if (!found.has(day)) found.set(day, atMs);
  }
  return [...found].map(([day, atMs]) => ({ day, atMs })).reverse();
}
