const DAY_MS = 86_400_000;

const formats = new Map<string, Intl.DateTimeFormat>();

/** The IANA name of a time zone setting. `system` is the zone of the machine; so is one that it does not know. */
export function resolveTimeZone(setting: string): string {
  try {
    return new Intl.DateTimeFormat('en', setting === 'system' ? {} : { timeZone: setting }).resolvedOptions().timeZone;
  } catch {
    return new Intl.DateTimeFormat('en').resolvedOptions().timeZone;
  }
}

/** What clocks in the zone show at a moment, as the milliseconds at which a clock in UTC shows the same. */
export function wallMsAt(atMs: number, timeZone: string): number {
  const numbers = formatOf(timeZone).format(atMs).match(/\d+/g)?.map(Number) ?? [];
  const [month = 1, day = 1, year = 0, hour = 0, minute = 0, second = 0] = numbers;
  const seconds = Date.UTC(year, month - 1, day, hour, minute, second);
  return seconds + (((atMs % 1000) + 1000) % 1000);
}

/**
 * The moment at which clocks in the zone first show `wallMs`: the first of two where the hour is repeated, and the
 * first moment after the gap where clocks jump over it. Never decreases while `wallMs` grows.
 */
export function momentOfWall(wallMs: number, timeZone: string): number {
  const offsetAt = (atMs: number): number => wallMsAt(atMs, timeZone) - atMs;
  // No zone is further than a day from UTC, so that these two lie on either side of the moment.
  const before = wallMs - offsetAt(wallMs - DAY_MS);
  const after = wallMs - offsetAt(wallMs + DAY_MS);
  if (before === after) return before;
  const shown = [before, after].filter((atMs) => wallMsAt(atMs, timeZone) === wallMs);
  if (shown.length > 0) return Math.min(...shown);
  let low = Math.min(before, after);
  let high = Math.max(before, after);
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (wallMsAt(middle, timeZone) < wallMs) low = middle;
    else high = middle;
  }
  return high;
}

/** Writes `3/28/2027, 03:00:00`: month, day, year, and the time. Making one takes longer than a thousand uses. */
function formatOf(timeZone: string): Intl.DateTimeFormat {
  let format = formats.get(timeZone);
  if (format === undefined) {
    const digits = { year: 'numeric', month: 'numeric', day: 'numeric', hour: 'numeric' } as const;
    const rest = { minute: 'numeric', second: 'numeric', hourCycle: 'h23' } as const;
    format = new Intl.DateTimeFormat('en-US', { timeZone, ...digits, ...rest });
    formats.set(timeZone, format);
  }
  return format;
}
