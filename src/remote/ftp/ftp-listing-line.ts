import type { RemoteEntry, RemoteTime, TimePrecision } from '../remote.ts';

/**
 * What became of one line of a listing. Every line is exactly one of these, so that lines = entries + dots + ignored +
 * rejected. `dots`: the folder itself or its parent. `ignored`: a line that by its form is not about an object.
 */
export type ListingLine =
  | { readonly kind: 'entry'; readonly entry: RemoteEntry }
  | { readonly kind: 'dots' }
  | { readonly kind: 'ignored' }
  | { readonly kind: 'rejected'; readonly why: string };

export const DOTS: ListingLine = { kind: 'dots' };
export const IGNORED: ListingLine = { kind: 'ignored' };

export function rejected(why: string): ListingLine {
  return { kind: 'rejected', why };
}

/** Bytes, or undefined where `text` is not a plain number that is exact in JavaScript (2^53 - 1). */
export function parseSizeBytes(text: string): number | undefined {
  if (!isDigits(text) || text.length > 16) return undefined;
  const size = Number(text);
  return Number.isSafeInteger(size) ? size : undefined;
}

export function isDigits(text: string): boolean {
  if (text === '') return false;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code < 48 || code > 57) return false;
  }
  return true;
}

/** A calendar time read as UTC; `month` counts from 1. */
export interface CalendarTime {
  readonly year: number;
  readonly month: number;
  readonly day: number;
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
  readonly millisecond: number;
}

/** Milliseconds since 1970, or undefined where there is no such day or hour. A leap second counts as second 59. */
export function utcMs(time: CalendarTime): number | undefined {
  const { year, month, day, hour, minute, millisecond } = time;
  const second = time.second === 60 ? 59 : time.second;
  if (year < 1900 || year > 9999 || month < 1 || month > 12 || day < 1) return undefined;
  if (hour > 23 || minute > 59 || second > 59) return undefined;
  const daysOfMonth = new Date(Date.UTC(year, month, 0)).getUTCDate();
  if (day > daysOfMonth) return undefined;
  return Date.UTC(year, month - 1, day, hour, minute, second, millisecond);
}

export function remoteTime(raw: string, ms: number | undefined, precision: TimePrecision): RemoteTime {
  return { raw, ms, precision: ms === undefined ? 'none' : precision };
}

/** `YYYYMMDDHHMMSS[.fraction]` of RFC 3659 §2.3. Anything else keeps its text and has precision `none`. */
export function parseTimeVal(text: string): RemoteTime {
  const digits = text.slice(0, 14);
  const fraction = text.slice(14);
  if (digits.length < 14 || !isDigits(digits)) return remoteTime(text, undefined, 'none');
  if (fraction !== '' && !(fraction.startsWith('.') && isDigits(fraction.slice(1)))) {
    return remoteTime(text, undefined, 'none');
  }
  const ms = utcMs({
    year: Number(digits.slice(0, 4)),
    month: Number(digits.slice(4, 6)),
    day: Number(digits.slice(6, 8)),
    hour: Number(digits.slice(8, 10)),
    minute: Number(digits.slice(10, 12)),
    second: Number(digits.slice(12, 14)),
    millisecond: fraction === '' ? 0 : Number(fraction.slice(1, 4).padEnd(3, '0')),
  });
  return remoteTime(text, ms, 'second');
}
