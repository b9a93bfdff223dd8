import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { KEEP_FIELDS } from '../../src/settings/keep-form.ts';
import { EMPTY_TASK_FORM, parseTaskForm, taskFormOf } from '../../src/settings/parse-form.ts';
import type { TaskForm } from '../../src/settings/parse-form.ts';
import { parseTaskSettings } from '../../src/settings/parse-task.ts';
import { NO_SECRETS } from '../../src/settings/password-source.ts';
import { MANUAL } from '../../src/settings/schedule.ts';
import { Secret } from '../../src/settings/secret.ts';
import type { DeletionRule, KeepRule, TaskSettings } from '../../src/settings/task-settings.ts';
import { LANGUAGES, createText } from '../../src/text.ts';
import { keepFieldsView } from '../../src/web/pages/keep-fields.ts';
import { pruneLines } from '../../src/web/pages/prune-lines.ts';

const PASSWORD = 'a password';
const TYPED = { name: 'Garage', host: 'ftp.example.com', user: 'garage', target: '/volume1/web-backup/garage' };

function parsed(changes: Partial<TaskForm>): ReturnType<typeof parseTaskForm> {
  return parseTaskForm({ ...EMPTY_TASK_FORM, ...TYPED, ...changes }, new Secret(PASSWORD));
}

function settingsOf(changes: Partial<TaskForm>): TaskSettings {
  const result = parsed(changes);
  assert.ok('settings' in result, JSON.stringify(result));
  return result.settings;
}

function faultyFields(changes: Partial<TaskForm>): string[] {
  const result = parsed(changes);
  return 'faults' in result ? result.faults.map(({ field }) => field) : [];
}

function kept(settings: TaskSettings): Pick<TaskSettings, 'deletion' | 'versions' | 'verification'> {
  const { deletion, versions, verification } = settings;
  return { deletion, versions, verification };
}

const whole = (min: number, max: number): fc.Arbitrary<number> => fc.integer({ min, max });
const STORED = fc.record({
  deletion: fc.record({
    rule: fc.constantFrom<DeletionRule>('keep', 'archive', 'delete'),
    days: whole(1, 10_000),
  }),
  versions: fc.record(
    {
      keep: fc.constantFrom<KeepRule>('all', 'last', 'within', 'steps', 'smart'),
      count: whole(1, 10_000),
      days: whole(1, 10_000),
      hourly: whole(0, 10_000),
      daily: whole(0, 10_000),
      weekly: whole(0, 10_000),
      monthly: whole(0, 10_000),
      yearly: whole(0, 10_000),
      quotaBytes: whole(1, Number.MAX_SAFE_INTEGER),
    },
    { requiredKeys: ['keep', 'count', 'days', 'hourly', 'daily', 'weekly', 'monthly', 'yearly'] },
  ),
  verification: fc.record({
    restat: fc.boolean(),
    sampleBytes: whole(0, Number.MAX_SAFE_INTEGER),
    sampleSeconds: whole(0, 86_400),
    rehashDays: whole(0, 3650),
  }),
});

describe('deletions and versions in the form of a task', () => {
  it('begin with the rules that a task has where nothing is said of them', () => {
    const source = { protocol: 'ftps', host: 'x', user: 'x', password: PASSWORD, folder: '/' };
    const bare = parseTaskSettings({ name: 'x', source, target: { folder: '/volume1/x/x' } }, NO_SECRETS);
    assert.ok('settings' in bare);
    assert.deepEqual(kept(settingsOf({})), kept(bare.settings));
  });

  it('are the same after the form was opened and saved, whatever they were', () => {
    fc.assert(
      fc.property(STORED, fc.constantFrom(...LANGUAGES), (stored, language) => {
        const source = { protocol: 'ftps', host: 'x', user: 'x', password: PASSWORD, folder: '/' };
        const task = parseTaskSettings(
          { name: 'x', source, target: { folder: '/volume1/x/x' }, ...stored },
          NO_SECRETS,
        );
        assert.ok('settings' in task);
        const again = parseTaskForm(taskFormOf(task.settings, MANUAL, language), new Secret(PASSWORD));
        assert.ok('settings' in again, JSON.stringify(again));
        assert.deepEqual(kept(again.settings), kept(task.settings));
      }),
    );
  });

  it('want the number that the chosen rule needs', () => {
    assert.deepEqual(faultyFields({ deletion: 'delete', deletionDays: '' }), ['deletionDays']);
    assert.deepEqual(faultyFields({ keepRule: 'last', keepCount: '0' }), ['keepCount']);
    assert.deepEqual(faultyFields({ keepRule: 'smart', keepCount: 'many' }), ['keepCount']);
    assert.deepEqual(faultyFields({ keepRule: 'within', keepDays: '36501' }), ['keepDays']);
    assert.deepEqual(faultyFields({ keepRule: 'steps', keepWeekly: '1,5', keepYearly: '' }), [
      'keepWeekly',
      'keepYearly',
    ]);
    assert.deepEqual(faultyFields({ deletion: 'wipe', keepRule: 'best' }), ['deletion', 'keepRule']);
  });

  it('have no fault in a field that the chosen rule hides', () => {
    const settings = settingsOf({
      deletion: 'archive',
      deletionDays: 'soon',
      keepRule: 'all',
      keepCount: '-1',
      keepDays: '',
      keepHourly: '99999999',
    });
    assert.equal(settings.versions.keep, 'all');
    assert.equal(settings.versions.count, 256);
  });

  it('take no space without its unit, and nothing for no limit', () => {
    assert.deepEqual(faultyFields({ quota: '50', sample: 'much', sampleSeconds: '86401', rehashDays: '4000' }), [
      'quota',
      'sample',
      'sampleSeconds',
      'rehashDays',
    ]);
    assert.equal(settingsOf({ quota: '' }).versions.quotaBytes, undefined);
    assert.equal(settingsOf({ quota: '1,5 Go' }).versions.quotaBytes, 1.5 * 1024 ** 3);
    assert.equal(settingsOf({ sample: '' }).verification.sampleBytes, 0);
  });

  it('show every rule with words of its own in each language', () => {
    for (const language of LANGUAGES) {
      const text = createText(language);
      const view = keepFieldsView({ ...EMPTY_TASK_FORM, keepRule: 'within' }, {}, text);
      const words = [...view.deletions, ...view.rules].map((rule) => rule.words);
      assert.equal(new Set(words).size, 8);
      assert.ok(words.every((word) => !/^(od|keep)\./.test(word)));
      assert.deepEqual(
        view.rules.filter((rule) => rule.isChosen).map((rule) => rule.value),
        ['within'],
      );
    }
  });

  it('say beside each fault where it is', () => {
    const view = keepFieldsView(EMPTY_TASK_FORM, { keepDaily: 'Wrong' }, createText('en'));
    assert.equal(view.hasStepFault, true);
    assert.equal(view.steps.find(({ id }) => id === 'keepDaily')?.fault, 'Wrong');
  });

  it('put every field on the page once', () => {
    assert.equal(new Set(KEEP_FIELDS).size, KEEP_FIELDS.length);
  });
});

describe('what would be pruned, in sentences', () => {
  const text = createText('en');
  const dates = { inWords: (ms: number) => `day ${ms}` };
  const none = { files: 0, bytes: 0 };

  it('names the versions that would go, their content and what stays', () => {
    const forecast = { kind: 'seen', points: 12, oldestMs: 1, newestMs: 9, stays: 3, expired: none } as const;
    assert.deepEqual(pruneLines({ ...forecast, pruned: { files: 40, bytes: 2048 } }, text, dates), [
      '12 versions would be deleted (day 1 – day 9): 40 files, 2 KB.',
      'Kept: 3 versions.',
    ]);
  });

  it('tells of files that go by the rule for deletions although every version stays', () => {
    const forecast = { kind: 'seen', points: 0, oldestMs: undefined, newestMs: undefined, stays: 1 } as const;
    assert.deepEqual(pruneLines({ ...forecast, pruned: none, expired: { files: 1, bytes: 10 } }, text, dates), [
      'Files that disappeared from the site long enough ago: 1 file, 10 B.',
      'Kept: 1 version.',
    ]);
    assert.deepEqual(pruneLines({ ...forecast, pruned: none, expired: none }, text, dates), [
      'Nothing would be deleted. Kept: 1 version.',
    ]);
  });

  it('has words for every other answer', () => {
    for (const kind of ['empty', 'held', 'slow', 'unreadable'] as const) {
      assert.notEqual(pruneLines({ kind }, text, dates)[0], `prune.${kind}`);
    }
  });
});
