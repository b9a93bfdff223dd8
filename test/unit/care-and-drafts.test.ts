import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { BackupError } from '../../src/errors.ts';
import { silentLog } from '../../src/log.ts';
import { DEFAULT_APP_SETTINGS } from '../../src/settings/app-settings.ts';
import { parseAppSettings } from '../../src/settings/parse-app-settings.ts';
import { Secret } from '../../src/settings/secret.ts';
import { openAppDatabase } from '../../src/state/app-database.ts';
import {
  checkDatabase,
  compactDatabase,
  databaseFiles,
  readTaskMarker,
  removeTaskDatabase,
} from '../../src/state/database-care.ts';
import { DRAFTS_MAX, DRAFT_MS, DraftStore, isDraftId } from '../../src/state/draft-store.ts';
import { SecretBox } from '../../src/state/secret-box.ts';
import { openTaskDatabase, taskDatabasePath } from '../../src/state/task-database.ts';
import { Jobs } from '../../src/tasks/jobs.ts';
import type { Job, JobResult } from '../../src/tasks/jobs.ts';
import { careFor } from '../../src/tasks/maintenance.ts';
import { FakeClock } from '../support/fake-clock.ts';

const stateDir = mkdtempSync(join(tmpdir(), 'site-backup-care-'));
const db = openAppDatabase(stateDir);
const ID = '0b2f7d1e-5a34-4c1e-9e55-1d2c3b4a5f60';
const TASK = { id: 7, name: 'Garage', stateKey: 'garage-key' };

after(() => {
  db.close();
  rmSync(stateDir, { recursive: true, force: true });
});

function idOf(n: number): string {
  return `${ID.slice(0, -4)}${String(n).padStart(4, '0')}`;
}

describe('drafts', () => {
  const drafts = new DraftStore(db, SecretBox.open(stateDir));

  it('keep what was typed, and the password sealed', () => {
    drafts.save(ID, { form: { host: 'ftp.example.com' } }, new Secret('S3cret-draft'), 1000);
    const draft = drafts.get(ID, 2000);
    assert.deepEqual(draft?.content, { form: { host: 'ftp.example.com' } });
    assert.equal(draft.password?.reveal(), 'S3cret-draft');
    db.pragma('wal_checkpoint(TRUNCATE)');
    assert.ok(!readFileSync(join(stateDir, 'site-backup.sqlite')).includes('S3cret-draft'), 'readable in the file');
  });

  it('are forgotten after a day, and do not become too many', () => {
    assert.equal(drafts.get(ID, 1000 + DRAFT_MS), undefined);
    for (let n = 0; n < DRAFTS_MAX + 5; n++) drafts.save(idOf(n), { n }, undefined, 5000 + n);
    assert.equal(drafts.get(idOf(4), 6000), undefined);
    assert.ok(drafts.get(idOf(5), 6000) !== undefined, 'a young one is gone');
  });

  it('that hold only a password are not offered to go on with', () => {
    drafts.save(idOf(998), { n: 1 }, undefined, 9000);
    drafts.save(idOf(999), {}, new Secret('x'), 9001);
    assert.equal(drafts.latest(9002)?.id, idOf(998));
  });

  it('have ids of one kind only', () => {
    assert.ok(isDraftId(ID), ID);
    for (const id of ['', '../x', `${ID}x`, ID.toUpperCase()]) assert.equal(isDraftId(id), false, id);
  });
});

describe('looking after databases', () => {
  const task = openTaskDatabase(stateDir, TASK.stateKey);
  const { marker } = task;
  task.close();

  it('knows them all, and the mark of a task', () => {
    const files = databaseFiles(stateDir, [TASK, { id: 8, name: 'Never run', stateKey: 'none' }]);
    assert.deepEqual(new Set(files.map((file) => file.task?.name)), new Set([undefined, 'Garage']));
    assert.equal(readTaskMarker(stateDir, TASK.stateKey), marker);
    assert.equal(readTaskMarker(stateDir, 'none'), undefined);
  });

  it('gives unused space back', () => {
    db.exec(`CREATE TABLE filler (content BLOB); INSERT INTO filler VALUES (randomblob(2000000)); DROP TABLE filler`);
    const own = databaseFiles(stateDir, []).find((file) => file.task === undefined);
    assert.ok(own !== undefined, 'not found');
    const result = compactDatabase(own);
    assert.ok(result.kind === 'done' && result.freedBytes > 1_000_000, JSON.stringify(result));
  });

  it('leaves the database of a run alone', () => {
    const held = openTaskDatabase(stateDir, TASK.stateKey);
    try {
      const file = databaseFiles(stateDir, [TASK]).find((item) => item.task !== undefined);
      assert.ok(file !== undefined, 'not found');
      assert.deepEqual(compactDatabase(file), { kind: 'busy' });
      assert.deepEqual(checkDatabase(file), { kind: 'sound' });
    } finally {
      held.close();
    }
  });

  it('goes on in its thread, counts, and says what is damaged', async () => {
    const jobs = new Jobs(new FakeClock(), silentLog);
    const run = (kind: 'compact' | 'integrity'): Promise<Job> =>
      new Promise((resolve) => {
        jobs.start(kind, undefined, careFor(kind, databaseFiles(stateDir, [TASK])), resolve);
      });
    const sound = await run('integrity');
    assert.deepEqual(sound.result, { tone: 'ok', key: 'sound', facts: { count: 2, busy: 0, freed: 0 } });
    assert.deepEqual([sound.done, sound.total], [2, 2]);

    const path = taskDatabasePath(stateDir, TASK.stateKey);
    truncateSync(path, 5000);
    const damaged = await run('integrity');
    assert.equal(damaged.result?.key, 'damaged');
    assert.equal(damaged.result.facts['paths'], path);
  });

  it('removes the database of a task with all that lies beside it', () => {
    const path = taskDatabasePath(stateDir, TASK.stateKey);
    removeTaskDatabase(stateDir, TASK.stateKey);
    assert.equal(existsSync(path) || existsSync(`${path}-lock`), false);
  });
});

describe('jobs', () => {
  it('are one of a kind at a time, and say how they ended', async () => {
    const jobs = new Jobs(new FakeClock(), silentLog);
    let finish: () => void = () => undefined;
    const ended = new Promise<Job>((resolve) => {
      jobs.start(
        'compact',
        undefined,
        async (report) => {
          report(1, 3);
          await new Promise<void>((done) => (finish = done));
          throw new BackupError('disk-full');
        },
        resolve,
      );
    });
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(
      jobs.start('compact', undefined, () => Promise.reject(new Error('never'))),
      undefined,
    );
    assert.deepEqual([jobs.running('compact')?.done, jobs.running('compact')?.total], [1, 3]);
    finish();
    assert.equal((await ended).failure?.code, 'disk-full');
    assert.equal(jobs.running('compact'), undefined);
    assert.equal(jobs.latest('compact')?.failure?.code, 'disk-full');
  });

  it('are told of the task that they were about, not of another one of its name', async () => {
    const jobs = new Jobs(new FakeClock(), silentLog);
    const done = (): Promise<JobResult> => Promise.resolve({ tone: 'ok', key: 'done', facts: {} });
    await new Promise((resolve) => jobs.start('adopt', 7, done, resolve));
    assert.equal(jobs.latest('adopt', 7)?.result?.tone, 'ok');
    assert.equal(jobs.latest('adopt', 8), undefined);
  });

  it('end, and the service lives on, where the disk refuses what their end should write', async () => {
    const jobs = new Jobs(new FakeClock(), silentLog);
    const done = (): Promise<JobResult> => Promise.resolve({ tone: 'ok', key: 'done', facts: {} });
    jobs.start('compact', undefined, done, () => {
      throw new Error('database or disk is full');
    });
    await jobs.shutdown();
    assert.equal(jobs.latest('compact')?.result?.tone, 'ok');
  });

  it('end with the service', async () => {
    const jobs = new Jobs(new FakeClock(), silentLog);
    jobs.start('integrity', undefined, (_report, signal) => {
      return new Promise((_, reject) => {
        signal.addEventListener('abort', () => {
          reject(new BackupError('cancelled'));
        });
      });
    });
    await new Promise((resolve) => setImmediate(resolve));
    await jobs.shutdown();
    assert.equal(jobs.latest('integrity')?.failure?.code, 'cancelled');
    assert.equal(
      jobs.start('compact', undefined, () => Promise.reject(new Error('never'))),
      undefined,
    );
  });
});

describe('the settings of the product', () => {
  it('are accepted as they are by default', () => {
    // How the pages are reached has a form of its own, which tries it first.
    const settings = Object.fromEntries(Object.entries(DEFAULT_APP_SETTINGS).filter(([name]) => name !== 'web'));
    assert.deepEqual(parseAppSettings(settings), { changes: settings });
  });

  it('are refused field by field', () => {
    const wrong = { language: 'de', timeZone: 'Mars/Base', runsMax: 0, folderRoots: ['/volume1/../etc'], unknown: 1 };
    const shape = parseAppSettings(wrong);
    assert.ok('faults' in shape, 'accepted');
    assert.deepEqual(shape.faults.map((fault) => fault.path).sort(), ['/', '/language', '/runsMax']);
    const meaning = parseAppSettings({ timeZone: 'Mars/Base', folderRoots: ['/volume1/../etc'] });
    assert.ok('faults' in meaning, 'accepted');
    assert.deepEqual(meaning.faults.map((fault) => fault.path).sort(), ['/folderRoots', '/timeZone']);
    assert.ok('faults' in parseAppSettings({ timeZone: '+02:00' }), 'an offset');
    assert.ok('faults' in parseAppSettings(undefined), 'nothing');
  });
});
