import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { closesAt, isOpenAt, minuteOfDay, openFrom } from '../../src/settings/allowed-hours.ts';
import { nextRunAt } from '../../src/settings/next-run-at.ts';
import type { AllowedHours, Schedule, ScheduleRule } from '../../src/settings/schedule.ts';
import { momentOfWall, resolveTimeZone, wallMsAt } from '../../src/settings/wall-clock.ts';

const PARIS = 'Europe/Paris';
const NEW_YORK = 'America/New_York';
const KOLKATA = 'Asia/Kolkata';

const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

function schedule(rule: ScheduleRule, allowedHours?: AllowedHours): Schedule {
  return { rule, allowedHours };
}

function daily(...times: string[]): Schedule {
  return schedule({ kind: 'weekly', days: [0, 1, 2, 3, 4, 5, 6], times });
}

function cron(expression: string): Schedule {
  return schedule({ kind: 'cron', expression });
}

/** The first `count` times after `from`, in UTC to the minute. */
function series(plan: Schedule, from: string, timeZone: string, count: number, lastRun?: string): string[] {
  const lastMs = lastRun === undefined ? undefined : Date.parse(lastRun);
  const found: string[] = [];
  let nowMs = Date.parse(from);
  while (found.length < count) {
    const next = nextRunAt(plan, lastMs, nowMs, timeZone);
    if (next === undefined) break;
    found.push(new Date(next).toISOString().slice(0, 16));
    nowMs = next;
  }
  return found;
}

describe('the next run of a task', () => {
  it('never comes by itself where the user starts it', () => {
    assert.equal(nextRunAt(schedule({ kind: 'manual' }), undefined, 0, PARIS), undefined);
  });

  it('comes at the chosen times of the chosen days, in the zone of the NAS', () => {
    const plan = schedule({ kind: 'weekly', days: [1, 5], times: ['22:30', '02:00'] });
    // 2026-11-21 is a Saturday; Paris is one hour ahead.
    assert.deepEqual(series(plan, '2026-11-21T00:00:00Z', PARIS, 5), [
      '2026-11-23T01:00',
      '2026-11-23T21:30',
      '2026-11-27T01:00',
      '2026-11-27T21:30',
      '2026-11-30T01:00',
    ]);
  });

  it('is not the moment that is now', () => {
    assert.deepEqual(series(daily('02:00'), '2026-11-21T01:00:00Z', PARIS, 1), ['2026-11-22T01:00']);
    assert.deepEqual(series(daily('02:00'), '2026-11-21T00:59:59.999Z', PARIS, 1), ['2026-11-21T01:00']);
  });

  it('counts intervals from the last run, and passes over those that were missed', () => {
    const plan = schedule({ kind: 'interval', everyMinutes: 90 });
    assert.deepEqual(series(plan, '2026-11-21T10:00:00Z', PARIS, 2, '2026-11-21T09:10:00Z'), [
      '2026-11-21T10:40',
      '2026-11-21T12:10',
    ]);
    assert.deepEqual(series(plan, '2026-11-24T10:00:00Z', PARIS, 1, '2026-11-21T09:10:00Z'), ['2026-11-24T10:40']);
    assert.deepEqual(series(plan, '2026-11-21T10:00:00Z', PARIS, 1), ['2026-11-21T11:30']);
  });

  it('does not wait years for an interval when the last run bears a date in the future', () => {
    const plan = schedule({ kind: 'interval', everyMinutes: 60 });
    assert.deepEqual(series(plan, '2026-11-21T10:00:00Z', PARIS, 1, '2034-01-01T00:00:00Z'), ['2026-11-21T11:00']);
  });

  it('is not planned beyond what dates can say', () => {
    assert.equal(nextRunAt(daily('02:00'), undefined, Number.MAX_SAFE_INTEGER, PARIS), undefined);
    assert.equal(nextRunAt(daily('02:00'), undefined, Infinity, PARIS), undefined);
    assert.equal(nextRunAt(daily('02:00'), undefined, NaN, PARIS), undefined);
  });

  it('never comes where a stored expression cannot be read', () => {
    assert.equal(nextRunAt(cron('every day'), undefined, 0, PARIS), undefined);
    assert.equal(nextRunAt(cron('0 0 31 2 *'), undefined, 0, PARIS), undefined);
  });

  it('finds 29 February on a Sunday, 40 years away', () => {
    // Steps after a star leave the star in place: both days must fit, as in crontab(5).
    assert.deepEqual(series(cron('0 0 29 2 */7'), '2088-03-01T00:00:00Z', 'UTC', 1), ['2128-02-29T00:00']);
  });
});

describe('a change of the clock', () => {
  const cases: { what: string; plan: Schedule; zone: string; from: string; expected: string[] }[] = [
    {
      what: 'Paris, spring: 02:30 does not exist and runs once, at 03:00',
      plan: daily('02:30'),
      zone: PARIS,
      from: '2027-03-27T12:00:00Z',
      expected: ['2027-03-28T01:00', '2027-03-29T00:30'],
    },
    {
      what: 'Paris, spring: two times in the gap run once together',
      plan: daily('02:00', '02:30', '03:00', '03:30'),
      zone: PARIS,
      from: '2027-03-27T12:00:00Z',
      expected: ['2027-03-28T01:00', '2027-03-28T01:30', '2027-03-29T00:00'],
    },
    {
      what: 'Paris, autumn: 02:30 exists twice and runs the first time only',
      plan: daily('02:30'),
      zone: PARIS,
      from: '2027-10-30T12:00:00Z',
      expected: ['2027-10-31T00:30', '2027-11-01T01:30'],
    },
    {
      what: 'Paris, autumn, asked within the second 02:00 to 03:00',
      plan: daily('02:30', '02:45'),
      zone: PARIS,
      from: '2027-10-31T01:10:00Z',
      expected: ['2027-11-01T01:30'],
    },
    {
      what: 'New York, spring',
      plan: cron('15 2 * * *'),
      zone: NEW_YORK,
      from: '2027-03-13T12:00:00Z',
      expected: ['2027-03-14T07:00', '2027-03-15T06:15'],
    },
    {
      what: 'New York, autumn',
      plan: cron('15 1 * * *'),
      zone: NEW_YORK,
      from: '2027-11-06T12:00:00Z',
      expected: ['2027-11-07T05:15', '2027-11-08T06:15'],
    },
    {
      what: 'Kolkata has none',
      plan: daily('02:30'),
      zone: KOLKATA,
      from: '2027-03-27T12:00:00Z',
      expected: ['2027-03-27T21:00', '2027-03-28T21:00'],
    },
    {
      what: 'Lord Howe: half an hour is left out',
      plan: daily('02:10'),
      zone: 'Australia/Lord_Howe',
      from: '2027-10-02T00:00:00Z',
      expected: ['2027-10-02T15:30', '2027-10-03T15:10'],
    },
    {
      what: 'Samoa left out a whole day',
      plan: daily('06:00'),
      zone: 'Pacific/Apia',
      from: '2011-12-29T12:00:00Z',
      expected: ['2011-12-29T16:00', '2011-12-30T10:00', '2011-12-30T16:00'],
    },
    {
      what: 'intervals pass through it',
      plan: schedule({ kind: 'interval', everyMinutes: 60 }),
      zone: PARIS,
      from: '2027-10-30T23:30:00Z',
      expected: ['2027-10-31T00:30', '2027-10-31T01:30', '2027-10-31T02:30'],
    },
  ];
  for (const { what, plan, zone, from, expected } of cases) {
    it(what, () => {
      assert.deepEqual(series(plan, from, zone, expected.length), expected);
    });
  }
});

describe('allowed hours', () => {
  const night: AllowedHours = { from: '22:00', to: '06:00' };

  it('keep what is due within them', () => {
    const plan = schedule({ kind: 'weekly', days: [1], times: ['02:00'] }, night);
    assert.deepEqual(series(plan, '2026-11-21T00:00:00Z', 'UTC', 1), ['2026-11-23T02:00']);
  });

  it('let what is due outside wait until they begin, once', () => {
    const plan = schedule({ kind: 'interval', everyMinutes: 60 }, night);
    assert.deepEqual(series(plan, '2026-11-21T04:40:00Z', 'UTC', 4, '2026-11-21T04:30:00Z'), [
      '2026-11-21T05:30',
      '2026-11-21T22:00',
      '2026-11-21T22:30',
      '2026-11-21T23:30',
    ]);
  });

  it('do not forget what became due before now, while they are closed', () => {
    const plan = schedule({ kind: 'weekly', days: [6], times: ['12:00'] }, night);
    assert.deepEqual(series(plan, '2026-11-21T15:00:00Z', 'UTC', 2), ['2026-11-21T22:00', '2026-11-28T22:00']);
  });

  it('include their first minute and not their last', () => {
    const at = (text: string): boolean => isOpenAt(night, Date.parse(text), 'UTC');
    assert.equal(at('2026-11-21T22:00:00Z'), true);
    assert.equal(at('2026-11-21T21:59:59.999Z'), false);
    assert.equal(at('2026-11-21T05:59:59.999Z'), true);
    assert.equal(at('2026-11-21T06:00:00Z'), false);
  });

  it('leave out a day on which the clock jumps over them', () => {
    const plan = schedule({ kind: 'weekly', days: [0], times: ['01:00'] }, { from: '02:00', to: '02:45' });
    assert.deepEqual(series(plan, '2027-03-27T12:00:00Z', PARIS, 1), ['2027-03-29T00:00']);
  });
});

const ZONES = [PARIS, NEW_YORK, KOLKATA, 'Australia/Lord_Howe', 'America/Havana', 'Africa/Casablanca', 'UTC'];

const time = fc.nat(24 * 60 - 1).map((minute) => {
  const text = (value: number): string => String(value).padStart(2, '0');
  return `${text(Math.floor(minute / 60))}:${text(minute % 60)}`;
});
const days = fc.uniqueArray(fc.nat(6), { minLength: 1 });
const hours = fc.record({ from: time, to: time }).filter(({ from, to }) => from !== to);
const rule: fc.Arbitrary<ScheduleRule> = fc.oneof(
  fc.record({ kind: fc.constant('weekly' as const), days, times: fc.array(time, { minLength: 1, maxLength: 4 }) }),
  fc.record({ kind: fc.constant('interval' as const), everyMinutes: fc.integer({ min: 5, max: 10_080 }) }),
  fc
    .constantFrom('*/20 * * * *', '30 2 * * *', '0 1-3 * * 0', '15 4 1 * 1')
    .map((expression): ScheduleRule => ({ kind: 'cron', expression })),
);
const moment = fc.integer({ min: Date.parse('2026-01-01'), max: Date.parse('2029-01-01') });
/** Moments close to the changes of the clock in Paris and New York, where the faults are. */
const tricky = fc
  .tuple(
    fc.constantFrom('2027-03-28T01:00', '2027-10-31T01:00', '2027-03-14T07:00', '2027-11-07T06:00'),
    fc.integer({ min: -2 * DAY_MS, max: DAY_MS }),
  )
  .map(([text, shiftMs]) => Date.parse(`${text}Z`) + shiftMs);
const anyMoment = fc.oneof(moment, tricky);
const zone = fc.constantFrom(...ZONES);

describe('any schedule', () => {
  it('has its next run in the future, on its days, and within its hours', () => {
    fc.assert(
      fc.property(
        rule,
        fc.option(hours, { nil: undefined }),
        anyMoment,
        zone,
        (someRule, someHours, nowMs, timeZone) => {
          const next = nextRunAt(schedule(someRule, someHours), nowMs - HOUR_MS, nowMs, timeZone);
          assert.ok(next !== undefined && next > nowMs);
          assert.ok(isOpenAt(someHours, next, timeZone));
          if (someRule.kind !== 'weekly' || someHours !== undefined) return;
          const wall = new Date(wallMsAt(next, timeZone));
          assert.ok(someRule.days.includes(wall.getUTCDay()));
          const isAtOneOfTheTimes = someRule.times.some(
            (text) => minuteOfDay(text) === wall.getUTCHours() * 60 + wall.getUTCMinutes(),
          );
          // Otherwise it was moved out of a gap: just before, clocks showed something else than a millisecond less.
          assert.ok(isAtOneOfTheTimes || wallMsAt(next - 1, timeZone) !== wall.getTime() - 1);
        },
      ),
      { numRuns: 400 },
    );
  });

  it('has a next run that only moves forward with the time', () => {
    fc.assert(
      fc.property(
        rule,
        fc.option(hours, { nil: undefined }),
        anyMoment,
        fc.nat(3 * DAY_MS),
        zone,
        (someRule, someHours, nowMs, laterMs, timeZone) => {
          const plan = schedule(someRule, someHours);
          const first = nextRunAt(plan, nowMs, nowMs, timeZone) ?? NaN;
          const second = nextRunAt(plan, nowMs, nowMs + laterMs, timeZone) ?? NaN;
          assert.ok(second >= first);
          // And nothing lies between: before the next run, the next run is the same.
          if (nowMs + laterMs < first) assert.equal(second, first);
        },
      ),
      { numRuns: 400 },
    );
  });

  it('opens its hours at most two days later, and closes them after that', () => {
    fc.assert(
      fc.property(hours, anyMoment, zone, (someHours, nowMs, timeZone) => {
        const openMs = openFrom(someHours, nowMs, timeZone);
        assert.ok(openMs >= nowMs && openMs < nowMs + 2.1 * DAY_MS);
        const closeMs = closesAt(someHours, openMs, timeZone);
        assert.ok(closeMs > openMs && !isOpenAt(someHours, closeMs, timeZone));
        assert.ok(isOpenAt(someHours, closeMs - 1, timeZone));
      }),
      { numRuns: 300 },
    );
  });
});

describe('the clock on the wall', () => {
  it('shows what was asked for at the moment that is found, unless it jumps over it', () => {
    fc.assert(
      fc.property(anyMoment, zone, (wallMs, timeZone) => {
        const atMs = momentOfWall(wallMs, timeZone);
        const shown = wallMsAt(atMs, timeZone);
        assert.ok(shown === wallMs || (shown > wallMs && wallMsAt(atMs - 1, timeZone) < wallMs));
        // The first of two: an hour and half an hour earlier it showed something else.
        for (const earlierMs of [HOUR_MS, HOUR_MS / 2]) assert.ok(wallMsAt(atMs - earlierMs, timeZone) < wallMs);
      }),
      { numRuns: 400 },
    );
  });

  it('follows the machine where the zone is unknown', () => {
    assert.equal(resolveTimeZone('Mars/Olympus'), resolveTimeZone('system'));
    assert.equal(resolveTimeZone('Europe/Paris'), 'Europe/Paris');
  });
});

interface CronYear {
  year: number;
  zones: Record<string, Record<string, { minutes: number[] } | { count: number; sha256: string }>>;
}

/** How the file was made: see cron-year.py beside it. */
const cronYear = JSON.parse(readFileSync(new URL('fixtures/cron-year.json', import.meta.url), 'utf8')) as CronYear;

describe('a year of cron expressions is the same as by croniter', () => {
  for (const [timeZone, expressions] of Object.entries(cronYear.zones)) {
    it(timeZone, () => {
      for (const [expression, expected] of Object.entries(expressions)) {
        const found = minutesOfYear(cron(expression), timeZone);
        const sha256 = createHash('sha256').update(found.join(',')).digest('hex');
        const actual = 'minutes' in expected ? { minutes: found } : { count: found.length, sha256 };
        assert.deepEqual(actual, expected, expression);
      }
    });
  }
});

function minutesOfYear(plan: Schedule, timeZone: string): number[] {
  const endMs = momentOfWall(Date.UTC(cronYear.year + 1, 0, 1), timeZone);
  const minutes: number[] = [];
  let atMs = momentOfWall(Date.UTC(cronYear.year, 0, 1), timeZone) - 1;
  for (;;) {
    const next = nextRunAt(plan, undefined, atMs, timeZone);
    if (next === undefined || next >= endMs) return minutes;
    minutes.push(next / MINUTE_MS);
    atMs = next;
  }
}
