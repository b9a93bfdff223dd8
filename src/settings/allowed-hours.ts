import type { AllowedHours, TimeOfDay } from './schedule.ts';
import { momentOfWall, wallMsAt } from './wall-clock.ts';

const DAY_MS = 86_400_000;

/** Minutes after midnight. */
export function minuteOfDay(time: TimeOfDay): number {
  const [hour = '', minute = ''] = time.split(':');
  return Number(hour) * 60 + Number(minute);
}

/** Whether a run may go on at this moment. Without allowed hours it always may. */
export function isOpenAt(hours: AllowedHours | undefined, atMs: number, timeZone: string): boolean {
  if (hours === undefined) return true;
  return lastTime(hours.from, atMs, timeZone) > lastTime(hours.to, atMs, timeZone);
}

/** `atMs`, or the next moment at which the hours begin where they have not. */
export function openFrom(hours: AllowedHours | undefined, atMs: number, timeZone: string): number {
  if (isOpenAt(hours, atMs, timeZone) || hours === undefined) return atMs;
  // Twice, because hours that lie in a gap of the clock do not begin on that day.
  const openMs = nextTime(hours.from, atMs, timeZone);
  return isOpenAt(hours, openMs, timeZone) ? openMs : nextTime(hours.from, openMs, timeZone);
}

/** When the hours that are open at `atMs` end; never without allowed hours. */
export function closesAt(hours: AllowedHours | undefined, atMs: number, timeZone: string): number {
  return hours === undefined ? Infinity : nextTime(hours.to, atMs, timeZone);
}

/** When the hours that are not open at `atMs` ended. */
export function closedSince(hours: AllowedHours, atMs: number, timeZone: string): number {
  return lastTime(hours.to, atMs, timeZone);
}

function lastTime(time: TimeOfDay, atMs: number, timeZone: string): number {
  const moments = momentsAround(time, atMs, timeZone).filter((moment) => moment <= atMs);
  return moments.at(-1) ?? atMs;
}

function nextTime(time: TimeOfDay, atMs: number, timeZone: string): number {
  return momentsAround(time, atMs, timeZone).find((moment) => moment > atMs) ?? atMs;
}

function momentsAround(time: TimeOfDay, atMs: number, timeZone: string): number[] {
  const midnightMs = Math.floor(wallMsAt(atMs, timeZone) / DAY_MS) * DAY_MS;
  return [-1, 0, 1, 2].map((day) => momentOfWall(midnightMs + day * DAY_MS + minuteOfDay(time) * 60_000, timeZone));
}
