/** What must stay although something says that it could go. */
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import Database from 'better-sqlite3';
import { RestorePoints } from '../../src/state/restore-points.ts';
import { VersionTree } from '../../src/state/version-tree.ts';
import { BackupFixture } from '../support/backup-fixture.ts';
import type { RunOverrides } from '../support/backup-fixture.ts';

const ARCHIVE: RunOverrides = { deletion: { rule: 'archive' } };

let fixture: BackupFixture;

beforeEach(async () => {
  fixture = await BackupFixture.start();
});
afterEach(() => fixture.end());

function withDatabase<T>(read: (db: Database.Database) => T): T {
  const db = new Database(fixture.databasePath);
  try {
    return read(db);
  } finally {
    db.close();
  }
}

function points(): number[] {
  return withDatabase((db) => new RestorePoints(db).all().map(({ runId }) => runId));
}

async function completeRun(overrides: RunOverrides = ARCHIVE): Promise<void> {
  const report = await fixture.run(overrides);
  assert.equal(report.outcome, 'complete', JSON.stringify([report.cause, report.failures]));
}

describe('A file', () => {
  it('that two listings leave out and that is there stays, and the folder is told as cut short', async () => {
    for (const name of ['a', 'b', 'c']) fixture.tree.writeFile(`/docs/${name}.txt`, name);
    await completeRun();
    fixture.server.addFault(
      { command: 'MLSD', path: '/docs' },
      { mapListing: (lines) => lines.filter((line) => !line.includes('b.txt')) },
    );
    await completeRun();
    const report = await fixture.run(ARCHIVE);
    assert.ok(existsSync(join(fixture.current, 'docs/b.txt')), 'it is on the server');
    assert.equal(report.outcome, 'incomplete');
    assert.deepEqual(
      report.failures.map(({ code, path }) => `${code} ${path}`),
      ['listing-truncated /docs'],
    );
  });

  it('that somebody has removed here is told as lost, not as kept, once it is replaced', async () => {
    fixture.tree.writeFile('/page.html', 'first');
    await completeRun();
    rmSync(join(fixture.current, 'page.html'));
    fixture.tree.writeFile('/page.html', 'second');
    await completeRun();
    const state = withDatabase((db) => new VersionTree(db).file(1, '/page.html')?.state);
    assert.equal(state, 'lost');
  });
});

describe('Retention', () => {
  it('prunes nothing while a question is open', async () => {
    for (let i = 0; i < 3; i++) {
      fixture.tree.writeFile('/page.html', `page ${i}`);
      await completeRun();
    }
    // A held run never comes as far as to prune; a question may be opened by another way.
    const { prune } = await import('../../src/engine/prune.ts');
    const { Target } = await import('../../src/local/target.ts');
    const { openTaskDatabase } = await import('../../src/state/task-database.ts');
    const { HoldStore } = await import('../../src/state/hold-store.ts');
    const database = openTaskDatabase(fixture.stateDir, 'under test');
    try {
      const target = await Target.open({ folder: fixture.targetFolder, marker: database.marker, isKnown: true });
      const found = { findings: [], files: 1, vanished: 1, replaced: 0, folders: [] };
      new HoldStore(database.db).hold(3, Date.now(), found);
      const versions = {
        keep: 'last',
        count: 1,
        days: 1,
        hourly: 0,
        daily: 0,
        weekly: 0,
        monthly: 0,
        yearly: 0,
      } as const;
      const rules = {
        versions: { ...versions, quotaBytes: undefined },
        deletion: { rule: 'archive', days: 1 } as const,
      };
      const log = { debug() {}, info() {}, warn() {}, error() {} } as never;
      const options = { database: database.db, target, rules, nowMs: Date.now(), log, onPoint: () => undefined };
      assert.deepEqual((await prune(options)).points, []);
      new HoldStore(database.db).pass();
      assert.equal((await prune(options)).points.length, 2, 'once it is answered');
    } finally {
      database.close();
    }
  });

  it('never gives up the tree of the last complete run', async () => {
    const last: RunOverrides = { ...ARCHIVE, versions: { keep: 'last', count: 1 } };
    fixture.tree.writeFile('/page.html', 'of the complete run');
    await completeRun(last);
    fixture.tree.writeFile('/refused.txt', 'not for us');
    const fault = fixture.server.addFault(
      { command: 'RETR', path: '/refused.txt' },
      { reply: '550 Permission denied' },
    );
    for (const content of ['of the second', 'of the third']) {
      fixture.tree.writeFile('/page.html', content);
      assert.equal((await fixture.run(last)).outcome, 'incomplete');
    }
    fixture.server.faults.splice(fixture.server.faults.indexOf(fault), 1);
    fixture.tree.writeFile('/page.html', 'of the fourth');
    await completeRun(last);
    // Not before this run's own end is it the last complete one.
    assert.deepEqual(points(), [1, 4]);
  });
});
