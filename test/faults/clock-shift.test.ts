import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { SAMPLE_FILES_MAX, SHIFT_FILES_MIN, findShift } from '../../src/engine/clock-shift.ts';
import type { GuardSettings } from '../../src/settings/task-settings.ts';
import { BackupFixture } from '../support/backup-fixture.ts';
import type { RunOverrides } from '../support/backup-fixture.ts';
import type { ScriptedServerOptions } from '../support/scripted-ftp-options.ts';

const HOUR_MS = 3_600_000;
const QUARTER_MS = 15 * 60_000;
const DAY_MS = 24 * HOUR_MS;
const FILES = 120;

/** The limits that a new task has: a shift that is seen through is nothing to ask about. */
const guards: Partial<GuardSettings> = {
  vanishedPercent: 10,
  changedPercent: 30,
  shrunkPercent: 50,
  serverChanged: true,
};
const guarded: RunOverrides = { guards };

const path = (i: number): string => `/d${i % 4}/file ${String(i).padStart(3, '0')}.html`;

async function withSite(
  options: Partial<ScriptedServerOptions>,
  work: (fixture: BackupFixture) => Promise<void>,
  files = FILES,
): Promise<void> {
  const fixture = await BackupFixture.start(options);
  try {
    for (let i = 0; i < files; i++) fixture.tree.writeFile(path(i), `content of ${i}`);
    await fixture.runUntilEqual(guarded, { timePrecisionMs: 60_000 });
    fixture.server.clearLog();
    await work(fixture);
  } finally {
    await fixture.end();
  }
}

/** The server's clock, or its zone, is another by `ms` from now on. */
function shiftTimes(fixture: BackupFixture, ms: number): void {
  for (const file of [...fixture.tree.files()]) fixture.tree.touch(file.path, file.mtimeMs + ms);
}

function notices(fixture: BackupFixture): string[] {
  return fixture.notices().filter((notice) => notice.startsWith('clock'));
}

describe('A server whose times have all moved alike', () => {
  for (const [name, ms] of [
    ['by an hour, as in spring', HOUR_MS],
    ['by an hour back, as in autumn', -HOUR_MS],
    ['by five hours and three quarters, from one zone to another', 23 * QUARTER_MS],
  ] as const) {
    it(`${name}: a sample is compared, nothing else comes, and the next run is quiet`, async () => {
      await withSite({}, async (fixture) => {
        const before = fixture.snapshot();
        shiftTimes(fixture, ms);
        const report = await fixture.run(guarded);
        assert.equal(report.outcome, 'complete', JSON.stringify(report));
        assert.deepEqual(notices(fixture), ['clock-shifted']);
        assert.equal(fixture.server.count('RETR'), SAMPLE_FILES_MAX);
        assert.deepEqual({ ...report.counts }, { ...report.counts, unchanged: FILES, changed: 0, downloaded: 0 });
        fixture.assertNothingLost(before);
        fixture.server.clearLog();
        const quiet = await fixture.run(guarded);
        assert.equal(quiet.counts.unchanged, FILES);
        assert.equal(fixture.server.count('RETR'), 0);
        assert.deepEqual(notices(fixture), []);
      });
    });
  }

  it('is seen through although some files have really changed, and those come', async () => {
    await withSite({}, async (fixture) => {
      shiftTimes(fixture, HOUR_MS);
      for (let i = 0; i < 8; i++) fixture.tree.writeFile(path(i), `edited content of ${i}`);
      const report = await fixture.run(guarded);
      assert.equal(report.outcome, 'complete', JSON.stringify(report));
      assert.equal(report.counts.downloaded, 8);
      assert.deepEqual(notices(fixture), ['clock-shifted']);
      for (const file of fixture.tree.files()) {
        const here = readFileSync(join(fixture.current, file.path));
        assert.ok(here.equals(file.read()), file.path);
      }
    });
  });

  it('is not believed where one file of the sample is another: all come again', async () => {
    await withSite(
      {},
      async (fixture) => {
        // Same size, and the time moved like all others: only its content tells.
        fixture.tree.writeFile(path(5), 'CONTENT of 5');
        shiftTimes(fixture, HOUR_MS);
        fixture.tree.touch(path(5), fixture.tree.find(path(6))?.node.mtimeMs ?? 0);
        const report = await fixture.run();
        assert.equal(report.outcome, 'complete');
        assert.equal(report.counts.downloaded, SAMPLE_FILES_MAX);
        assert.equal(notices(fixture).length, 1);
        assert.match(notices(fixture)[0] ?? '', /^clock-shift-refuted/);
        fixture.assertCurrentEquals();
      },
      SAMPLE_FILES_MAX,
    );
  });

  it('whose files were rewritten with a uniform time is a mass change to the guards', async () => {
    await withSite({}, async (fixture) => {
      const before = fixture.snapshot();
      for (let i = 0; i < FILES; i++) fixture.tree.writeFile(path(i), `CONTENT of ${i}`, { mtimeMs: 0 });
      for (const file of [...fixture.tree.files()]) {
        const known = before.get(file.path.slice(1))?.mtimeMs ?? 0;
        fixture.tree.touch(file.path, known + HOUR_MS);
      }
      const report = await fixture.run(guarded);
      assert.equal(report.outcome, 'held');
      assert.match(notices(fixture)[0] ?? '', /^clock-shift-refuted/);
      fixture.assertNothingLost(before);
    });
  });

  it('by seven minutes has another reason: all come again', async () => {
    await withSite({}, async (fixture) => {
      shiftTimes(fixture, 7 * 60_000);
      const report = await fixture.run();
      assert.equal(report.counts.downloaded, FILES);
      assert.deepEqual(notices(fixture), []);
    });
  });

  it('tells them by LIST alone, in its own zone', async () => {
    await withSite({ hasMlsd: false, hasMlst: false, hasMdtm: false }, async (fixture) => {
      fixture.server.options.listUtcOffsetMinutes = 60;
      const report = await fixture.run(guarded);
      assert.equal(report.outcome, 'complete', JSON.stringify(report));
      assert.deepEqual(notices(fixture), ['clock-shifted']);
      assert.equal(report.counts.downloaded, 0);
      fixture.server.clearLog();
      assert.equal((await fixture.run(guarded)).counts.unchanged, FILES);
      assert.equal(fixture.server.count('RETR'), 0);
    });
  });

  it('is seen through by a simulation, too', async () => {
    await withSite({}, async (fixture) => {
      shiftTimes(fixture, HOUR_MS);
      const report = await fixture.run({ ...guarded, isDryRun: true });
      assert.equal(report.outcome, 'complete', JSON.stringify(report));
      assert.equal(report.counts.changed, 0);
    });
  });

  it('is looked at anew after a stop in the middle of the comparison', async () => {
    await withSite({}, async (fixture) => {
      shiftTimes(fixture, HOUR_MS);
      const stop = new AbortController();
      fixture.server.addFault(
        { command: 'RETR', nth: 10 },
        {
          run: () => {
            stop.abort();
          },
        },
      );
      assert.equal((await fixture.run({ ...guarded, signal: stop.signal })).outcome, 'cancelled');
      fixture.server.faults.length = 0;
      const report = await fixture.run(guarded);
      assert.equal(report.outcome, 'complete');
      assert.equal(report.counts.downloaded, 0);
      assert.deepEqual(notices(fixture), ['clock-shifted']);
    });
  });

  it('survives connections that are lost during the comparison', async () => {
    await withSite({}, async (fixture) => {
      shiftTimes(fixture, HOUR_MS);
      fixture.server.addFault({ command: 'RETR', nth: 5, times: 2 }, { drop: true });
      const report = await fixture.run(guarded);
      assert.equal(report.outcome, 'complete');
      assert.deepEqual(notices(fixture), ['clock-shifted']);
      assert.equal(report.counts.downloaded, 0);
    });
  });
});

describe('A server that has moved to another disk', () => {
  it('shows other identities for the same files: nothing comes again, and renames are known by the new ones', async () => {
    await withSite({}, async (fixture) => {
      for (const file of [...fixture.tree.files()]) {
        fixture.tree.writeFile(file.path, file.read(), { isReplaced: true, mtimeMs: file.mtimeMs });
      }
      const report = await fixture.run(guarded);
      assert.equal(report.outcome, 'complete', JSON.stringify(report));
      assert.deepEqual(notices(fixture), ['clock-shifted']);
      assert.equal(fixture.server.count('RETR'), SAMPLE_FILES_MAX);
      fixture.server.clearLog();
      assert.equal((await fixture.run(guarded)).counts.unchanged, FILES);
      assert.equal(fixture.server.count('RETR'), 0);
    });
  });
});

describe('A server that tells times by LIST alone', () => {
  for (const hasMdtm of [true, false]) {
    it(`tells only their day after six months, ${hasMdtm ? 'with' : 'without'} MDTM: nothing has changed`, async () => {
      await withSite({ hasMlsd: false, hasMlst: false, hasMdtm }, async (fixture) => {
        fixture.server.options.nowMs = Date.now() + 200 * DAY_MS;
        const report = await fixture.run(guarded);
        assert.equal(report.outcome, 'complete', JSON.stringify(report));
        assert.equal(report.counts.unchanged, FILES);
        assert.equal(fixture.server.count('RETR'), 0);
        assert.deepEqual(notices(fixture), []);
      });
    });
  }
});

describe('The rule for a shift', () => {
  const group = (files: number, deltaMs: number, precision = 'second', isMoved = false) => ({
    files,
    deltaMs,
    precision,
    isMoved,
  });

  it('wants more than nine tenths of the changed files, and enough of them', () => {
    assert.deepEqual(findShift([group(91, HOUR_MS)], 100), { deltaMs: HOUR_MS, isMoved: false });
    assert.equal(findShift([group(90, HOUR_MS)], 100), undefined);
    assert.equal(findShift([group(SHIFT_FILES_MIN - 1, HOUR_MS)], SHIFT_FILES_MIN - 1), undefined);
    assert.notEqual(findShift([group(SHIFT_FILES_MIN, HOUR_MS)], SHIFT_FILES_MIN), undefined);
    assert.equal(findShift([], 0), undefined);
  });

  it('knows quarters of an hour up to 26 hours, in both directions, and nothing else', () => {
    for (const deltaMs of [QUARTER_MS, -QUARTER_MS, 26 * HOUR_MS, -26 * HOUR_MS]) {
      assert.deepEqual(findShift([group(99, deltaMs)], 100)?.deltaMs, deltaMs);
    }
    for (const deltaMs of [1000, QUARTER_MS + 1000, 26 * HOUR_MS + QUARTER_MS, 60_000]) {
      assert.equal(findShift([group(99, deltaMs)], 100), undefined);
    }
  });

  it('takes a time told by its day as a part of the shift where it crossed midnight in the same direction', () => {
    const minutes = group(70, HOUR_MS, 'minute');
    assert.notEqual(findShift([minutes, group(30, DAY_MS, 'day')], 100), undefined);
    assert.equal(findShift([minutes, group(30, -DAY_MS, 'day')], 100), undefined);
    assert.equal(findShift([minutes, group(30, DAY_MS, 'minute')], 100), undefined);
  });

  it('takes other identities for a move only where the times have stayed or moved alike', () => {
    assert.deepEqual(findShift([group(99, 0, 'second', true)], 100), { deltaMs: 0, isMoved: true });
    assert.equal(findShift([group(99, 0)], 100), undefined);
    assert.deepEqual(findShift([group(99, HOUR_MS, 'second', true)], 100), { deltaMs: HOUR_MS, isMoved: true });
  });
});
