/** A tree of the past is the same whenever it is read, also where the run that left it was cut off. */
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import Database from 'better-sqlite3';
import { VersionIndex } from '../../src/state/version-index.ts';
import type { Leaving } from '../../src/state/version-index.ts';
import { VersionTree } from '../../src/state/version-tree.ts';
import { BackupFixture } from '../support/backup-fixture.ts';
import type { RunOverrides } from '../support/backup-fixture.ts';
import { FailingDisk } from '../support/failing-disk.ts';
import { readPastTree } from '../support/read-past-tree.ts';

const ARCHIVE: RunOverrides = { deletion: { rule: 'archive' }, attempts: 2 };

/** Link, flush, rename and flush are over by then. */
const CALLS_TO_A_RECORD = 16;

let fixture: BackupFixture;
let disk: FailingDisk;

beforeEach(async () => {
  fixture = await BackupFixture.start();
  disk = new FailingDisk();
});
afterEach(async () => {
  disk.remove();
  await fixture.end();
});

function treeAsOf(runId: number): Record<string, string> {
  const db = new Database(fixture.databasePath, { readonly: true });
  try {
    return Object.fromEntries(readPastTree(new VersionTree(db), runId, fixture.targetFolder));
  } finally {
    db.close();
  }
}

function lastRun(): number {
  const db = new Database(fixture.databasePath, { readonly: true });
  try {
    return db.prepare('SELECT max(id) FROM run').pluck().get() as number;
  } finally {
    db.close();
  }
}

/** As a run that is killed right after it has noted that a file is to leave its path. */
function beginToMove(path: string, leaving: Omit<Leaving, 'untilRun' | 'retiredMs' | 'origin'>): void {
  const db = new Database(fixture.databasePath);
  try {
    const slash = path.lastIndexOf('/');
    const folder = db.prepare('SELECT id FROM folder WHERE path = ?').pluck();
    const folderId = folder.get(path.slice(0, slash) || '/') as number;
    const origin = path.slice(1);
    const untilRun = lastRun() + 1;
    const id = new VersionIndex(db).leave(folderId, path.slice(slash + 1), {
      ...leaving,
      origin,
      untilRun,
      retiredMs: Date.now(),
    });
    assert.ok(id !== undefined);
  } finally {
    db.close();
  }
}

const PLACE = { folder: '2026-11-21T02-00-00', localPath: 'page.html' };

describe('A run that is killed before a file has left its path', () => {
  it('does not let the next one write over what somebody had changed here', async () => {
    fixture.tree.writeFile('/page.html', 'of the server');
    assert.equal((await fixture.run(ARCHIVE)).outcome, 'complete');
    writeFileSync(join(fixture.current, 'page.html'), 'changed here');
    beginToMove('/page.html', { reason: 'replaced', place: PLACE });
    fixture.tree.writeFile('/page.html', 'of the server, anew');
    assert.equal((await fixture.run(ARCHIVE)).outcome, 'complete');
    fixture.assertCurrentEquals();
    const [altered] = fixture.versions('altered');
    assert.equal(readFileSync(join(fixture.targetFolder, 'versions', altered ?? ''), 'utf8'), 'changed here');
  });

  it('shows it as there on its way to the name that it has on the server now', async () => {
    fixture.tree.writeFile('/page.html', 'page');
    assert.equal((await fixture.run(ARCHIVE)).outcome, 'complete');
    const before = treeAsOf(1);
    fixture.tree.rename('/page.html', '/renamed.html');
    const movedTo = { path: '/renamed.html', place: 'renamed.html' };
    beginToMove('/page.html', { reason: 'renamed', place: undefined, movedTo });
    assert.deepEqual(treeAsOf(1), before, 'under its old name');
    renameSync(join(fixture.current, 'page.html'), join(fixture.current, 'renamed.html'));
    assert.deepEqual(treeAsOf(1), before, 'under its new one');
    assert.equal((await fixture.run(ARCHIVE)).outcome, 'complete');
    assert.deepEqual(treeAsOf(1), before, 'after the next run');
  });

  it('does not leave it in current/ for ever where it had gone with its folder', async () => {
    fixture.tree.writeFile('/page.html', 'page');
    fixture.tree.writeFile('/old/gone.html', 'gone');
    assert.equal((await fixture.run(ARCHIVE)).outcome, 'complete');
    fixture.tree.remove('/old');
    assert.equal((await fixture.run(ARCHIVE)).outcome, 'complete');
    beginToMove('/old/gone.html', { reason: 'vanished', place: { ...PLACE, localPath: 'old/gone.html' } });
    assert.equal((await fixture.run(ARCHIVE)).outcome, 'complete');
    assert.ok(!existsSync(join(fixture.current, 'old')));
    assert.deepEqual(fixture.missing(), []);
  });
});

describe('The tree as a run has left it whose disk failed', () => {
  it('does not lack a file that the run was moving, to have it back after the next run', async () => {
    let failed = 0;
    for (let call = 1; ; call += 4) {
      fixture.tree.writeFile('/page.html', `page ${call}`);
      fixture.tree.writeFile('/gone.txt', `gone soon ${call}`);
      assert.equal((await fixture.run(ARCHIVE)).outcome, 'complete');
      fixture.tree.remove('/gone.txt');
      assert.equal((await fixture.run(ARCHIVE)).outcome, 'complete');
      fixture.tree.writeFile('/page.html', `page ${call} anew`);
      disk.failAt(call);
      const report = await fixture.run(ARCHIVE);
      const isMet = disk.calls >= call;
      disk.failAt(undefined);
      if (!isMet) break;
      const runId = lastRun();
      const before = treeAsOf(runId);
      assert.equal((await fixture.run(ARCHIVE)).outcome, 'complete');
      assert.deepEqual(treeAsOf(runId), before, `as of a run that is ${report.outcome}, call ${call}`);
      if (report.outcome === 'failed') failed++;
    }
    assert.ok(failed > 1, `${failed} runs failed`);
  });

  it('holds no record of a file that did not get its place, whichever call the disk refuses from then on', async () => {
    let failed = 0;
    for (let call = 1; ; call++) {
      fixture.tree.writeFile('/page.html', `page ${call}`);
      assert.equal((await fixture.run(ARCHIVE)).outcome, 'complete');
      fixture.tree.writeFile('/page.html', `page ${call} anew`);
      // Counted from the one that gives the older content its place.
      disk.failAt(call, true, 'link');
      const { outcome } = await fixture.run(ARCHIVE);
      const isMet = disk.calls >= call;
      disk.failAt(undefined);
      fixture.assertInvariants();
      if (outcome === 'failed') failed++;
      if (!isMet || call >= CALLS_TO_A_RECORD) break;
    }
    assert.ok(failed >= 4, `${failed} runs failed`);
  });

  it('holds no record of a file that was not renamed into its place', async () => {
    fixture.tree.writeFile('/page.html', 'first');
    assert.equal((await fixture.run(ARCHIVE)).outcome, 'complete');
    fixture.tree.writeFile('/page.html', 'second');
    disk.failAt(1, true, 'link', 'rename');
    assert.equal((await fixture.run(ARCHIVE)).outcome, 'failed');
    disk.failAt(undefined);
    fixture.assertInvariants();
    assert.equal((await fixture.run(ARCHIVE)).outcome, 'complete');
  });

  it('does not lack it either where the next run fails before it can look', async () => {
    fixture.tree.writeFile('/page.html', 'first');
    assert.equal((await fixture.run(ARCHIVE)).outcome, 'complete');
    fixture.tree.writeFile('/page.html', 'second');
    disk.failAt(1, true, 'link');
    assert.equal((await fixture.run(ARCHIVE)).outcome, 'failed');
    disk.failAt(1, true);
    assert.equal((await fixture.run(ARCHIVE)).outcome, 'failed');
    disk.failAt(undefined);
    const runId = lastRun();
    const before = treeAsOf(runId);
    assert.ok('/page.html' in before, JSON.stringify(before));
    assert.equal((await fixture.run(ARCHIVE)).outcome, 'complete');
    assert.deepEqual(treeAsOf(runId), before);
  });

  it('claims no version that the disk did not take any more', async () => {
    fixture.tree.writeFile('/page.html', 'first');
    assert.equal((await fixture.run(ARCHIVE)).outcome, 'complete');
    fixture.tree.writeFile('/page.html', 'second');
    // The call that gives the version its place, and every later one.
    disk.failAt(1, true, 'link');
    assert.equal((await fixture.run(ARCHIVE)).outcome, 'failed');
    disk.failAt(undefined);
    const tree = treeAsOf(1);
    assert.equal((await fixture.run(ARCHIVE)).outcome, 'complete');
    assert.deepEqual(treeAsOf(1), tree);
  });
});
