import { momentOfWall } from '../settings/wall-clock.ts';
import type { Language } from '../text.ts';

const formats = new Map<string, Intl.DateTimeFormat>();

/** Formats are dear to make: one for each language, zone and shape. */
function formatOf(language: Language, timeZone: string, name: string, options: Intl.DateTimeFormatOptions) {
  const key = `${language} ${timeZone} ${name}`;
  let format = formats.get(key);
  if (format === undefined) {
    format = new Intl.DateTimeFormat(language === 'fr' ? 'fr-FR' : 'en-GB', { timeZone, ...options });
    formats.set(key, format);
  }
  return format;
}

/** `02:05:18`. */
export function secondsWords(atMs: number, language: Language, timeZone: string): string {
  return formatOf(language, timeZone, 'seconds', { timeStyle: 'medium', hourCycle: 'h23' }).format(atMs);
}

/** `21 Nov, 02:05:18`: for lists that pass midnight. */
export function momentWords(atMs: number, language: Language, timeZone: string): string {
  const day = formatOf(language, timeZone, 'day', { day: '2-digit', month: 'short' }).format(atMs);
  return `${day} ${secondsWords(atMs, language, timeZone)}`;
}

/** `Thursday 20 November 2025 at 02:00`, for headings. */
export function headingWords(atMs: number, language: Language, timeZone: string): string {
  const day = formatOf(language, timeZone, 'heading', {
    weekday: 'long',
    day: 'numeric',
    month: 'long',
    year: 'numeric',
  });
  const clock = formatOf(language, timeZone, 'clock', { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
  const words = `${day.format(atMs)}, ${clock.format(atMs)}`;
  return words.charAt(0).toLocaleUpperCase(language) + words.slice(1);
}

/** `20 November`: also for the day that is today. */
export function dayWords(atMs: number, language: Language, timeZone: string): string {
  return formatOf(language, timeZone, 'day-month', { day: 'numeric', month: 'long' }).format(atMs);
}

/** The calendar day in the zone, `2026-11-21`: what a link to a day holds. */
export function dayOf(atMs: number, timeZone: string): string {
  return formatOf('en', timeZone, 'iso', { year: 'numeric', month: '2-digit', day: '2-digit' })
    .formatToParts(atMs)
    .filter(({ type }) => type !== 'literal')
    .reverse()
    .map(({ value }) => value)
    .join('-');
}

const DAY_MS = 24 * 60 * 60_000;

/** When the day `2026-11-21`, or the one `daysLater`, begins in the zone; undefined for what is no day. */
export function dayStartMs(day: string, timeZone: string, daysLater = 0): number | undefined {
  const wallMs = /^\d{4}-\d{2}-\d{2}$/.test(day) ? Date.parse(`${day}T00:00:00Z`) : NaN;
  return Number.isNaN(wallMs) ? undefined : momentOfWall(wallMs + daysLater * DAY_MS, timeZone);
}
