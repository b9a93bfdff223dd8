import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type Database from 'better-sqlite3';
import { MANUAL } from '../../src/settings/schedule.ts';
import { openAppDatabase } from '../../src/state/app-database.ts';
import { Remembered } from '../../src/state/remembered.ts';
import { RunStore } from '../../src/state/run-store.ts';
import { SecretBox } from '../../src/state/secret-box.ts';
import { TaskStore } from '../../src/state/task-store.ts';
import { taskSettings } from '../support/run-fixture.ts';

describe('what the stores remember', () => {
  let folder: string;
  let db: Database.Database;
  let other: Database.Database;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'site-backup-remembered-'));
    db = openAppDatabase(folder);
    other = openAppDatabase(folder);
  });

  afterEach(() => {
    db.close();
    other.close();
    rmSync(folder, { recursive: true });
  });

  const queue = (runs: RunStore): number =>
    runs.queue({ taskId: 1, taskName: 'a', cause: 'user', startedBy: undefined }, 1000);

  it('an answer is read once, and again after a change by this connection or by another one', () => {
    const remembered = new Remembered(db);
    let reads = 0;
    const ask = (): number => remembered.get('how often', () => ++reads);
    assert.deepEqual([ask(), ask()], [1, 1]);
    db.exec(`INSERT INTO setting (key, value) VALUES ('here', '1')`);
    assert.deepEqual([ask(), ask()], [2, 2]);
    other.exec(`INSERT INTO setting (key, value) VALUES ('there', '1')`);
    assert.deepEqual([ask(), ask()], [3, 3]);
  });

  it('that there is no answer is remembered too', () => {
    const remembered = new Remembered(db);
    let reads = 0;
    const ask = (): undefined => {
      remembered.get('nothing', () => {
        reads++;
        return undefined;
      });
    };
    ask();
    ask();
    assert.equal(reads, 1);
  });

  it('what a transaction takes back is not remembered', () => {
    const runs = new RunStore(db);
    assert.throws(
      db.transaction(() => {
        runs.close(queue(runs), 'complete', '{}', 2000);
        assert.equal(runs.lastFinished(1)?.outcome, 'complete');
        throw new Error('back');
      }),
      /back/,
    );
    assert.equal(runs.lastFinished(1), undefined);
  });

  it('a run is the last one, in lists and strips, as soon as it ends', () => {
    const runs = new RunStore(db);
    const tasks = new TaskStore(db, SecretBox.open(folder));
    tasks.add(taskSettings('a'), MANUAL, 0);
    const first = queue(runs);
    runs.close(first, 'complete', '{"bytes":1}', 2000);
    assert.equal(runs.lastEnded(1)?.id, first);
    assert.equal(runs.marksOfTasks(30).get(1)?.length, 1);
    const second = queue(runs);
    assert.equal(runs.lastEnded(1)?.id, first);
    assert.equal(runs.marksOfTasks(30).get(1)?.length, 2);
    runs.close(second, 'held', '{"bytes":2}', 3000);
    assert.equal(runs.lastEnded(1)?.id, second);
    assert.equal(runs.lastPlanned(1)?.id, second);
    assert.equal(runs.lastFinished(1)?.id, first);
    assert.equal(runs.marksOfTasks(30).get(1)?.[1]?.outcome, 'held');
    // As a second program would.
    new RunStore(other).removeOfTask(1);
    assert.equal(runs.lastEnded(1), undefined);
    assert.equal(runs.marksOfTasks(30).get(1), undefined);
  });

  it('settings and passwords are read once, and again when they have changed, whoever changed them', () => {
    const box = SecretBox.open(folder);
    const tasks = new TaskStore(db, box);
    const id = tasks.add(taskSettings('a'), MANUAL, 0);
    const before = tasks.get(id);
    assert.equal(tasks.list()[0]?.settings, before?.settings);
    tasks.setPaused(id, true, 1);
    assert.equal(tasks.get(id)?.isPaused, true);
    const changed = taskSettings('a', { host: 'other.example' });
    assert.ok(new TaskStore(other, box).update(id, before?.revision ?? 0, changed, MANUAL, 2));
    assert.equal(tasks.get(id)?.settings?.source.host, 'other.example');
    assert.equal(tasks.list()[0]?.settings?.source.host, 'other.example');
    other.prepare(`UPDATE task SET password = x'00' WHERE id = ?`).run(id);
    assert.notEqual(tasks.get(id)?.settings?.source.password.reveal(), changed.source.password.reveal());
  });
});
