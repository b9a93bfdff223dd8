import type { VersionSettings } from '../settings/task-settings.ts';
import { wallMsAt } from '../settings/wall-clock.ts';

/** What the rules look at of one restore point. */
export interface PointFacts {
  readonly runId: number;
  readonly atMs: number;
  /** Pinned, or the tree of the last complete run: it stays, whatever the rules say. */
  readonly isProtected: boolean;
}

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** Smart Recycle's month. */
const MONTH_MS = 30 * DAY_MS;
/** 1970-01-05 was a Monday. */
const FIRST_MONDAY_DAY = 4;

type Period = 'hour' | 'day' | 'week' | 'month' | 'year';

/**
 * The restore points, given oldest first, that the rules no longer keep at `nowMs`, oldest first. Periods are those of the
 * clock in `timeZone`. Never a protected one, never the newest; what remains would be kept if it were asked again.
 */
export function chooseVersionsToPrune(
  points: readonly PointFacts[],
  rules: VersionSettings,
  nowMs: number,
  timeZone: string,
): number[] {
  const kept = keptByRule(points, rules, nowMs, timeZone);
  const newest = points.at(-1);
  return points.filter((point) => !point.isProtected && point !== newest && !kept.has(point)).map(({ runId }) => runId);
}

function keptByRule(
  points: readonly PointFacts[],
  rules: VersionSettings,
  nowMs: number,
  timeZone: string,
): ReadonlySet<PointFacts> {
  switch (rules.keep) {
    case 'all':
      return new Set(points);
    case 'last':
      return new Set(rules.count > 0 ? points.slice(-rules.count) : []);
    case 'within':
      return new Set(points.filter(({ atMs }) => atMs >= nowMs - rules.days * DAY_MS));
    case 'steps':
      return keptBySteps(points, rules, timeZone);
    case 'smart':
      return keptBySmartRecycle(points, rules.count, nowMs, timeZone);
  }
}

/** The newest point of each of the last so many hours, days and so on that have one. */
function keptBySteps(points: readonly PointFacts[], rules: VersionSettings, timeZone: string): Set<PointFacts> {
  const kept = new Set<PointFacts>();
  const steps: readonly (readonly [Period, number])[] = [
    ['hour', rules.hourly],
    ['day', rules.daily],
    ['week', rules.weekly],
    ['month', rules.monthly],
    ['year', rules.yearly],
  ];
  for (const [period, count] of steps) {
    const seen = new Set<number>();
    for (const point of points.toReversed()) {
      const number = periodOf(point.atMs, period, timeZone);
      if (seen.has(number)) continue;
      if (seen.size >= count) break;
      seen.add(number);
      kept.add(point);
    }
  }
  return kept;
}

/**
 * Synology's Smart Recycle (Hyper Backup, help page on rotation): nothing goes until there are more than `count`; then
 * first those that are not the earliest of their hour in the last 24 hours, of their day in the last month, of their week
 * before; and when all are, the earliest of all.
 */
function keptBySmartRecycle(
  points: readonly PointFacts[],
  count: number,
  nowMs: number,
  timeZone: string,
): Set<PointFacts> {
  const seen = new Set<string>();
  const isFirst = (point: PointFacts): boolean => {
    const ageMs = nowMs - point.atMs;
    const period = ageMs <= DAY_MS ? 'hour' : ageMs <= MONTH_MS ? 'day' : 'week';
    const key = `${period} ${periodOf(point.atMs, period, timeZone)}`;
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  };
  const firsts = new Set(points.filter(isFirst));
  const kept = new Set(points);
  const newest = points.at(-1);
  const canGo = points.filter((point) => !point.isProtected && point !== newest);
  for (const point of [...canGo.filter((one) => !firsts.has(one)), ...canGo.filter((one) => firsts.has(one))]) {
    if (kept.size <= count) break;
    kept.delete(point);
  }
  return kept;
}

/** A number that is the same for two moments of one period, and grows with time. */
function periodOf(atMs: number, period: Period, timeZone: string): number {
  const wallMs = wallMsAt(atMs, timeZone);
  const day = Math.floor(wallMs / DAY_MS);
  if (period === 'hour') return Math.floor(wallMs / HOUR_MS);
  if (period === 'day') return day;
  if (period === 'week') return Math.floor((day - FIRST_MONDAY_DAY) / 7);
  const date = new Date(wallMs);
  return period === 'year' ? date.getUTCFullYear() : date.getUTCFullYear() * 12 + date.getUTCMonth();
}

/**
 * The further points that have to go, oldest first and never a protected one or the newest, until `usedBytes` is within
 * `quotaBytes`. `freedBytes` tells what goes with a point of which `before` and `after` are the nearest that stay.
 */
export function chooseForQuota(
  points: readonly PointFacts[],
  usedBytes: number,
  quotaBytes: number,
  freedBytes: (runId: number, before: number, after: number) => number,
): number[] {
  const pruned: number[] = [];
  let leftBytes = usedBytes;
  let before = 0;
  for (const [index, { runId, isProtected }] of points.entries()) {
    const after = points[index + 1]?.runId;
    if (leftBytes <= quotaBytes || after === undefined) break;
    if (isProtected) {
      before = runId;
      continue;
    }
    leftBytes -= freedBytes(runId, before, after);
    pruned.push(runId);
  }
  return pruned;
}
