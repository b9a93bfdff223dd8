import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import type { CommandContext } from '../../src/cli/command-context.ts';
import { runDecide, runHeld } from '../../src/cli/held-command.ts';
import { readTask } from '../../src/cli/read-task.ts';
import { systemClock } from '../../src/clock.ts';
import { createText } from '../../src/text.ts';
import { WORK_RESUMED_MS } from '../../src/engine/begin-work.ts';
import { HoldStore } from '../../src/state/hold-store.ts';
import type { Hold } from '../../src/state/hold-store.ts';
import type { Work } from '../../src/state/run-rows.ts';
import { openTaskDatabase } from '../../src/state/task-database.ts';
import type { RunReport } from '../../src/engine/run-report.ts';
import type { GuardSettings, TaskSettings } from '../../src/settings/task-settings.ts';
import { BackupFixture, describeFailures } from '../support/backup-fixture.ts';
import type { RunOverrides } from '../support/backup-fixture.ts';
import { snapshotFolder } from '../support/tree-compare.ts';

const TASK = 'under test';
const PHOTOS = 40;
const PAGES = 60;

/** The limits that a new task has. */
const guards: GuardSettings = {
  vanishedPercent: 10,
  vanishedFiles: 500,
  changedPercent: 30,
  shrunkPercent: 50,
  emptiedFiles: 20,
  suffixPercent: 80,
  emptiedFolders: true,
  serverChanged: true,
};
const guarded: RunOverrides = { guards };

const photo = (i: number): string => `/photos/p${String(i).padStart(2, '0')}.jpg`;
const page = (i: number): string => `/pages/${i % 3}/page ${String(i).padStart(2, '0')}.html`;

function holds<T>(fixture: BackupFixture, use: (store: HoldStore) => T): T {
  const database = openTaskDatabase(fixture.stateDir, TASK);
  try {
    return use(new HoldStore(database.db));
  } finally {
    database.close();
  }
}

function newest(fixture: BackupFixture): Hold | undefined {
  return holds(fixture, (store) => store.newest());
}

function decide(fixture: BackupFixture, decision: 'kept' | 'accepted'): void {
  const isDecided = holds(fixture, (store) => {
    const open = store.open();
    return open !== undefined && store.decide(open.runId, decision, Date.now(), 'test');
  });
  assert.ok(isDecided, 'there was nothing to decide');
}

/** What was held yesterday is not gone on with: the server is looked at anew. */
function letADayPass(fixture: BackupFixture): void {
  const database = openTaskDatabase(fixture.stateDir, TASK);
  const work = database.db.prepare(`SELECT value FROM meta WHERE key = 'work'`).pluck().get() as string;
  const { startedMs, ...rest } = JSON.parse(work) as Work;
  const value = JSON.stringify({ ...rest, startedMs: startedMs - WORK_RESUMED_MS });
  database.db.prepare(`UPDATE meta SET value = ? WHERE key = 'work'`).run(value);
  database.close();
}

function commandLine(fixture: BackupFixture): {
  show: { settings: TaskSettings; context: CommandContext };
  said: string[];
} {
  const said: string[] = [];
  const stream = { write: (text: string) => said.push(text) > 0 } as unknown as CommandContext['stdout'];
  const signal = new AbortController().signal;
  const context = { text: createText('en'), clock: systemClock, stdout: stream, stderr: stream, signal };
  const taskFile = join(fixture.stateDir, 'task.json');
  writeFileSync(taskFile, fixture.taskFileContent(), { mode: 0o600 });
  const task = readTask(taskFile, {});
  assert.ok('settings' in task);
  return { show: { settings: task.settings, context }, said };
}

function assertHeld(report: RunReport, expected: readonly string[]): void {
  assert.equal(report.outcome, 'held', JSON.stringify(report));
  assert.equal(report.cause?.code, 'guard-held');
  assert.deepEqual(
    report.held?.findings.map(({ guard }) => guard),
    expected,
  );
}

describe('A run that would change too much at once', () => {
  let fixture: BackupFixture;
  beforeEach(async () => {
    fixture = await BackupFixture.start();
    for (let i = 0; i < PHOTOS; i++) fixture.tree.writeFile(photo(i), `photo ${i} `.repeat(20));
    for (let i = 0; i < PAGES; i++) fixture.tree.writeFile(page(i), `<h1>Page ${i}</h1>`.repeat(10));
    fixture.tree.writeFile('/index.html', '<h1>Home</h1>');
    await fixture.runUntilEqual(guarded);
  });
  afterEach(() => fixture.end());

  it('is held when a folder has gone: only new files come, nothing is replaced, moved or marked', async () => {
    const before = fixture.snapshot();
    fixture.tree.remove('/photos');
    fixture.tree.writeFile('/pages/0/new.html', 'new');
    fixture.tree.writeFile('/index.html', '<h1>Changed</h1>');

    const report = await fixture.run(guarded);

    assertHeld(report, ['vanishedPercent', 'emptiedFolders']);
    fixture.assertNothingLost(before);
    assert.ok(fixture.snapshot().has('pages/0/new.html'), 'new files come');
    assert.equal(report.counts.downloaded, 1);
    const { held } = report;
    assert.deepEqual(held?.folders[0], { path: '/photos', before: PHOTOS, now: 0 });
    const [vanished] = held.findings;
    assert.deepEqual(
      { count: vanished?.count, total: vanished?.total, limit: vanished?.limit },
      { count: PHOTOS, total: PHOTOS + PAGES + 1, limit: 10 },
    );
    assert.equal(held.replaced, 1);
    assert.match(fixture.logText, /"event":"run-held"/);
  });

  it('asks again each night until somebody decides, and brings what is new meanwhile', async () => {
    fixture.tree.remove('/photos');
    assertHeld(await fixture.run(guarded), ['vanishedPercent', 'emptiedFolders']);
    const first = newest(fixture);
    fixture.tree.writeFile('/pages/1/later.html', 'later');
    assertHeld(await fixture.run(guarded), ['vanishedPercent', 'emptiedFolders']);
    assert.ok(fixture.snapshot().has('pages/1/later.html'));
    const second = newest(fixture);
    assert.equal(second?.id, first?.id, 'one question, not two');
    assert.equal(second?.atMs, first?.atMs, 'since the first night');
    assert.equal(second?.decision, 'open');
  });

  it('goes on by itself when the folder is back: the question is closed', async () => {
    fixture.tree.remove('/photos');
    assertHeld(await fixture.run(guarded), ['vanishedPercent', 'emptiedFolders']);
    for (let i = 0; i < PHOTOS; i++) fixture.tree.writeFile(photo(i), `photo ${i} `.repeat(20));
    // Back from the host's own backup, with other identities.
    const report = await fixture.run({ guards: { ...guards, changedPercent: undefined } });
    assert.equal(report.outcome, 'complete', JSON.stringify(report.held));
    assert.equal(newest(fixture)?.decision, 'passed');
    fixture.assertCurrentEquals();
  });

  it('goes on with what it held once that is accepted, without listing the site again', async () => {
    fixture.tree.remove('/photos');
    fixture.tree.writeFile('/index.html', '<h1>Changed</h1>');
    await fixture.run(guarded);
    decide(fixture, 'accepted');
    fixture.server.clearLog();

    const report = await fixture.run(guarded);

    assert.equal(report.outcome, 'complete', JSON.stringify(report));
    assert.deepEqual(
      fixture.notices().filter((notice) => notice.startsWith('guard')),
      ['guard-accepted'],
    );
    assert.equal(report.counts.vanished, PHOTOS);
    assert.equal(newest(fixture)?.usedRun !== undefined, true);
    assert.ok(fixture.missing().includes('/photos'));
    assert.equal((await fixture.run(guarded)).outcome, 'complete', 'what is known to be missing does not count again');
  });

  it('moves what was accepted to the older versions once two complete runs have missed it', async () => {
    const archive = { ...guarded, deletion: { rule: 'archive' } } as const;
    const photos = [...fixture.snapshot()].filter(([path]) => path.startsWith('photos/'));
    fixture.tree.remove('/photos');
    assertHeld(await fixture.run(archive), ['vanishedPercent', 'emptiedFolders']);
    decide(fixture, 'accepted');
    assert.equal((await fixture.run(archive)).outcome, 'complete');
    const last = await fixture.run(archive);
    assert.equal(last.counts.retired, PHOTOS, JSON.stringify(last.counts));
    const [version] = readdirSync(join(fixture.targetFolder, 'versions'));
    const kept = snapshotFolder(join(fixture.targetFolder, 'versions', version ?? ''));
    for (const [path, state] of photos) assert.equal(kept.get(path)?.sha256, state.sha256, path);
    assert.ok(![...fixture.snapshot().keys()].some((path) => path.startsWith('photos/')));
  });

  it('is held again when after the acceptance more has gone', async () => {
    for (let i = 0; i < 20; i++) fixture.tree.remove(photo(i));
    assertHeld(await fixture.run(guarded), ['vanishedPercent']);
    decide(fixture, 'accepted');
    for (let i = 20; i < 30; i++) fixture.tree.remove(photo(i));
    letADayPass(fixture);
    const report = await fixture.run(guarded);
    assertHeld(report, ['vanishedPercent']);
    assert.equal(newest(fixture)?.decision, 'open');
    assert.deepEqual(fixture.missing(), []);
  });

  it('is held again when the acceptance is weeks old: what was accepted then was another evening', async () => {
    for (let i = 0; i < 20; i++) fixture.tree.remove(photo(i));
    await fixture.run(guarded);
    decide(fixture, 'accepted');
    assertHeld(await fixture.run({ ...guarded, clockOffsetMs: 20 * 86_400_000 }), ['vanishedPercent']);
    assert.equal(newest(fixture)?.decision, 'open');
  });

  it('takes no answer that was given to what an earlier night has shown', async () => {
    for (let i = 0; i < 20; i++) fixture.tree.remove(photo(i));
    await fixture.run(guarded);
    const shown = newest(fixture);
    for (let i = 20; i < 30; i++) fixture.tree.remove(photo(i));
    await fixture.run(guarded);
    assert.equal(newest(fixture)?.id, shown?.id, 'still one question');
    const isDecided = holds(fixture, (store) => store.decide(shown?.runId ?? 0, 'accepted', Date.now(), 'test'));
    assert.ok(!isDecided);
    assertHeld(await fixture.run(guarded), ['vanishedPercent']);
  });

  it('spends the acceptance on the next run, even when that has nothing left to accept', async () => {
    for (let i = 0; i < 20; i++) fixture.tree.remove(photo(i));
    await fixture.run(guarded);
    decide(fixture, 'accepted');
    for (let i = 0; i < 20; i++) fixture.tree.writeFile(photo(i), `photo ${i} `.repeat(20));
    letADayPass(fixture);
    assert.equal((await fixture.run(guarded)).outcome, 'complete');
    for (let i = 0; i < 20; i++) fixture.tree.remove(photo(i));
    assertHeld(await fixture.run(guarded), ['vanishedPercent']);
  });

  it('never asks again about files that are to be kept, until they are back', async () => {
    fixture.tree.remove('/photos');
    await fixture.run(guarded);
    decide(fixture, 'kept');
    const before = fixture.snapshot();
    for (let night = 0; night < 4; night++) {
      const report = await fixture.run({ ...guarded, deletion: { rule: 'archive' } });
      assert.equal(report.outcome, 'complete', `night ${night}: ${JSON.stringify(report)}`);
    }
    for (const [path, state] of before) assert.equal(fixture.snapshot().get(path)?.sha256, state.sha256, path);

    for (let i = 0; i < PHOTOS; i++) fixture.tree.writeFile(photo(i), `photo ${i} `.repeat(20));
    const back = await fixture.run({ guards: { ...guards, changedPercent: undefined } });
    assert.equal(back.outcome, 'complete');
    assert.deepEqual(fixture.missing(), []);
    fixture.tree.remove('/photos');
    assertHeld(await fixture.run(guarded), ['vanishedPercent', 'emptiedFolders']);
  });

  it('asks again about files whose new content was not wanted', async () => {
    for (let i = 0; i < PAGES; i++) fixture.tree.writeFile(page(i), 'defaced '.repeat(40));
    const before = fixture.snapshot();
    assertHeld(await fixture.run(guarded), ['changedPercent']);
    decide(fixture, 'kept');
    assertHeld(await fixture.run(guarded), ['changedPercent']);
    fixture.assertNothingLost(before);
    decide(fixture, 'accepted');
    assert.equal((await fixture.run(guarded)).outcome, 'complete');
    fixture.assertCurrentEquals();
  });

  it('is held when files are encrypted under a new ending', async () => {
    const before = fixture.snapshot();
    for (let i = 0; i < PHOTOS; i++) {
      fixture.tree.remove(photo(i));
      fixture.tree.writeFile(`${photo(i)}.locked`, `noise ${i}`.repeat(25));
    }
    const report = await fixture.run(guarded);
    assertHeld(report, ['vanishedPercent', 'suffixPercent']);
    assert.equal(report.held?.findings[1]?.subject, '.locked');
    assert.equal(report.held.findings[1].examples[0], `${photo(0)}.locked`);
    for (const [path, state] of before) assert.equal(fixture.snapshot().get(path)?.sha256, state.sha256, path);
  });

  it('is held when many files are empty at once', async () => {
    const before = fixture.snapshot();
    for (let i = 0; i < 21; i++) fixture.tree.writeFile(photo(i), '');
    assertHeld(await fixture.run({ guards: { ...guards, changedPercent: undefined } }), ['emptiedFiles']);
    fixture.assertNothingLost(before);
  });

  it('is held when another server answers with other content', async () => {
    fixture.server.options.greeting = '220 Some other FTP server.';
    assert.equal((await fixture.run(guarded)).outcome, 'complete', 'a new greeting alone is nothing');
    fixture.server.options.greeting = '220 ProFTPD of another host.';
    for (let i = 0; i < 10; i++) fixture.tree.writeFile(page(i), 'another site');
    const report = await fixture.run(guarded);
    assertHeld(report, ['serverChanged']);
    assert.equal(report.held?.findings[0]?.subject, 'greeting');
    assertHeld(await fixture.run(guarded), ['serverChanged']);
    decide(fixture, 'accepted');
    assert.equal((await fixture.run(guarded)).outcome, 'complete');
    for (let i = 0; i < 10; i++) fixture.tree.writeFile(page(i), 'edited there');
    assert.equal((await fixture.run(guarded)).outcome, 'complete', 'it is the known one now');
  });

  it('keeps a file whose place a folder has taken, and the folder whose place a file has taken', async () => {
    const before = fixture.snapshot();
    fixture.tree.remove('/photos');
    fixture.tree.writeFile('/photos', 'a file now');
    fixture.tree.remove('/index.html');
    fixture.tree.writeFile('/index.html/inside.txt', 'a folder now');
    const report = await fixture.run(guarded);
    assert.equal(report.outcome, 'held', JSON.stringify(report));
    fixture.assertNothingLost(before);
    assert.deepEqual([...fixture.snapshot().keys()].sort(), [...before.keys()].sort());
    decide(fixture, 'accepted');
    assert.equal((await fixture.run(guarded)).outcome, 'complete');
    fixture.assertCurrentEquals();
  });

  it('is shown and decided on the command line', async () => {
    const { show, said } = commandLine(fixture);
    const held = { name: 'held', taskFile: 't.json', stateDir: fixture.stateDir, isJson: false } as const;
    const accept = { name: 'decide', taskFile: 't.json', stateDir: fixture.stateDir, decision: 'accepted' } as const;
    assert.equal(runHeld(held, show.settings, show.context), 0);
    assert.equal(runDecide(accept, show.settings, show.context), 2, 'nothing to decide');
    fixture.tree.remove('/photos');
    await fixture.run(guarded);
    said.length = 0;
    assert.equal(runHeld(held, show.settings, show.context), 3);
    const words = said.join('');
    assert.match(words, /40 files have disappeared from the site: 39% of this backup\. Limit: 10%\./);
    assert.match(words, /A whole folder has lost all its files: \/photos/);
    assert.match(words, /\/photos: 40 before, 0 now/);
    assert.match(words, /decide t\.json keep/);
    assert.equal(runDecide(accept, show.settings, show.context), 0);
    assert.equal(runHeld(held, show.settings, show.context), 0);
    assert.equal((await fixture.run(guarded)).outcome, 'complete');
  });

  it('says so in a simulation, which asks nobody', async () => {
    fixture.tree.remove('/photos');
    const report = await fixture.run({ ...guarded, isDryRun: true });
    assertHeld(report, ['vanishedPercent', 'emptiedFolders']);
    assert.equal(newest(fixture), undefined);
  });

  it('is held as well when all is to be brought again', async () => {
    assert.equal((await fixture.run({ ...guarded, isForced: true })).outcome, 'complete');
    const before = fixture.snapshot();
    for (let i = 0; i < PAGES; i++) fixture.tree.writeFile(page(i), 'defaced '.repeat(40));
    assertHeld(await fixture.run({ ...guarded, isForced: true }), ['changedPercent']);
    fixture.assertNothingLost(before);
  });

  it('concludes nothing from a folder that it could not see whole', async () => {
    fixture.server.addFault(
      { command: ['MLSD', 'LIST'], path: '/photos' },
      { truncateListing: { lines: 3, reply: '226 Output truncated to 3 matches' } },
    );
    const report = await fixture.run(guarded);
    assert.equal(report.outcome, 'incomplete');
    assert.ok(describeFailures(report).includes('listing-truncated /photos'));
    assert.equal(newest(fixture), undefined);
  });

  it('takes a deletion below the limits as it is', async () => {
    for (let i = 0; i < 10; i++) fixture.tree.remove(photo(i));
    assert.equal((await fixture.run(guarded)).outcome, 'complete');
    assert.equal(fixture.missing().length, 10);
    // Ten that were gone and ten more are not twenty.
    for (let i = 10; i < 20; i++) fixture.tree.remove(photo(i));
    assert.equal((await fixture.run(guarded)).outcome, 'complete');
    assert.equal(newest(fixture), undefined);
  });
});
