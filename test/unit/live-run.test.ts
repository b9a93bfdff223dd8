import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { TRANSFERS_TOLD_MAX } from '../../src/engine/transfer-progress.ts';
import { createText } from '../../src/text.ts';
import type { TaskActivity } from '../../src/tasks/task-runner.ts';
import { createDates } from '../../src/web/dates.ts';
import { TRANSFER_ROWS, buildLiveRun, roundedLeftMs } from '../../src/web/pages/live-run.ts';
import type { LiveRunInput } from '../../src/web/pages/live-run.ts';

const NOW_MS = Date.UTC(2026, 10, 21, 12);
const text = createText('en');
const dates = createDates(text, 'Europe/Paris', () => NOW_MS);

type Progress = NonNullable<TaskActivity['progress']>;

const PROGRESS: Progress = {
  stage: 'transferring',
  elapsedMs: 100_000,
  foldersListed: 10,
  foldersWaiting: 0,
  filesListed: 2000,
  filesPlanned: 1000,
  bytesPlanned: 1024 ** 3,
  filesDone: 410,
  filesFailed: 0,
  bytesDone: 0.5 * 1024 ** 3,
  bytesPerSecond: 1024 ** 2,
  secondsLeft: 500,
  connections: 4,
  retries: 0,
  currentPath: 'a/b.jpg',
  transfers: [],
};

function input(progress: Partial<Progress> | undefined, more: Partial<LiveRunInput> = {}): LiveRunInput {
  return {
    activity: {
      runId: 1,
      taskId: 1,
      cause: 'user',
      phase: 'running',
      queuedMs: NOW_MS - 100_000,
      startedMs: NOW_MS - 100_000,
      progress: progress === undefined ? undefined : { ...PROGRESS, ...progress },
    },
    trail: { points: [], filesPerSecond: 3, stageSinceMs: NOW_MS - 60_000, movedMs: NOW_MS },
    nowMs: NOW_MS,
    filesLastTime: undefined,
    ...more,
  };
}

const build = (...given: Parameters<typeof input>) => buildLiveRun(input(...given), text, dates);

describe('the numbers of a run under way', () => {
  it('show each file that arrives in its row, and leave the others empty', () => {
    const transfers = [
      { slot: 1, path: 'wp-content/uploads/a.jpg', sizeBytes: 2048, doneBytes: 512, bytesPerSecond: 1024 },
      { slot: 3, path: 'empty', sizeBytes: 0, doneBytes: 0, bytesPerSecond: 0 },
    ];
    const view = build({ transfers });
    assert.equal(view.transfers.length, TRANSFER_ROWS);
    assert.deepEqual(view.transfers[1], {
      folder: 'wp-content/uploads/',
      name: 'a.jpg',
      size: '2 KB',
      share: 25,
      speed: '1 KB/s',
    });
    assert.deepEqual([view.transfers[3]?.name, view.transfers[3]?.share], ['empty', 100]);
    assert.deepEqual(view.transfers.filter(({ name }) => name !== '').length, 2);
    assert.equal(view.transferCount, '(2)');
    assert.equal(build({ retries: 14 }).retries, '14');
    assert.equal(TRANSFER_ROWS, TRANSFERS_TOLD_MAX);
  });

  it('show the lesser share of files and bytes', () => {
    assert.equal(build({}).percent, '41%');
    assert.equal(build({ bytesDone: 0 }).percent, '0%');
  });

  it('invent no percentage and no time left while the site is being looked at', () => {
    for (const stage of ['connecting', 'scanning', 'planning'] as const) {
      const view = build({ stage });
      assert.equal(view.progress, undefined, stage);
      assert.equal(view.percent, '');
      assert.equal(view.left, '');
      assert.equal(view.ends, '');
    }
  });

  it('compare the files found with those of the last time', () => {
    const view = build({ stage: 'scanning', filesListed: 214_000 }, { filesLastTime: 1_003_000 });
    assert.equal(view.headline, 'Scanning the site… 214,000 files found so far; 1,003,000 last time');
  });

  it('tell a time left only after twenty seconds of transfers, and never an exact one', () => {
    const early = { points: [], filesPerSecond: 3, stageSinceMs: NOW_MS - 19_000, movedMs: NOW_MS };
    assert.equal(build({}, { trail: early }).left, 'Calculating…');
    assert.equal(build({}).left, 'about 9 min left');
    assert.equal(build({}).ends, '· ends around 13:09');
    assert.equal(build({ secondsLeft: undefined }).left, 'Calculating…');
  });

  it('say when nothing arrives any more', () => {
    assert.equal(build({}).stalled, '');
    const trail = { points: [], filesPerSecond: 0, stageSinceMs: 0, movedMs: NOW_MS - 47_000 };
    assert.match(build({}, { trail }).stalled, /No data for 40 s/);
  });

  it('are there before the run has told anything', () => {
    const view = build(undefined);
    assert.equal(view.headline, 'Connecting to the site…');
    assert.equal(view.phase, 0);
  });

  it('never show a whole before the end, whatever the run tells', () => {
    const count = fc.integer({ min: 0, max: 2_000_000 });
    fc.assert(
      fc.property(count, count, count, count, (filesPlanned, filesDone, bytesPlanned, bytesDone) => {
        const view = build({ filesPlanned, filesDone, bytesPlanned, bytesDone });
        assert.ok(view.progress !== undefined && view.progress >= 0 && view.progress <= 99, String(view.progress));
      }),
    );
  });

  it('round the time left upwards, in steps that fit its length', () => {
    assert.equal(roundedLeftMs(1), 60_000);
    assert.equal(roundedLeftMs(8.2 * 60_000), 9 * 60_000);
    assert.equal(roundedLeftMs(62 * 60_000), 65 * 60_000);
    assert.equal(roundedLeftMs(190 * 60_000), 240 * 60_000);
    fc.assert(fc.property(fc.integer({ min: 0, max: 1e9 }), (ms) => roundedLeftMs(ms) >= ms));
  });
});
