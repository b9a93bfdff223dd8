import { asRemoteName, remoteNameFault } from '../remote.ts';
import type { RemoteEntryType, RemoteTime } from '../remote.ts';
import type { ListingLine } from './ftp-listing-line.ts';
import { DOTS, IGNORED, isDigits, parseSizeBytes, rejected, remoteTime, utcMs } from './ftp-listing-line.ts';
import { monthOf } from './ftp-month-names.ts';

const DAY_MS = 86_400_000;

/** More words than this before the name are not looked at: a line of ls has at most a dozen. */
const WORDS_MAX = 40;

interface Word {
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

/** A date found in a line: its text, its reading, and where it ends. */
interface FoundDate {
  readonly time: RemoteTime;
  readonly end: number;
}

/**
 * One line of LIST, without its line end: the form of Unix `ls -l` with dates of any language, or of DOS `dir`.
 * A date without a year lies at most one day after `nowMs`. Never throws.
 */
export function parseListLine(line: string, isFirst: boolean, nowMs: number): ListingLine {
  if (line === '') return IGNORED;
  if (isUnixMode(line)) return parseUnixLine(line, nowMs);
  const first = line.charCodeAt(0);
  if (first >= 48 && first <= 57) {
    const parsed = parseDosLine(line);
    if (parsed !== undefined) return parsed;
  }
  if (isFirst && isTotal(line)) return IGNORED;
  return rejected('not in a known form');
}

/** `total 12` of ls, in whatever language. Only ever the first line: anywhere else it may be a file. */
function isTotal(line: string): boolean {
  const words = splitWords(line, 3);
  const last = words[1];
  return words.length === 2 && last !== undefined && /^[\d.,]+[KMGT]?$/.test(last.text);
}

function isUnixMode(line: string): boolean {
  return /^[-a-zA-Z?][-rwxsStTlL?]{9}/.test(line);
}

function parseUnixLine(line: string, nowMs: number): ListingLine {
  // Behind the mode come a mark for ACLs or an extended attribute, the number of links, owner and group: each may be
  // missing, and names may hold spaces. So the size is found as the number right before the first date.
  const words = splitWords(line, WORDS_MAX);
  let sizeWord: Word | undefined;
  let date: FoundDate | undefined;
  for (let i = 1; i < words.length - 1 && date === undefined; i++) {
    sizeWord = words[i];
    if (sizeWord !== undefined && isDigits(sizeWord.text)) date = findDate(line, words, i + 1, nowMs);
  }
  if (date === undefined || sizeWord === undefined) return rejected('no size with a date behind it');
  if (line[date.end] !== ' ' || date.end + 1 >= line.length) return rejected('no name');

  const type = unixType(line.charAt(0));
  let nameText = line.slice(date.end + 1);
  let linkTarget: string | undefined;
  if (type === 'link') {
    const arrow = nameText.indexOf(' -> ');
    if (arrow >= 0) {
      linkTarget = nameText.slice(arrow + 4);
      nameText = nameText.slice(0, arrow);
    }
  }
  const sizeBytes = type === 'file' ? parseSizeBytes(sizeWord.text) : 0;
  return toEntry(nameText, type, sizeBytes, date.time, unixMode(line), linkTarget);
}

function toEntry(
  nameText: string,
  type: RemoteEntryType,
  sizeBytes: number | undefined,
  modified: RemoteTime,
  mode: string | undefined,
  linkTarget: string | undefined,
): ListingLine {
  if (nameText === '.' || nameText === '..') {
    return type === 'folder' ? DOTS : rejected('a name for another folder');
  }
  const name = asRemoteName(nameText);
  if (name === undefined) return rejected(remoteNameFault(nameText) ?? 'unusable name');
  if (sizeBytes === undefined) return rejected('a size that is no number of bytes');
  return { kind: 'entry', entry: { name, type, sizeBytes, modified, unique: undefined, mode, linkTarget } };
}

/** A date that begins with word `at`: `Nov 21 00:43`, `21 nov. 2025`, `11-21 00:43`, `2026-11-21 00:43[:10[.5 +0100]]`. */
function findDate(line: string, words: readonly Word[], at: number, nowMs: number): FoundDate | undefined {
  const first = words[at];
  const second = words[at + 1];
  if (first === undefined) return undefined;
  const iso = findIsoDate(line, words, at, nowMs);
  if (iso !== undefined) return iso;
  const third = words[at + 2];
  if (second === undefined || third === undefined) return undefined;
  const clock = parseClock(third.text);
  const year = clock === undefined ? parseYear(third.text) : undefined;
  if (clock === undefined && year === undefined) return undefined;

  let day = dayOfMonth(second.text);
  let monthText = first.text;
  if (day === undefined || !isMonthLike(monthText)) {
    day = dayOfMonth(first.text);
    monthText = second.text;
    if (day === undefined || !isMonthLike(monthText)) return undefined;
  }
  const raw = line.slice(first.start, third.end);
  const month = monthOf(monthText);
  const ms = month === undefined ? undefined : dateMs(year, month, day, clock, nowMs);
  return { time: remoteTime(raw, ms, clock === undefined ? 'day' : clock.precision), end: third.end };
}

function findIsoDate(line: string, words: readonly Word[], at: number, nowMs: number): FoundDate | undefined {
  const first = words[at];
  if (first === undefined) return undefined;
  const parts = first.text.split('-');
  if (parts.length < 2 || parts.length > 3 || !parts.every(isDigits)) return undefined;
  const year = parts.length === 3 ? parseYear(parts[0] ?? '') : undefined;
  if (parts.length === 3 && year === undefined) return undefined;
  const [month, day] = parts.slice(-2).map(Number);
  if (month === undefined || day === undefined || parts.slice(-2).some((part) => part.length > 2)) return undefined;

  const second = words[at + 1];
  const clock = second === undefined ? undefined : parseClock(second.text);
  if (clock === undefined || second === undefined) {
    if (year === undefined) return undefined;
    return { time: remoteTime(first.text, dateMs(year, month, day, undefined, nowMs), 'day'), end: first.end };
  }
  let end = second.end;
  let zoneMs = 0;
  const zone = words[at + 2];
  // `ls --full-time` writes a fraction of a second and a zone; without the fraction, `+0100` is the beginning of a name.
  if (clock.hasFraction && zone?.start === end + 1 && /^[+-]\d{4}$/.test(zone.text)) {
    end = zone.end;
    const minutes = Number(zone.text.slice(1, 3)) * 60 + Number(zone.text.slice(3));
    zoneMs = (zone.text.startsWith('-') ? -minutes : minutes) * 60_000;
  }
  const ms = dateMs(year, month, day, clock, nowMs);
  const raw = line.slice(first.start, end);
  return { time: remoteTime(raw, ms === undefined ? undefined : ms - zoneMs, clock.precision), end };
}

interface ClockTime {
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
  readonly millisecond: number;
  readonly hasFraction: boolean;
  readonly precision: 'second' | 'minute';
}

/** `HH:MM`, `HH:MM:SS` or `HH:MM:SS.fraction`, and `HH:MMAM` of DOS. */
function parseClock(text: string): ClockTime | undefined {
  const match = /^(\d{1,2}):(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?([AaPp][Mm]?)?$/.exec(text);
  if (match === null) return undefined;
  let hour = Number(match[1]);
  const half = match[5]?.charAt(0).toLowerCase();
  if (half === 'p' && hour < 12) hour += 12;
  if (half === 'a' && hour === 12) hour = 0;
  return {
    hour,
    minute: Number(match[2]),
    second: Number(match[3] ?? '0'),
    millisecond: Number((match[4] ?? '').slice(0, 3).padEnd(3, '0')),
    hasFraction: match[4] !== undefined,
    precision: match[3] === undefined ? 'minute' : 'second',
  };
}

/** Where no year is told, ls means the last six months; a server's clock or zone may put it a little ahead of ours. */
function dateMs(
  year: number | undefined,
  month: number,
  day: number,
  clock: ClockTime | undefined,
  nowMs: number,
): number | undefined {
  const time = clock ?? { hour: 0, minute: 0, second: 0, millisecond: 0 };
  if (year !== undefined) return utcMs({ ...time, year, month, day });
  const thisYear = new Date(nowMs).getUTCFullYear();
  // Tomorrow may be next year. 29 February exists at most eight years back.
  for (let candidate = thisYear + 1; candidate >= thisYear - 8; candidate--) {
    const ms = utcMs({ ...time, year: candidate, month, day });
    if (ms !== undefined && ms <= nowMs + DAY_MS) return ms;
  }
  return undefined;
}

/** `MM-DD-YY HH:MMAM <DIR> name` of IIS and its likes; also four-digit years, ISO order, 24 hours, `.` and `/`. */
function parseDosLine(line: string): ListingLine | undefined {
  const words = splitWords(line, 6);
  const dateWord = words[0];
  const clockWord = words[1];
  if (dateWord === undefined || clockWord === undefined || dateWord.start !== 0) return undefined;
  let clock = parseClock(clockWord.text);
  let next = 2;
  const half = words[2];
  if (clock !== undefined && half !== undefined && /^[AP]M$/i.test(half.text)) {
    clock = parseClock(clockWord.text + half.text);
    next = 3;
  }
  const sizeWord = words[next];
  const date = parseDosDate(dateWord.text);
  if (clock === undefined || date === undefined || sizeWord === undefined) return undefined;
  const raw = line.slice(0, words[next - 1]?.end);
  const ms = utcMs({ ...clock, ...date });
  const time = remoteTime(raw, ms, clock.precision);

  if (isDigits(sizeWord.text)) {
    if (line[sizeWord.end] !== ' ') return rejected('no name');
    return toEntry(line.slice(sizeWord.end + 1), 'file', parseSizeBytes(sizeWord.text), time, undefined, undefined);
  }
  if (!/^<[A-Z]+>$/i.test(sizeWord.text)) return undefined;
  const type = dosType(sizeWord.text.toUpperCase());
  const rest = line.slice(sizeWord.end);
  // IIS pads with ten spaces; more belong to the name. Servers that pad with fewer cannot show a leading space.
  const nameText = rest.startsWith(' '.repeat(10)) ? rest.slice(10) : rest.trimStart();
  if (nameText === '') return rejected('no name');
  return toEntry(nameText, type, 0, time, undefined, undefined);
}

function dosType(mark: string): RemoteEntryType {
  if (mark === '<DIR>') return 'folder';
  return mark === '<SYMLINK>' || mark === '<SYMLINKD>' || mark === '<JUNCTION>' ? 'link' : 'other';
}

function parseDosDate(text: string): { year: number; month: number; day: number } | undefined {
  const match = /^(\d{1,4})[-./](\d{1,2})[-./](\d{1,4})$/.exec(text);
  if (match === null) return undefined;
  const [first, middle, last] = [match[1] ?? '', Number(match[2]), match[3] ?? ''];
  if (first.length === 4) return { year: Number(first), month: middle, day: Number(last) };
  const shortYear = Number(last);
  const year = last.length > 2 ? shortYear : shortYear < 70 ? 2000 + shortYear : 1900 + shortYear;
  // IIS writes the month first; where that cannot be, the day came first.
  return Number(first) > 12 ? { year, month: middle, day: Number(first) } : { year, month: Number(first), day: middle };
}

function dayOfMonth(text: string): number | undefined {
  const match = /^(\d{1,2})(?:[.,]|[^\x20-\x7e]{1,4})?$/.exec(text);
  const day = match === null ? undefined : Number(match[1]);
  return day !== undefined && day >= 1 && day <= 31 ? day : undefined;
}

function parseYear(text: string): number | undefined {
  const match = /^(\d{4})(?:[^\x20-\x7e]{1,4})?$/.exec(text);
  const year = match === null ? undefined : Number(match[1]);
  return year !== undefined && year >= 1900 ? year : undefined;
}

/** A word that can name a month: letters of any alphabet, or a number with such letters (`11æ` for November). */
function isMonthLike(text: string): boolean {
  return text.length <= 20 && !isDigits(text) && /^\d{0,2}[^\x00-\x40[-`{-\x7f]+[.,]?$/.test(text);
}

function unixType(letter: string): RemoteEntryType {
  if (letter === '-') return 'file';
  if (letter === 'd') return 'folder';
  return letter === 'l' ? 'link' : 'other';
}

function unixMode(line: string): string | undefined {
  let bits = 0;
  for (let i = 0; i < 9; i++) {
    const letter = line.charAt(i + 1);
    if (letter === '?') return undefined;
    // S and T, l and L: the special bit without the x bit.
    if (letter !== '-' && !'STlL'.includes(letter)) bits |= 1 << (8 - i);
  }
  const special = ['sSlL', 'sSlL', 'tT'];
  special.forEach((letters, i) => {
    if (letters.includes(line.charAt(3 * i + 3))) bits |= 1 << (11 - i);
  });
  return bits.toString(8).padStart(4, '0');
}

function splitWords(line: string, wordsMax: number): Word[] {
  const words: Word[] = [];
  let at = 0;
  while (at < line.length && words.length < wordsMax) {
    while (line[at] === ' ' || line[at] === '\t') at++;
    const start = at;
    while (at < line.length && line[at] !== ' ' && line[at] !== '\t') at++;
    if (at > start) words.push({ text: line.slice(start, at), start, end: at });
  }
  return words;
}
