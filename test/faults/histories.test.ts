/** What random histories have broken (`npm run model`), each as the few steps that were left of it. */
import { rmSync } from 'node:fs';
import { afterEach, beforeEach, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import Database from 'better-sqlite3';
import { systemClock } from '../../src/clock.ts';
import { adoptBackup } from '../../src/engine/adopt.ts';
import type { AdoptReport } from '../../src/engine/adopt.ts';
import { silentLog } from '../../src/log.ts';
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

function loseStateAndAdopt(): Promise<AdoptReport> {
  rmSync(fixture.stateDir, { recursive: true });
  return adoptBackup({
    folder: fixture.targetFolder,
    stateDir: fixture.stateDir,
    stateKey: 'under test',
    clock: systemClock,
    log: silentLog,
    signal: new AbortController().signal,
  });
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

describe('A backup from whose site a folder has gone', () => {
  it('is adopted from its manifest, and shows the folder in the tree of its time', async () => {
    fixture.tree.writeFile('/index.html', 'start');
    fixture.tree.writeFile('/old/page.html', 'of a folder that goes');
    await fixture.run(ARCHIVE);
    const before = treeAsOf(1);
    fixture.tree.remove('/old');
    await fixture.run(ARCHIVE);
    assert.equal((await fixture.run(ARCHIVE)).counts.retired, 1);

    const report = await loseStateAndAdopt();
    assert.deepEqual([report.manifestFault, report.proven, report.versions], [undefined, 1, 1]);
    assert.deepEqual(treeAsOf(1), before);
    assert.deepEqual(Object.keys(treeAsOf(3)), ['/index.html']);
  });
});

describe('A backup whose site has lost all its files', () => {
  it('is adopted for its versions', async () => {
    fixture.tree.writeFile('/site/index.html', 'start');
    await fixture.run(ARCHIVE);
    const before = treeAsOf(1);
    fixture.tree.remove('/site/index.html');
    await fixture.run(ARCHIVE);
    assert.equal((await fixture.run(ARCHIVE)).counts.retired, 1);

    const report = await loseStateAndAdopt();
    assert.deepEqual([report.files, report.versions, report.versionsLost], [0, 1, 0]);
    assert.deepEqual(treeAsOf(1), before);
    assert.equal((await fixture.run(ARCHIVE)).outcome, 'complete');
  });
});
