/** What random histories have broken (`npm run model`), each as the few steps that were left of it. */
import { afterEach, beforeEach, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import Database from 'better-sqlite3';
import { VersionTree } from '../../src/state/version-tree.ts';
import { BackupFixture } from '../support/backup-fixture.ts';
import type { RunOverrides } from '../support/backup-fixture.ts';
import { readPastTree } from '../support/read-past-tree.ts';

const ARCHIVE: RunOverrides = { deletion: { rule: 'archive' } };

let fixture: BackupFixture;

beforeEach(async () => {
  fixture = await BackupFixture.start();
});
afterEach(async () => {
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

describe('A file that became a folder in a run that was held', () => {
  it('can be read as it was when it is a file again, and another one', async () => {
    fixture.tree.writeFile('/page', 'as a file');
    for (let i = 0; i < 9; i++) fixture.tree.writeFile(`/photos/${i}.jpg`, `photo ${i}`);
    assert.equal((await fixture.run(ARCHIVE)).outcome, 'complete');
    const before = treeAsOf(1);

    fixture.tree.remove('/photos');
    fixture.tree.remove('/page');
    fixture.tree.writeFile('/page/index.html', 'within a folder');
    assert.equal((await fixture.run({ ...ARCHIVE, guards: { vanishedFiles: 5 } })).outcome, 'held');
    assert.deepEqual(treeAsOf(1), before);

    fixture.tree.remove('/page');
    fixture.tree.writeFile('/page', 'as a file again');
    assert.equal((await fixture.run(ARCHIVE)).outcome, 'complete');
    assert.deepEqual(treeAsOf(1), before);
    assert.deepEqual(
      fixture.versions().map((place) => place.replace(/^[^/]*/, '')),
      ['/page'],
    );
  });
});
