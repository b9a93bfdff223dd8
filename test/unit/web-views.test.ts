import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { MANUAL } from '../../src/settings/schedule.ts';
import type { RunMark, StoredOutcome, StoredRun } from '../../src/state/run-store.ts';
import type { StoredTask } from '../../src/state/task-store.ts';
import { createText } from '../../src/text.ts';
import { csvLine } from '../../src/web/csv.ts';
import { createDates } from '../../src/web/dates.ts';
import { dayOf, dayStartMs } from '../../src/web/exact-times.ts';
import { buildHappening, readHappenings } from '../../src/web/pages/activity-rows.ts';
import type { Happening } from '../../src/web/pages/activity-rows.ts';
import { buildCalendar } from '../../src/web/pages/run-calendar.ts';
import { STRIP_RUNS, buildCompactStrip, buildStrip, buildThroughput } from '../../src/web/pages/run-charts.ts';
import { scheduleWords } from '../../src/web/pages/schedule-words.ts';
import { buildRunDetail } from '../../src/web/pages/run-detail-view.ts';
import type { RunInput } from '../../src/web/pages/run-detail-view.ts';
import { buildTrouble } from '../../src/web/pages/task-overview-view.ts';
import type { TaskInput } from '../../src/web/pages/task-reading.ts';
import { buildTasksView, failuresInRow } from '../../src/web/pages/tasks-view.ts';
import type { TasksInput, TasksQuery } from '../../src/web/pages/tasks-view.ts';
import { volumeView } from '../../src/web/side.ts';
import { storedReport } from '../../src/web/stored-report.ts';
import { idOf, taskPath } from '../../src/web/task-path.ts';
import { taskSettings } from '../support/run-fixture.ts';

const NOW_MS = Date.UTC(2026, 10, 21, 12);
const HOUR_MS = 3_600_000;
const text = createText('en');
const french = createText('fr');
const dates = createDates(text, 'Europe/Paris', () => NOW_MS);
const LIST: TasksQuery = { filter: 'all', words: '', sort: 'status', isReversed: false, page: 1 };

function mark(outcome: StoredOutcome, agoMs = HOUR_MS, bytes = 1000): RunMark {
  const queuedMs = NOW_MS - agoMs;
  const endedMs = outcome === 'running' || outcome === 'queued' ? undefined : queuedMs + 1000;
  return {
    id: Math.max(1, Math.round(1e6 - agoMs / HOUR_MS)),
    taskId: 1,
    outcome,
    queuedMs,
    startedMs: queuedMs,
    endedMs,
    bytes,
  };
}

function run(outcome: StoredOutcome, report: object = {}, more: Partial<StoredRun> = {}): StoredRun {
  return {
    id: 9,
    taskId: 1,
    taskName: 'Site',
    localRunId: 1,
    cause: 'schedule',
    startedBy: undefined,
    queuedMs: NOW_MS - HOUR_MS,
    startedMs: NOW_MS - HOUR_MS,
    endedMs: NOW_MS - HOUR_MS + 240_000,
    outcome,
    report: JSON.stringify(report),
    ...more,
  };
}

function task(id: number, name: string, more: Partial<TaskInput> = {}, stored: Partial<StoredTask> = {}): TaskInput {
  return {
    task: {
      id,
      name,
      stateKey: String(id),
      settings: taskSettings(name),
      faults: [],
      schedule: MANUAL,
      isPaused: false,
      revision: 1,
      createdMs: 0,
      updatedMs: 0,
      ...stored,
    },
    activity: undefined,
    trail: undefined,
    lastEnded: run('complete', { counts: { listed: 5, downloaded: 2 } }),
    lastFinished: run('complete', { counts: { listed: 5 } }),
    marks: [],
    nextMs: undefined,
    isOverdue: false,
    waitsForHours: false,
    needsDecision: false,
    ...more,
  };
}

const failure = (code: string): StoredRun => run('failed', { cause: { code, facts: { host: 'h', user: 'u' } } });

function list(tasks: TaskInput[], query: Partial<TasksQuery> = {}, more: Partial<TasksInput> = {}) {
  const day = { runs: 0, failed: 0, files: 0, bytes: 0 };
  const input = {
    tasks,
    query: { ...LIST, ...query },
    happenings: [],
    day,
    pausedUntilMs: undefined,
    nowMs: NOW_MS,
    ...more,
  };
  return buildTasksView(input, text, dates);
}

describe('the list of tasks', () => {
  const tasks = [
    task(1, 'Well'),
    task(2, 'Never', { lastEnded: undefined, lastFinished: undefined }),
    task(3, 'Broken login', {
      lastEnded: failure('login-rejected'),
      marks: [mark('complete', 3 * HOUR_MS), mark('failed', 2 * HOUR_MS), mark('failed')],
    }),
    task(4, 'Partial', { lastEnded: run('incomplete', { failureCount: 12 }) }),
    task(5, 'Late', { isOverdue: true }),
  ];

  it('puts what needs somebody first', () => {
    assert.deepEqual(
      list(tasks).rows.map((row) => row.name),
      ['Broken login', 'Late', 'Partial', 'Well', 'Never'],
    );
    assert.deepEqual(list(tasks, { isReversed: true }).rows.at(-1)?.name, 'Broken login');
  });

  it('says at the top what is wrong, how often, and leads to what puts it right', () => {
    const [login, late, partial] = list(tasks).attention;
    assert.match(login?.words ?? '', /refused the user name or password of “u”\. 2 times in a row\./);
    assert.deepEqual(login?.action, {
      kind: 'open',
      path: '/tasks/3-broken-login/edit#conn',
      words: 'Edit connection',
    });
    assert.deepEqual(late?.action, { kind: 'run', path: '/tasks/5/run', words: 'Back up now' });
    assert.deepEqual(partial?.action, { kind: 'open', path: '/runs/9', words: 'View run' });
    assert.equal(partial.words, '12 items could not be copied or seen.');
  });

  it('keeps the attention list short and counts the others', () => {
    const many = Array.from({ length: 7 }, (_, index) =>
      task(index + 1, `T${index}`, { lastEnded: failure('timed-out') }),
    );
    const view = list(many);
    assert.equal(view.attention.length, 3);
    assert.equal(view.attentionMore, 'and 4 more');
    assert.equal(list(tasks.slice(0, 1)).attentionMore, '');
  });

  it('counts each filter, whichever is chosen', () => {
    const counts = list(tasks, { filter: 'ok', words: 'nothing like it' }).chips.map((chip) => chip.count);
    assert.deepEqual(counts, [5, 3, 0, 1, 0]);
  });

  it('names the causes of a partial run with their counts, the most frequent ones', () => {
    const failureCodes = [['permission-denied', 9], ['changed-meanwhile', 2], ['file-refused', 1], ['nonsense']];
    const partial = task(1, 'Partial', { lastEnded: run('incomplete', { failureCount: 12, failureCodes }) });
    assert.equal(
      list([partial]).attention[0]?.words,
      '12 items could not be copied or seen: not allowed to read (9), changed while being copied (2).',
    );
    const one = task(1, 'Partial', {
      lastEnded: run('incomplete', { failureCount: 1, failureCodes: [['permission-denied', 1]] }),
    });
    assert.equal(list([one]).attention[0]?.words, '1 item could not be copied or seen: not allowed to read.');
  });

  it('shows a task whose settings cannot be used, and all the others beside it', () => {
    const view = list([...tasks, task(6, 'Damaged', {}, { settings: undefined })]);
    assert.equal(view.rows.length, 6);
    const damaged = view.rows.find((row) => row.name === 'Damaged');
    assert.equal(damaged?.pill.state, 'failed');
    assert.equal(damaged.line, 'Settings cannot be used');
  });

  it('goes to a page that exists', () => {
    const many = Array.from({ length: 120 }, (_, index) => task(index + 1, `T${String(index).padStart(3, '0')}`));
    assert.equal(list(many, { page: 99 }).rows.length, 20);
    const first = list(many);
    assert.equal(first.rows.length, 50);
    assert.equal(first.newer, undefined);
    assert.equal(first.older, '/tasks?page=2');
    assert.equal(list(many, { page: 2, sort: 'name' }).newer, '/tasks?sort=name');
  });

  it('warns of a volume that is almost full', () => {
    const tone = (used: number): string | undefined =>
      volumeView({ number: '1', usedBytes: used, totalBytes: 1000 }, text).tone;
    assert.deepEqual(
      [tone(0), tone(899), tone(900), tone(969), tone(970), tone(1000)],
      ['quiet', 'quiet', 'warn', 'warn', 'err', 'err'],
    );
  });

  it('says a failure happened again only of failures that follow each other', () => {
    assert.equal(failuresInRow([]), 0);
    assert.equal(failuresInRow([mark('failed'), mark('complete')]), 0);
    assert.equal(failuresInRow([mark('complete'), mark('failed'), mark('failed'), mark('running')]), 2);
  });
});

describe('the page of a run', () => {
  const noFiles = { events: [], kinds: [], kind: undefined, words: '', hasMore: false };
  const input: Omit<RunInput, 'run'> = {
    taskPath: '/tasks/1-site',
    versionRun: undefined,
    needsDecision: false,
    tab: 'errors',
    newerId: undefined,
    olderId: undefined,
    causes: [],
    shownCause: undefined,
    notices: [],
    files: noFiles,
    log: { lines: [], next: undefined },
    hasNotes: true,
    nowMs: NOW_MS,
  };

  it('never says that there were no errors below the one that ended the run, or below what was held', () => {
    const quietOf = (outcome: StoredOutcome, report: object): string =>
      buildRunDetail({ ...input, run: run(outcome, report) }, text, dates).quiet;
    const none = text.t('td.noerrors');
    assert.notEqual(quietOf('failed', { cause: { code: 'login-rejected', facts: {} } }), none);
    assert.notEqual(quietOf('held', { cause: { code: 'guard-held', facts: {} } }), none);
    assert.equal(quietOf('cancelled', {}), none);
  });

  it('leads to where the cause is put right: the connection, or what is copied', () => {
    const view = (outcome: StoredOutcome, report: object, code: string): ReturnType<typeof buildRunDetail> => {
      const causes = [{ code, count: 1, events: [], hasMore: false }];
      return buildRunDetail({ ...input, causes, run: run(outcome, report) }, text, dates);
    };
    const failed = view('failed', { cause: { code: 'login-rejected', facts: {} } }, 'timed-out');
    assert.equal(failed.trouble?.connectionPath, '/tasks/1-site/edit#conn');
    assert.equal(failed.groups[0]?.fixPath, undefined);
    assert.equal(view('incomplete', {}, 'permission-denied').groups[0]?.fixPath, '/tasks/1-site/edit#what');
  });

  it('counts files only in notices that are about files', () => {
    const event = { id: 1, atMs: NOW_MS, level: 'notice', sizeBytes: undefined, detail: undefined } as const;
    const notices = [
      { code: 'connection-not-encrypted', count: 1, events: [{ ...event, code: '', path: undefined }] },
      { code: 'link-not-followed', count: 7, events: [{ ...event, code: '', path: '/latest' }] },
    ];
    const view = buildRunDetail({ ...input, notices, run: run('complete') }, text, dates);
    assert.deepEqual(
      view.notices.map(({ count }) => count),
      ['', '7 files'],
    );
  });
});

describe('the trouble of a task', () => {
  const base = {
    dataMarks: [],
    lastRuns: [],
    versions: undefined,
    warnings: [],
    pausedUntilMs: undefined,
    nowMs: NOW_MS,
  };

  it('names the cause, the next step, and the last copy that is good', () => {
    const lastComplete = run('complete', {}, { startedMs: NOW_MS - 50 * HOUR_MS });
    const trouble = buildTrouble(
      { ...base, task: task(1, 'Site', { lastEnded: failure('host-unknown') }), lastComplete },
      text,
      dates,
    );
    assert.equal(trouble?.cause, 'The server name h was not found.');
    assert.match(trouble.action, /Check the spelling/);
    assert.match(trouble.since, /Last complete copy: 19 Nov, 11:00\./);
  });

  it('says so where there is no good copy at all', () => {
    const trouble = buildTrouble(
      { ...base, task: task(1, 'Site', { lastEnded: failure('disk-full') }), lastComplete: undefined },
      text,
      dates,
    );
    assert.match(trouble?.since ?? '', /no complete copy yet/);
  });

  it('is none after a complete run, a stop, or before the first run', () => {
    for (const lastEnded of [run('complete'), run('cancelled'), run('interrupted'), undefined]) {
      assert.equal(
        buildTrouble({ ...base, task: task(1, 'Site', { lastEnded }), lastComplete: undefined }, text, dates),
        undefined,
      );
    }
  });
});

describe('a question that is still open', () => {
  it('is asked on the page of the task also after a run that was stopped', () => {
    const base = { dataMarks: [], lastRuns: [], versions: undefined, warnings: [], pausedUntilMs: undefined };
    for (const lastEnded of [
      run('held', { cause: { code: 'guard-held', facts: {} } }),
      run('cancelled', { cause: { code: 'cancelled', facts: {} } }),
      run('interrupted', {}, { report: undefined }),
    ]) {
      const input = task(1, 'Site', { lastEnded, needsDecision: true });
      const view = { ...base, task: input, lastComplete: undefined, nowMs: NOW_MS };
      const trouble = buildTrouble(view, text, dates);
      assert.deepEqual(trouble?.link, { path: '/tasks/1-site/decision', words: 'Decide' }, lastEnded.outcome);
      assert.match(trouble.cause, /^Too much has changed/);
      assert.equal(trouble.tone, 'warn');
      assert.equal(list([input]).attention[0]?.action.path, '/tasks/1-site/decision');
    }
  });
});

describe('charts', () => {
  const outcomes = [
    'complete',
    'incomplete',
    'failed',
    'held',
    'cancelled',
    'interrupted',
    'running',
    'queued',
  ] as const;

  it('show at most thirty runs, the newest right, with one sentence that says the same', () => {
    const marks = Array.from({ length: 40 }, (_, index) =>
      mark(index === 39 ? 'failed' : 'complete', (40 - index) * HOUR_MS),
    );
    const strip = buildStrip(marks, text, dates);
    assert.equal(strip.bars.length, STRIP_RUNS);
    assert.equal(strip.bars.at(-1)?.look, 'b-err');
    assert.equal(strip.label, '30 runs: 29 complete, 0 partial, 1 failed');
    assert.equal(buildStrip([], text, dates).label, 'No run yet');
    assert.equal(buildCompactStrip(marks, text).label, strip.label);
  });

  it('draw the same bars, single or as dashes of a line for each look', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...outcomes), { maxLength: 40 }), (given) => {
        const marks = given.map((outcome) => mark(outcome));
        const single = buildStrip(marks, text, dates)
          .bars.filter((bar) => bar.look !== 'b-none')
          .map((bar) => `${bar.look} ${bar.x / 6} ${bar.y + bar.height / 2}`);
        const dashed = buildCompactStrip(marks, text).paths.flatMap(({ look, d }) =>
          [...d.matchAll(/M(\d+) (\d+)h(\d+)/g)].flatMap(([, x, y, length]) =>
            Array.from({ length: Number(length) / 5 }, (_, index) => `${look} ${Number(x) / 5 + index} ${Number(y)}`),
          ),
        );
        // What a higher bar covers is not seen.
        const isCovered = (bar: string): boolean =>
          bar.startsWith('b-ok') && dashed.some((other) => other !== bar && other.split(' ')[1] === bar.split(' ')[1]);
        assert.deepEqual(dashed.filter((bar) => !isCovered(bar)).sort(), single.sort());
      }),
    );
  });

  it('tell outcomes apart by height too, not only by colour', () => {
    const height = (outcome: StoredOutcome): number | undefined =>
      buildStrip([mark(outcome)], text, dates).bars.at(-1)?.height;
    assert.equal(new Set([height('complete'), height('incomplete'), height('failed'), height('cancelled')]).size, 4);
  });

  it('keep every point of the throughput inside the picture', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(2 ** 31), { minLength: 3, maxLength: 60 }), (points) => {
        const view = buildThroughput(points, { pointsMax: 60, stepMs: 10_000, endMs: NOW_MS }, text, dates);
        for (const match of view?.line.matchAll(/[ML]([\d.-]+) ([\d.-]+)/g) ?? []) {
          assert.ok(Number(match[1]) >= 0 && Number(match[1]) <= 600);
          assert.ok(Number(match[2]) >= 0 && Number(match[2]) <= 78, view?.line);
        }
      }),
    );
    assert.equal(buildThroughput([1, 2], { pointsMax: 60, stepMs: 10_000, endMs: NOW_MS }, text, dates), undefined);
  });
});

describe('the calendar of a task', () => {
  it('has each of the last thirty days once, also around the changes of the clock', () => {
    for (const nowMs of [Date.UTC(2026, 2, 30, 22, 30), Date.UTC(2026, 9, 26, 0, 30), Date.UTC(2026, 10, 21, 12)]) {
      const days = buildCalendar([], { nowMs, days: 30, path: '/x' }, text, dates);
      assert.equal(days.length, 30);
      for (let index = 1; index < days.length; index++) {
        const step = Number(days[index]?.number) - Number(days[index - 1]?.number);
        assert.ok(step === 1 || step < -26, days.map((day) => day.number).join());
      }
    }
  });

  it('links only days on which something ran, with the worst first', () => {
    const days = buildCalendar([mark('complete'), mark('failed')], { nowMs: NOW_MS, days: 3, path: '/x' }, text, dates);
    assert.deepEqual(
      days.map((day) => day.path),
      [undefined, undefined, '/x?day=2026-11-21'],
    );
    assert.deepEqual(days.at(-1)?.looks, ['err', 'ok']);
  });

  it('begins a day where the clocks of the zone do', () => {
    for (const zone of ['Europe/Paris', 'America/New_York', 'Asia/Kathmandu', 'Pacific/Apia']) {
      for (const day of ['2026-03-29', '2026-10-25', '2026-03-08', '2026-01-01']) {
        const startMs = dayStartMs(day, zone) ?? 0;
        assert.equal(dayOf(startMs, zone), day);
        assert.notEqual(dayOf(startMs - 1, zone), day);
      }
    }
    assert.equal(dayStartMs('2026-13-01', 'Europe/Paris'), undefined);
    assert.equal(dayStartMs('', 'Europe/Paris'), undefined);
  });
});

describe('small words', () => {
  it('say a schedule in both languages', () => {
    const schedule = {
      rule: { kind: 'weekly', days: [1, 3], times: ['02:30', '14:00'] },
      allowedHours: { from: '22:00', to: '06:00' },
    } as const;
    assert.equal(scheduleWords(schedule, text), 'Monday and Wednesday at 02:30 and 14:00 (only from 22:00 to 06:00)');
    assert.equal(scheduleWords(schedule, french), 'lundi et mercredi à 02:30 et 14:00 (seulement de 22:00 à 06:00)');
    assert.equal(
      scheduleWords({ rule: { kind: 'interval', everyMinutes: 120 }, allowedHours: undefined }, text),
      'Every 2 hours',
    );
    assert.equal(scheduleWords(MANUAL, text), 'By hand only');
  });

  it('find the number again in the path of a task, whatever it is called', () => {
    assert.equal(taskPath({ id: 7, name: 'Garage Morel & Söhne' }), '/tasks/7-garage-morel-sohne');
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1e9 }), fc.string({ unit: 'binary' }), (id, name) => {
        const path = taskPath({ id, name });
        assert.match(path, /^\/tasks\/\d+(-[a-z0-9-]+)?$/);
        assert.equal(idOf(path.slice('/tasks/'.length)), id);
      }),
    );
    for (const value of ['', '0', '-1', '1.5', '1e3', 'x', '1/2', '9'.repeat(20), undefined, ['1']])
      assert.equal(idOf(value), undefined);
  });

  it('make a table that no spreadsheet takes for a formula, and that can be read back', () => {
    assert.equal(
      csvLine(['=1+1', '+x', '-x', '@x', 'a,b', 'say "x"', 'two\nlines', -5]),
      `'=1+1,'+x,'-x,'@x,"a,b","say ""x""","two\nlines",-5\r\n`,
    );
  });

  it('read any report that was ever stored without breaking', () => {
    fc.assert(
      fc.property(fc.json(), (report) => {
        const read = storedReport({ report });
        assert.ok(read === undefined || Number.isFinite(read.counts.listed));
      }),
    );
    assert.equal(storedReport({ report: '{half' }), undefined);
    assert.equal(
      storedReport({ report: JSON.stringify({ cause: { code: 'of-the-future' } }) })?.cause?.code,
      'internal',
    );
  });
});

describe('what happened', () => {
  it('is told in the words and at the time of who reads it', () => {
    const deed = (action: string, detail: string): Happening => ({
      kind: 'deed',
      atMs: NOW_MS,
      deed: { id: 1, atMs: NOW_MS, actor: 'ann', action, subject: 'Site', detail },
    });
    const pinned = deed('version-pinned', String(NOW_MS - HOUR_MS));
    const words = (happening: Happening, in_ = text, at = dates): string => buildHappening(happening, in_, at).words;
    assert.equal(words(pinned), 'ann pinned a version of Site: Today 12:00');
    const tomorrow = createDates(text, 'Europe/Paris', () => NOW_MS + 24 * HOUR_MS);
    assert.equal(words(pinned, text, tomorrow), 'ann pinned a version of Site: Yesterday 12:00');
    const later = createDates(french, 'Europe/Paris', () => NOW_MS + 240 * HOUR_MS);
    assert.match(words(pinned, french, later), /21 nov\.?, 12:00/);
    const changed = deed('settings-changed', 'set.web');
    assert.equal(words(changed), `ann changed the settings: ${text.t('set.web')}`);
    assert.ok(words(changed, french).endsWith(french.t('set.web')), words(changed, french));
    // As earlier versions wrote it.
    assert.equal(words(deed('settings-changed', 'General')), 'ann changed the settings: General');
  });

  it('is read in pages that lose and repeat nothing, whatever the order of the times', () => {
    const times = fc.array(fc.integer({ min: 0, max: 30 }), { maxLength: 25 });
    fc.assert(
      fc.property(times, times, fc.integer({ min: 1, max: 7 }), (runTimes, deedTimes, limit) => {
        const runs = runTimes.map((ms, index) => run('complete', {}, { id: index + 1, queuedMs: ms })).reverse();
        const deeds = deedTimes
          .map((ms, index) => ({
            id: index + 1,
            atMs: ms,
            actor: 'a',
            action: 'x',
            subject: undefined,
            detail: undefined,
          }))
          .reverse();
        const stores = {
          runs: {
            list: ({ beforeId }: { beforeId?: number | undefined }, count: number) =>
              runs.filter((item) => beforeId === undefined || item.id < beforeId).slice(0, count),
          },
          activity: {
            list: (beforeId: number | undefined, count: number) =>
              deeds.filter((item) => beforeId === undefined || item.id < beforeId).slice(0, count),
          },
        };
        const seen: string[] = [];
        let cursor: ReturnType<typeof readHappenings>['next'] = { runId: undefined, deedId: undefined };
        while (cursor !== undefined) {
          const page: ReturnType<typeof readHappenings> = readHappenings(stores, {}, cursor, limit);
          seen.push(...page.happenings.map((item) => (item.kind === 'run' ? `r${item.run.id}` : `d${item.deed.id}`)));
          cursor = page.next;
        }
        const wanted = [...runs.map(({ id }) => `r${id}`), ...deeds.map(({ id }) => `d${id}`)];
        assert.deepEqual(seen.sort(), wanted.sort());
      }),
    );
  });
});
