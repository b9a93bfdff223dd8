import { lowerFirst } from '../text.ts';
import type { Text } from '../text.ts';

/** Dates in one language and one time zone, as plain words. */
export interface Dates {
  /** IANA name of the zone. */
  readonly timeZone: string;
  /** `Today 02:14`, `Yesterday 22:04`, `18 Nov, 22:04`, with the year where it is another one than now. */
  readonly when: (atMs: number) => string;
  /** The same within a sentence: `today 02:14`. */
  readonly inWords: (atMs: number) => string;
  /** `02:14`. */
  readonly clock: (atMs: number) => string;
  /** `Today`, `Tomorrow`, `18 Nov`. */
  readonly day: (atMs: number) => string;
  /** Weekday, day, month, year, seconds and zone. */
  readonly full: (atMs: number) => string;
  /** Day, month, year and seconds: the short form of `full`, for lists. */
  readonly exact: (atMs: number) => string;
  /** The same as `when` in a `<time>` element with the full form as its title: HTML. */
  readonly html: (atMs: number) => string;
}

export function createDates(text: Text, timeZone: string, nowMs: () => number): Dates {
  const format = (options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat =>
    new Intl.DateTimeFormat(text.language === 'fr' ? 'fr-FR' : 'en-GB', { timeZone, ...options });
  const clockFormat = format({ hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
  const dayFormat = format({ day: 'numeric', month: 'short' });
  const dayOfYearFormat = format({ day: 'numeric', month: 'short', year: 'numeric' });
  const yearFormat = format({ year: 'numeric' });
  const fullFormat = format({ dateStyle: 'full', timeStyle: 'long' });
  const exactFormat = format({ dateStyle: 'medium', timeStyle: 'medium' });
  // Swedish dates are written YYYY-MM-DD: days in this zone can be counted.
  const isoFormat = new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short' });
  const dayNumber = (atMs: number): number => Date.parse(isoFormat.format(atMs)) / 86_400_000;

  // Lists ask for hundreds of dates at one moment.
  let now = { ms: NaN, day: NaN, year: '' };
  const today = (): typeof now => {
    const ms = nowMs();
    if (ms !== now.ms) now = { ms, day: dayNumber(ms), year: yearFormat.format(ms) };
    return now;
  };

  const relativeDay = (atMs: number): string | undefined => {
    const distance = dayNumber(atMs) - today().day;
    if (distance === 0) return text.t('date.today');
    if (distance === -1) return text.t('date.yesterday');
    return distance === 1 ? text.t('date.tomorrow') : undefined;
  };
  const plainDay = (atMs: number): string =>
    (yearFormat.format(atMs) === today().year ? dayFormat : dayOfYearFormat).format(atMs);
  const clock = (atMs: number): string => clockFormat.format(atMs);
  const when = (atMs: number): string => {
    const relative = relativeDay(atMs);
    return relative === undefined ? `${plainDay(atMs)}, ${clock(atMs)}` : `${relative} ${clock(atMs)}`;
  };
  const full = (atMs: number): string => fullFormat.format(atMs);
  return {
    timeZone,
    when,
    inWords: (atMs) => lowerFirst(when(atMs)),
    clock,
    day: (atMs) => relativeDay(atMs) ?? plainDay(atMs),
    full,
    exact: (atMs) => exactFormat.format(atMs),
    // Intl writes no markup: none of these words needs escaping.
    html: (atMs) => `<time datetime="${new Date(atMs).toISOString()}" title="${full(atMs)}">${when(atMs)}</time>`,
  };
}
