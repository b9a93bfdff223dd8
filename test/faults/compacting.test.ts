/** A run that starts in the seconds in which its database is being compacted. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import Database from 'better-sqlite3';
import { compactDatabase, databaseFiles } from '../../src/state/database-care.ts';
import {
  careLockPath,
  isTaskDatabaseInCare,
  openTaskDatabase,
  taskDatabasePath,
} from '../../src/state/task-database.ts';
import { BackupFixture } from '../support/backup-fixture.ts';
import { makeSampleSite } from '../support/sample-site.ts';

const TASK = 'under test';

let fixture: BackupFixture;
let path: string;
beforeEach(async () => {
  fixture = await BackupFixture.start();
  makeSampleSite(fixture.tree, { bigFileBytes: 100_000 });
  path = taskDatabasePath(fixture.stateDir, TASK);
});
afterEach(() => fixture.end());

/** Holds these locks as another thread or process would. */
function hold(paths: readonly string[]): () => void {
  const locks = paths.map((lockPath) => {
    const lock = new Database(lockPath, { timeout: 0 });
    lock.exec('BEGIN EXCLUSIVE');
    return lock;
  });
  return () => {
    for (const lock of locks) lock.close();
  };
}

describe('a run that starts while its database is compacted', () => {
  it('waits for the end of it instead of ending as already running', async () => {
    assert.equal((await fixture.run()).outcome, 'complete');
    const release = hold([careLockPath(path), `${path}-lock`]);
    assert.equal(isTaskDatabaseInCare(fixture.stateDir, TASK), true);
    let hasEnded = false;
    const run = fixture.run().finally(() => (hasEnded = true));
    await new Promise((resolve) => setTimeout(resolve, 100));
    assert.equal(hasEnded, false);
    release();
    assert.equal((await run).outcome, 'complete');
    assert.equal(isTaskDatabaseInCare(fixture.stateDir, TASK), false);
  });

  it('can be stopped while it waits', async () => {
    await fixture.run();
    const release = hold([careLockPath(path), `${path}-lock`]);
    const stop = new AbortController();
    const run = fixture.run({ signal: stop.signal });
    setImmediate(() => {
      stop.abort();
    });
    await assert.rejects(run, { code: 'cancelled' });
    release();
    assert.equal((await fixture.run()).outcome, 'complete');
  });

  it('still ends at once where it is another run that holds the database', async () => {
    await fixture.run();
    const other = openTaskDatabase(fixture.stateDir, TASK);
    await assert.rejects(fixture.run(), { code: 'already-running' });
    const [file] = databaseFiles(fixture.stateDir, [{ id: 1, name: TASK, stateKey: TASK }]);
    assert.ok(file !== undefined);
    assert.deepEqual(compactDatabase(file), { kind: 'busy' }, 'and nobody compacts what a run holds');
    other.close();
    assert.equal(compactDatabase(file).kind, 'done');
  });
});
