import { closedSince, isOpenAt, minuteOfDay, openFrom } from './allowed-hours.ts';
import { parseCron } from './cron-expression.ts';
import type { Schedule, ScheduleRule } from './schedule.ts';
import { momentOfWall, wallMsAt } from './wall-clock.ts';

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
/** 29 February on one weekday comes every 28 years, and once after 40. */
const DAYS_SEARCHED_MAX = 366 * 41;
/** Later than this there is no time worth planning, and soon no valid Date. */
const TIME_MS_MAX = 8e15;

/**
 * The first moment after `nowMs` at which the schedule wants a run, in ms since 1970; undefined where it never does.
 *
 * Days and times are wall-clock times of the zone: one that a change of the clock leaves out comes with the first
 * moment after the gap, one that it repeats only the first time. Intervals are counted from `lastRunMs` (without a
 * last run, or with one in the future, from `nowMs`). What falls outside the allowed hours waits until they begin.
 */
export function nextRunAt(
  schedule: Schedule,
  lastRunMs: number | undefined,
  nowMs: number,
  timeZone: string,
): number | undefined {
  const { rule, allowedHours: hours } = schedule;
  if (!(nowMs < TIME_MS_MAX)) return undefined;
  // What fell due since the hours ended still waits for them.
  const fromMs =
    hours === undefined || isOpenAt(hours, nowMs, timeZone) ? nowMs : closedSince(hours, nowMs, timeZone) - 1;
  const lastMs = lastRunMs === undefined || lastRunMs > nowMs ? nowMs : lastRunMs;
  const dueMs = nextDue(rule, lastMs, fromMs, timeZone);
  return dueMs === undefined ? undefined : openFrom(hours, dueMs, timeZone);
}

function nextDue(rule: ScheduleRule, lastMs: number, fromMs: number, timeZone: string): number | undefined {
  switch (rule.kind) {
    case 'manual':
      return undefined;
    case 'interval': {
      const everyMs = rule.everyMinutes * MINUTE_MS;
      return lastMs + Math.max(1, Math.floor((fromMs - lastMs) / everyMs) + 1) * everyMs;
    }
    case 'weekly': {
      const minutes = rule.times.map(minuteOfDay).sort((a, b) => a - b);
      return nextOnDays((date) => rule.days.includes(date.getUTCDay()), minutes, fromMs, timeZone);
    }
    case 'cron': {
      const cron = parseCron(rule.expression);
      if ('fault' in cron) return undefined;
      const ascending = (numbers: ReadonlySet<number>): number[] => [...numbers].sort((a, b) => a - b);
      const minutes = ascending(cron.hours).flatMap((hour) => ascending(cron.minutes).map((at) => hour * 60 + at));
      const isDay = (date: Date): boolean => cron.isDay(date.getUTCDate(), date.getUTCMonth() + 1, date.getUTCDay());
      return nextOnDays(isDay, minutes, fromMs, timeZone);
    }
  }
}

/** `isDay` gets midnight of the day as if the zone were UTC; `minutes` of the day ascend. */
function nextOnDays(
  isDay: (date: Date) => boolean,
  minutes: readonly number[],
  fromMs: number,
  timeZone: string,
): number | undefined {
  const fromWallMs = wallMsAt(fromMs, timeZone);
  const todayMs = Math.floor(fromWallMs / DAY_MS) * DAY_MS;
  for (let day = 0; day < DAYS_SEARCHED_MAX; day++) {
    const midnightMs = todayMs + day * DAY_MS;
    if (!isDay(new Date(midnightMs))) continue;
    for (const minute of minutes) {
      const wallMs = midnightMs + minute * MINUTE_MS;
      if (wallMs <= fromWallMs) continue;
      const atMs = momentOfWall(wallMs, timeZone);
      // In a repeated hour a later time of day can lie before: it has been.
      if (atMs > fromMs) return atMs;
    }
  }
  return undefined;
}
