/** A tree of the past is the same whenever it is read, also where the run that left it was cut off. */
import { afterEach, beforeEach, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import Database from 'better-sqlite3';
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
