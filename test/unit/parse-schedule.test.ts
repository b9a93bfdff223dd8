import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { parseCron } from '../../src/settings/cron-expression.ts';
import { nextRunAt } from '../../src/settings/next-run-at.ts';
import { parseSchedule, scheduleFieldOf, scheduleFormJson } from '../../src/settings/parse-schedule.ts';
import type { Schedule } from '../../src/settings/schedule.ts';
import { createText, LANGUAGES } from '../../src/text.ts';

function faultsOf(json: unknown): string[] {
  const parsed = parseSchedule(json);
  return 'faults' in parsed ? parsed.faults.map(({ path, key }) => `${path} ${key}`) : [];
}

function scheduleOf(json: unknown): Schedule {
  const parsed = parseSchedule(json);
  assert.ok('schedule' in parsed, JSON.stringify(parsed));
  return parsed.schedule;
}

const weekly = (times: unknown, days: unknown = [1]): object => ({ rule: { kind: 'weekly', days, times } });
const cron = (expression: unknown): object => ({ rule: { kind: 'cron', expression } });
const interval = (everyMinutes: unknown): object => ({ rule: { kind: 'interval', everyMinutes } });

describe('a schedule that is read', () => {
  it('is tidy: days and times ascend, and none is there twice', () => {
    assert.deepEqual(scheduleOf(weekly(['14:00', '2:05', '02:05', '2h', '13H30'], [5, 0, 5])), {
      rule: { kind: 'weekly', days: [0, 5], times: ['02:00', '02:05', '13:30', '14:00'] },
      allowedHours: undefined,
    });
  });

  it('may be every kind that there is', () => {
    assert.deepEqual(scheduleOf({ rule: { kind: 'manual' } }).rule, { kind: 'manual' });
    assert.deepEqual(scheduleOf(interval(5)).rule, { kind: 'interval', everyMinutes: 5 });
    assert.deepEqual(scheduleOf(interval(10_080)).rule, { kind: 'interval', everyMinutes: 10_080 });
    assert.deepEqual(scheduleOf(cron('  30 2  * * 1-5 ')).rule, { kind: 'cron', expression: '30 2 * * 1-5' });
  });

  it('may have allowed hours, also over midnight', () => {
    const allowedHours = { from: '22:00', to: '6:00' };
    assert.deepEqual(scheduleOf({ rule: { kind: 'manual' }, allowedHours }).allowedHours, {
      from: '22:00',
      to: '06:00',
    });
    assert.equal(scheduleOf({ rule: { kind: 'manual' }, allowedHours: null }).allowedHours, undefined);
  });

  it('is read again as it was stored', () => {
    const schedule = scheduleOf({ ...weekly(['02:00']), allowedHours: { from: '01:00', to: '05:00' } });
    assert.deepEqual(scheduleOf(JSON.parse(JSON.stringify(schedule))), schedule);
  });

  it('tells each thing that is wrong, and where', () => {
    const cases: [unknown, string[]][] = [
      [undefined, ['/schedule/rule/kind fault.value']],
      [{ rule: { kind: 'monthly' } }, ['/schedule/rule/kind fault.value']],
      [interval(4), ['/schedule/rule/everyMinutes fault.value']],
      [interval(10_081), ['/schedule/rule/everyMinutes fault.value']],
      [interval(7.5), ['/schedule/rule/everyMinutes fault.value']],
      [interval('60'), ['/schedule/rule/everyMinutes fault.value']],
      [interval(''), ['/schedule/rule/everyMinutes fault.empty']],
      [weekly([], []), ['/schedule/rule/days fault.empty', '/schedule/rule/times fault.empty']],
      [weekly(['02:00'], [7]), ['/schedule/rule/days fault.value']],
      [weekly(['02:00'], ['1']), ['/schedule/rule/days fault.value']],
      [
        weekly(['02:00', '24:00', '12:60', '2', 7]),
        [1, 2, 3, 4].map((index) => `/schedule/rule/times/${index} fault.value-shown`),
      ],
      [weekly(Array.from({ length: 25 }, (_, minute) => `03:${minute + 10}`)), ['/schedule/rule/times fault.value']],
      [cron(''), ['/schedule/rule/expression fault.empty']],
      [cron(5), ['/schedule/rule/expression fault.empty']],
      [cron('* * * *'), ['/schedule/rule/expression fault.cron-fields']],
      [cron('0 0 2 * * *'), ['/schedule/rule/expression fault.cron-fields']],
      [cron('@daily'), ['/schedule/rule/expression fault.cron-fields']],
      [cron('60 2 * * *'), ['/schedule/rule/expression fault.cron-minute']],
      [cron('0 24 * * *'), ['/schedule/rule/expression fault.cron-hour']],
      [cron('0 2 0 * *'), ['/schedule/rule/expression fault.cron-day']],
      [cron('0 2 * 13 *'), ['/schedule/rule/expression fault.cron-month']],
      [cron('0 2 * * 8'), ['/schedule/rule/expression fault.cron-weekday']],
      [cron('0 2 30 2 *'), ['/schedule/rule/expression fault.cron-never']],
      [cron('0,'.repeat(150)), ['/schedule/rule/expression fault.too-long']],
      [
        { rule: { kind: 'manual' }, allowedHours: { from: '6', to: '' } },
        ['/schedule/allowedHours/from fault.value-shown', '/schedule/allowedHours/to fault.empty'],
      ],
      [
        { rule: { kind: 'manual' }, allowedHours: { from: '6:00', to: '06:00' } },
        ['/schedule/allowedHours/to fault.hours-same'],
      ],
    ];
    for (const [json, expected] of cases) assert.deepEqual(faultsOf(json), expected, JSON.stringify(json));
  });

  it('has a sentence without gaps for every fault, in every language', () => {
    const broken = [{}, interval(1), interval(''), weekly([], []), weekly(['99'], [9]), cron(''), cron('* *')];
    const fields = ['x * * * *', '* x * * *', '* * x * *', '* * * x *', '* * * * x', '0 0 31 2 *'].map(cron);
    const same = { rule: { kind: 'manual' }, allowedHours: { from: '06:00', to: '06:00' } };
    for (const json of [...broken, ...fields, cron('1'.repeat(300)), same]) {
      const parsed = parseSchedule(json);
      assert.ok('faults' in parsed);
      for (const { key, facts, allowed } of parsed.faults) {
        for (const language of LANGUAGES) {
          const text = createText(language);
          const sentence = text.t(key, {
            ...facts,
            allowed: allowed === undefined ? undefined : text.t(allowed, facts),
          });
          assert.ok(text.has(key) && (allowed === undefined || text.has(allowed)), `${key} ${allowed ?? ''}`);
          assert.doesNotMatch(sentence, /…|\{/, `${language} ${key}`);
        }
      }
    }
  });

  it('is refused or understood, but never makes the reader fail', () => {
    const rule = fc.record({ kind: fc.constantFrom('interval', 'weekly', 'cron', 'manual') }).chain((known) =>
      fc.record({
        kind: fc.constant(known.kind),
        everyMinutes: fc.anything(),
        days: fc.oneof(fc.anything(), fc.array(fc.integer({ min: -1, max: 8 }))),
        times: fc.oneof(fc.anything(), fc.array(fc.oneof(fc.string(), fc.constantFrom('02:00', '7h')))),
        expression: fc.oneof(fc.anything(), fc.array(fc.constantFrom('*', '1', '2-4', '*/7', 'x'), { minLength: 5 })),
      }),
    );
    const json = fc.oneof(
      fc.anything(),
      fc.record({ rule, allowedHours: fc.oneof(fc.anything(), fc.constant(undefined)) }),
    );
    fc.assert(
      fc.property(json, (any) => {
        const parsed = parseSchedule(any);
        if ('faults' in parsed) assert.ok(parsed.faults.length > 0);
        else assert.deepEqual(parseSchedule(parsed.schedule), parsed);
      }),
    );
  });
});

function form(fields: Readonly<Record<string, string | string[]>>): unknown {
  const list = (name: string): string[] => [fields[name] ?? []].flat();
  return scheduleFormJson({ list, text: (name) => list(name).at(-1) ?? '' });
}

describe('a schedule from a form', () => {
  it('counts in minutes, hours and days', () => {
    const everyOf = (everyCount: string, everyUnit: string): unknown =>
      scheduleOf(form({ scheduleKind: 'interval', everyCount, everyUnit })).rule;
    assert.deepEqual(everyOf('30', 'minutes'), { kind: 'interval', everyMinutes: 30 });
    assert.deepEqual(everyOf(' 6 ', 'hours'), { kind: 'interval', everyMinutes: 360 });
    assert.deepEqual(everyOf('7', 'days'), { kind: 'interval', everyMinutes: 10_080 });
  });

  it('takes times from one field or several', () => {
    const days = ['1', '3'];
    const expected = { kind: 'weekly', days: [1, 3], times: ['02:00', '14:30'] };
    assert.deepEqual(scheduleOf(form({ scheduleKind: 'weekly', days, times: '02:00, 14h30' })).rule, expected);
    assert.deepEqual(scheduleOf(form({ scheduleKind: 'weekly', days, times: ['14:30', '', '2:00'] })).rule, expected);
  });

  it('does not look at fields of a kind that was not chosen', () => {
    const rest = { everyCount: 'x', times: '99', cron: 'x', hoursFrom: 'x' };
    assert.deepEqual(scheduleOf(form({ ...rest, scheduleKind: 'manual' })).rule, { kind: 'manual' });
  });

  it('has allowed hours where their box is ticked', () => {
    const hours = { hasAllowedHours: 'on', hoursFrom: '22:00', hoursTo: '06:00' };
    assert.deepEqual(scheduleOf(form({ scheduleKind: 'manual', ...hours })).allowedHours, {
      from: '22:00',
      to: '06:00',
    });
  });

  it('leads each fault back to its field', () => {
    const fieldsOf = (fields: Readonly<Record<string, string | string[]>>): string[] => {
      const parsed = parseSchedule(form(fields));
      return 'faults' in parsed ? parsed.faults.map(scheduleFieldOf) : [];
    };
    assert.deepEqual(fieldsOf({}), ['scheduleKind']);
    assert.deepEqual(fieldsOf({ scheduleKind: 'constructor' }), ['scheduleKind']);
    assert.deepEqual(fieldsOf({ scheduleKind: 'interval', everyCount: 'six', everyUnit: 'hours' }), ['everyCount']);
    assert.deepEqual(fieldsOf({ scheduleKind: 'interval', everyCount: '', everyUnit: 'hours' }), ['everyCount']);
    assert.deepEqual(fieldsOf({ scheduleKind: 'weekly', days: 'x', times: '25:00' }), ['days', 'times']);
    assert.deepEqual(fieldsOf({ scheduleKind: 'cron', cron: '*' }), ['cron']);
    assert.deepEqual(fieldsOf({ scheduleKind: 'manual', hasAllowedHours: 'on', hoursFrom: '1' }), [
      'hoursFrom',
      'hoursTo',
    ]);
  });
});

describe('a cron expression', () => {
  it('takes either day where both are restricted, and both where a field begins with a star', () => {
    const isDay = (expression: string, day: number, weekday: number): boolean => {
      const fields = parseCron(expression);
      assert.ok(!('fault' in fields));
      return fields.isDay(day, 1, weekday);
    };
    assert.equal(isDay('0 0 13 * 5', 13, 1), true);
    assert.equal(isDay('0 0 13 * 5', 12, 5), true);
    assert.equal(isDay('0 0 13 * 5', 12, 1), false);
    assert.equal(isDay('0 0 */2 * 5', 13, 1), false);
    assert.equal(isDay('0 0 */2 * 5', 13, 5), true);
    assert.equal(isDay('0 0 13 * *', 12, 1), false);
  });

  it('knows Sunday by two numbers and a name', () => {
    const next = ['0', '7', 'sun', 'SUN', '5-7'].map((weekday) =>
      nextRunAt(scheduleOf(cron(`0 0 * * ${weekday}`)), undefined, Date.parse('2026-11-21T12:00:00Z'), 'UTC'),
    );
    assert.deepEqual(new Set(next), new Set([Date.parse('2026-11-22T00:00:00Z')]));
  });

  it('is refused where it is written in a way that others understand differently', () => {
    for (const expression of [
      '5/10 * * * *',
      '* * L * *',
      '* * ? * *',
      '5-1 * * * *',
      '*/0 * * * *',
      '1-3-5 * * * *',
    ]) {
      assert.ok('fault' in parseCron(expression), expression);
    }
  });
});
