import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { amountText, bytesOf, numberOf } from '../../src/settings/form-amounts.ts';
import {
  EMPTY_TASK_FORM,
  LIST_FIELDS,
  PAGE_ORDER,
  TEXT_FIELDS,
  addressParts,
  parseTaskForm,
  readTaskForm,
  taskFormOf,
} from '../../src/settings/parse-form.ts';
import type { TaskForm } from '../../src/settings/parse-form.ts';
import { parseTaskSettings } from '../../src/settings/parse-task.ts';
import { NO_SECRETS } from '../../src/settings/password-source.ts';
import type { Schedule } from '../../src/settings/schedule.ts';
import { Secret } from '../../src/settings/secret.ts';
import type { TaskSettings } from '../../src/settings/task-settings.ts';
import { taskSettingsJson } from '../../src/settings/task-settings-json.ts';
import { LANGUAGES, createText } from '../../src/text.ts';
import { FIELD_LABELS, faultMessages } from '../../src/web/pages/form-words.ts';

const PASSWORD = new Secret('Tr0ub4dor&3-secret');
const TEXT = createText('en');

function form(changes: Partial<TaskForm> = {}): TaskForm {
  return {
    ...EMPTY_TASK_FORM,
    name: 'Garage Morel',
    host: 'ftp.garage-morel.fr',
    user: 'garagem',
    target: '/volume1/web-backup/garage',
    ...changes,
  };
}

function accepted(changes: Partial<TaskForm> = {}): { settings: TaskSettings; schedule: Schedule } {
  const parsed = parseTaskForm(form(changes), PASSWORD);
  assert.ok('settings' in parsed, JSON.stringify(parsed));
  return parsed;
}

function fieldsOf(changes: Partial<TaskForm>, password: Secret | undefined = PASSWORD): string[] {
  const parsed = parseTaskForm(form(changes), password);
  assert.ok('faults' in parsed, 'accepted');
  return parsed.faults.map((fault) => fault.field);
}

describe('the form of a task', () => {
  it('begins with the limits that a task has where nothing is said of them', () => {
    const { settings } = accepted();
    const stored: Record<string, unknown> = { ...taskSettingsJson(settings), guards: undefined };
    const bare: unknown = JSON.parse(
      JSON.stringify({ ...stored, source: { ...(stored['source'] as object), password: PASSWORD.reveal() } }),
    );
    const parsed = parseTaskSettings(bare, NO_SECRETS);
    assert.ok('settings' in parsed);
    assert.deepEqual(settings.guards, parsed.settings.guards);
  });

  it('turns a limit off where it is not ticked, whatever its number, and keeps it off', () => {
    const { settings, schedule } = accepted({ guards: ['vanishedPercent', 'serverChanged'], vanishedPercent: '25' });
    assert.deepEqual(settings.guards, {
      vanishedPercent: 25,
      vanishedFiles: undefined,
      changedPercent: undefined,
      shrunkPercent: undefined,
      emptiedFiles: undefined,
      suffixPercent: undefined,
      emptiedFolders: false,
      serverChanged: true,
    });
    const again = taskFormOf(settings, schedule, 'en');
    assert.deepEqual(again.guards, ['vanishedPercent', 'serverChanged']);
    assert.deepEqual(accepted(again).settings.guards, settings.guards);
  });

  it('wants a number for each limit that is ticked', () => {
    assert.deepEqual(fieldsOf({ vanishedPercent: '', changedPercent: '101', emptiedFiles: 'few' }), [
      'vanishedPercent',
      'changedPercent',
      'emptiedFiles',
    ]);
  });

  it('needs nothing but a name, a server, a user, a password and a place', () => {
    const { settings, schedule } = accepted();
    assert.equal(settings.source.protocol, 'ftps');
    assert.equal(settings.source.port, 21);
    assert.equal(settings.connections, 'auto');
    assert.deepEqual(settings.speed, { bytesPerSecond: undefined, byHour: [] });
    assert.deepEqual(schedule.rule, { kind: 'weekly', days: [0, 1, 2, 3, 4, 5, 6], times: ['02:00'] });
  });

  it('tells of everything that is wrong at once, in the order of the page', () => {
    const wrong = {
      host: 'ftp://ftp.garage-morel.fr/www',
      port: '210000',
      folder: 'www',
      target: '/volume1',
      times: '25:00',
      speed: 'fast',
    };
    assert.deepEqual(fieldsOf(wrong, new Secret('')), [
      'host',
      'port',
      'password',
      'folder',
      'target',
      'times',
      'speed',
    ]);
  });

  it('has a label and a sentence for a fault in every field, in both languages', () => {
    for (const language of LANGUAGES) {
      const text = createText(language);
      for (const field of PAGE_ORDER) {
        assert.ok(text.has(FIELD_LABELS[field]), `${language} ${FIELD_LABELS[field]}`);
        const [message] = faultMessages([{ field, key: 'fault.value', facts: { line: 'x' } }], text);
        assert.doesNotMatch(message?.words ?? '', /^e\.|[{}…]/, `${language} e.${field}`);
      }
    }
  });

  it('names the line of a pattern that cannot be used', () => {
    const parsed = parseTaskForm(form({ exclude: '*.log\r\n\r\n../up\r\ntmp/' }), PASSWORD);
    assert.ok('faults' in parsed, 'accepted');
    assert.equal(faultMessages(parsed.faults, TEXT)[0]?.words, 'This pattern cannot be used: ../up');
  });

  it('takes amounts with their unit and refuses them without', () => {
    assert.equal(accepted({ maxSize: '1,5 Go' }).settings.filters.maxSizeBytes, 1_610_612_736);
    assert.equal(accepted({ speed: '2 MB/s' }).settings.speed.bytesPerSecond, 2_097_152);
    for (const maxSize of ['500', '1,000 MB', '-1 MB', 'MB', '1e9 B'])
      assert.deepEqual(fieldsOf({ maxSize }), ['maxSize']);
    assert.deepEqual(fieldsOf({ speed: '100 B/s' }), ['speed']);
  });

  it('takes hours with a limit, and leaves rows out that are empty', () => {
    const { settings } = accepted({
      speedFrom: ['8:00', '', ''],
      speedTo: ['18h00', '', ''],
      speedLimit: ['500 KB/s', '', ''],
    });
    assert.deepEqual(settings.speed.byHour, [{ from: '08:00', to: '18:00', bytesPerSecond: 512_000 }]);
    const halfRow = { speedFrom: ['08:00'], speedTo: [''], speedLimit: ['1 MB'] };
    assert.deepEqual(fieldsOf(halfRow), ['speedTo']);
    assert.deepEqual(fieldsOf({ ...halfRow, speedTo: ['24:00'], speedLimit: [''] }), ['speedTo', 'speedLimit']);
  });

  it('means the hours that were typed, whether a box says so or not', () => {
    assert.deepEqual(accepted({ hoursFrom: '22:00', hoursTo: '6:00' }).schedule.allowedHours, {
      from: '22:00',
      to: '06:00',
    });
    assert.equal(accepted({ hasAllowedHours: 'yes' }).schedule.allowedHours, undefined);
    assert.deepEqual(fieldsOf({ hoursFrom: '22:00' }), ['hoursTo']);
  });

  it('holds no certificate where the protocol has none', () => {
    assert.equal(
      accepted({ protocol: 'ftp', fingerprint: 'ab'.repeat(32) }).settings.source.tls.fingerprint,
      undefined,
    );
  });

  it('never holds the password, in no form and in no fault', () => {
    const { settings, schedule } = accepted();
    assert.ok(!JSON.stringify(taskFormOf(settings, schedule, 'en')).includes(PASSWORD.reveal()), 'in the form');
    const parsed = parseTaskForm(form({ port: 'x' }), new Secret(`${PASSWORD.reveal()}\n`));
    assert.ok('faults' in parsed && parsed.faults.some((fault) => fault.field === 'password'), JSON.stringify(parsed));
    assert.ok(!JSON.stringify(parsed).includes(PASSWORD.reveal()), 'in the faults');
  });

  it('shows a task as it is: what was shown and not touched is saved as it was', () => {
    const size = fc.option(fc.integer({ min: 0, max: 2 ** 40 }), { nil: undefined });
    const time = fc
      .tuple(fc.integer({ min: 0, max: 23 }), fc.integer({ min: 0, max: 59 }))
      .map((parts) => parts.map((part) => String(part).padStart(2, '0')).join(':'));
    const days = fc.uniqueArray(fc.integer({ min: 0, max: 6 }), { minLength: 1 }).map((list) => list.sort());
    const rule = fc.oneof(
      fc.constant({ kind: 'manual' } as const),
      fc.integer({ min: 5, max: 10_080 }).map((everyMinutes) => ({ kind: 'interval', everyMinutes }) as const),
      fc.record({ kind: fc.constant('weekly' as const), days, times: time.map((one) => [one]) }),
      fc.constant({ kind: 'cron', expression: '30 2 * * 1-5' } as const),
    );
    const sizes = fc.tuple(size, size).map(([a, b]) => (a !== undefined && b !== undefined && a > b ? [b, a] : [a, b]));
    const tasks = fc.record({
      protocol: fc.constantFrom('ftp', 'ftps', 'ftps-implicit'),
      port: fc.option(fc.integer({ min: 1, max: 65_535 }), { nil: undefined }),
      sizes,
      connections: fc.oneof(fc.constant('auto' as const), fc.integer({ min: 1, max: 20 })),
      limit: fc.option(fc.integer({ min: 1024, max: 2 ** 40 }), { nil: undefined }),
      restat: fc.boolean(),
      exclude: fc.array(fc.constantFrom('*.log', '/cache/', '!keep.log', 'a b')),
      language: fc.constantFrom(...LANGUAGES),
      rule,
    });
    fc.assert(
      fc.property(tasks, ({ language, ...given }) => {
        const json = {
          name: 'Garage',
          source: {
            protocol: given.protocol,
            host: 'h.example',
            port: given.port,
            user: 'u',
            password: 'p',
            folder: '/www',
          },
          target: { folder: '/volume1/web-backup/g' },
          filters: { exclude: given.exclude, minSizeBytes: given.sizes[0], maxSizeBytes: given.sizes[1] },
          connections: given.connections,
          speed: {
            bytesPerSecond: given.limit,
            byHour: given.limit === undefined ? [] : [{ from: '08:00', to: '07:59', bytesPerSecond: given.limit }],
          },
          verification: { restat: given.restat },
        };
        const before = parseTaskSettings(JSON.parse(JSON.stringify(json)), NO_SECRETS);
        assert.ok('settings' in before, JSON.stringify(before));
        const schedule: Schedule = { rule: given.rule, allowedHours: undefined };
        const after = parseTaskForm(taskFormOf(before.settings, schedule, language), new Secret('p'));
        assert.ok('settings' in after, JSON.stringify(after));
        assert.deepEqual(taskSettingsJson(after.settings), taskSettingsJson(before.settings));
        assert.deepEqual(JSON.parse(JSON.stringify(after.schedule)), JSON.parse(JSON.stringify(schedule)));
      }),
      { numRuns: 200 },
    );
  });

  it('reads any form without an error of its own', () => {
    const sent = fc.dictionary(fc.constantFrom(...TEXT_FIELDS, ...LIST_FIELDS, '__proto__'), fc.array(fc.string()));
    fc.assert(
      fc.property(sent, fc.option(fc.string(), { nil: undefined }), (fields, password) => {
        const list = (name: string): string[] => (Object.hasOwn(fields, name) ? (fields[name] ?? []) : []);
        const typed = readTaskForm({ list, text: (name) => list(name).at(-1) ?? '' });
        const parsed = parseTaskForm(typed, password === undefined ? undefined : new Secret(password));
        assert.ok('settings' in parsed || parsed.faults.length > 0, 'neither settings nor faults');
      }),
      { numRuns: 200 },
    );
  });
});

describe('an amount', () => {
  it('is written so that it is read as the same number', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
        fc.constantFrom(...LANGUAGES),
        (bytes, language) => {
          assert.equal(bytesOf(amountText(bytes, language)), bytes);
        },
      ),
    );
  });

  it('is short where it can be', () => {
    assert.equal(amountText(1_610_612_736, 'fr'), '1,5 Go');
    assert.equal(amountText(524_288_000, 'en'), '500 MB');
    assert.equal(amountText(0, 'en'), '0 B');
  });

  it('may be a plain number with a comma or a point', () => {
    assert.equal(numberOf(' 2,5 '), 2.5);
    assert.equal(numberOf(''), undefined);
    assert.equal(numberOf('0x10'), '0x10');
  });
});

describe('an address that is pasted', () => {
  it('fills the fields', () => {
    assert.deepEqual(addressParts(' ftp://web%40site:p%20w@ftp.example.com:2121/www '), {
      protocol: 'ftp',
      host: 'ftp.example.com',
      port: '2121',
      user: 'web@site',
      password: 'p w',
      folder: '/www',
    });
    assert.equal(addressParts('ftps://h:990')?.protocol, 'ftps-implicit');
    assert.equal(addressParts('ftpes://h')?.protocol, 'ftps');
    assert.equal(addressParts('ftp://h:21')?.port, '');
  });

  it('is none where it cannot be read', () => {
    for (const text of ['ftp.example.com', 'http://h/', 'ftp://', 'ftp://h h/', '']) {
      assert.equal(addressParts(text), undefined, text);
    }
  });
});
