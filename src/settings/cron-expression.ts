/** The fields of a cron expression as sets of numbers. */
export interface CronFields {
  readonly minutes: ReadonlySet<number>;
  readonly hours: ReadonlySet<number>;
  /** Whether a day is meant. Months: 1 to 12; weekdays: 0 (Sunday) to 6. */
  isDay(day: number, month: number, weekday: number): boolean;
}

export type CronFieldName = 'minute' | 'hour' | 'day' | 'month' | 'weekday';

/** `field` is undefined where there are not five. */
export interface CronFault {
  readonly field: CronFieldName | undefined;
  readonly part: string;
}

export const CRON_LENGTH_MAX = 200;

interface FieldRange {
  readonly name: CronFieldName;
  readonly min: number;
  readonly max: number;
  /** Three letters each, the first one for `min`. */
  readonly words: string;
}

const RANGES: readonly FieldRange[] = [
  { name: 'minute', min: 0, max: 59, words: '' },
  { name: 'hour', min: 0, max: 23, words: '' },
  { name: 'day', min: 1, max: 31, words: '' },
  { name: 'month', min: 1, max: 12, words: 'janfebmaraprmayjunjulaugsepoctnovdec' },
  { name: 'weekday', min: 0, max: 7, words: 'sunmontuewedthufrisatsun' },
];

/**
 * Reads the five fields of crontab(5) as Debian's cron does: lists, ranges, steps after `*` or a range, and English
 * names. Where both days are restricted (neither field begins with `*`), either one is enough.
 */
export function parseCron(expression: string): CronFields | { readonly fault: CronFault } {
  const texts = expression.trim().split(/\s+/);
  if (texts.length !== RANGES.length || expression.length > CRON_LENGTH_MAX) {
    return { fault: { field: undefined, part: String(texts.length) } };
  }
  const sets: ReadonlySet<number>[] = [];
  for (const [index, range] of RANGES.entries()) {
    const numbers = new Set<number>();
    for (const part of (texts[index] ?? '').split(',')) {
      const found = numbersOf(part, range);
      if (found.length === 0) return { fault: { field: range.name, part } };
      for (const number of found) numbers.add(number);
    }
    sets.push(numbers);
  }
  const [minutes, hours, days, months, weekdays] = sets as [Numbers, Numbers, Numbers, Numbers, Numbers];
  const isEitherFree = texts[2]?.startsWith('*') === true || texts[4]?.startsWith('*') === true;
  return {
    minutes,
    hours,
    isDay(day, month, weekday) {
      if (!months.has(month)) return false;
      const isWeekday = weekdays.has(weekday) || (weekday === 0 && weekdays.has(7));
      return isEitherFree ? days.has(day) && isWeekday : days.has(day) || isWeekday;
    },
  };
}

type Numbers = ReadonlySet<number>;

/** Empty where the part means nothing. */
function numbersOf(part: string, range: FieldRange): number[] {
  const match = /^(?:(\*)|(\w+)(?:-(\w+))?)(?:\/(\d+))?$/.exec(part);
  if (match === null) return [];
  const [, star, from, to, stepText] = match;
  // `5/10` has no meaning in crontab(5), and two different ones elsewhere.
  if (stepText !== undefined && star === undefined && to === undefined) return [];
  const step = stepText === undefined ? 1 : Number(stepText);
  const first = star === undefined ? numberOf(from, range) : range.min;
  // Seven is a second name of Sunday: counting to it would upset the steps of `*/2`.
  const starLast = range.name === 'weekday' ? 6 : range.max;
  const last = star === undefined ? numberOf(to ?? from, range) : starLast;
  if (!(first >= range.min && last <= range.max && step >= 1)) return [];
  const numbers: number[] = [];
  for (let number = first; number <= last; number += step) numbers.push(number);
  return numbers;
}

function numberOf(text: string | undefined, range: FieldRange): number {
  if (text !== undefined && /^\d{1,2}$/.test(text)) return Number(text);
  const at = text?.length === 3 ? range.words.indexOf(text.toLowerCase()) : -1;
  return at >= 0 && at % 3 === 0 ? range.min + at / 3 : NaN;
}
