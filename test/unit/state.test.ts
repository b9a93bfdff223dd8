import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import fc from 'fast-check';
import { isBackupError } from '../../src/errors.ts';
import type { ErrorCode } from '../../src/errors.ts';
import { asStateError, integrityFaults, openDatabase } from '../../src/state/database.ts';
import type { Migration } from '../../src/state/database.ts';
import { FileIndex } from '../../src/state/file-index.ts';
import { SubtreeIndex } from '../../src/state/subtree-index.ts';
import type { FileRecord } from '../../src/state/file-index.ts';
import { openHostLimits } from '../../src/state/host-limits.ts';
import { TASK_MIGRATIONS } from '../../src/state/migrations/task-migrations.ts';
import { RestorePoints } from '../../src/state/restore-points.ts';
import { RUN_EVENTS_MAX, RunLog } from '../../src/state/run-log.ts';
import {
  openTaskDatabase,
  openTaskDatabaseForCare,
  openTaskDatabaseCopy,
  taskDatabasePath,
} from '../../src/state/task-database.ts';

let folder: string;
let count = 0;
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'site-backup-state-'));
});
after(() => {
  rmSync(folder, { recursive: true, force: true });
});

const newPath = (): string => join(folder, `state-${++count}`, 'db.sqlite');
const newStateDir = (): string => join(folder, `dir-${++count}`);
const withCode = (code: ErrorCode) => (error: unknown) => isBackupError(error, code);

const FIRST: Migration = { name: '0001', sql: 'CREATE TABLE thing (name TEXT)' };
const SECOND: Migration = { name: '0002', sql: 'ALTER TABLE thing ADD COLUMN colour TEXT' };

describe('opening a database', () => {
  it('makes file and folder for their owner only, at the newest schema', () => {
    const path = newPath();
    const db = openDatabase(path, TASK_MIGRATIONS);
    assert.equal(db.pragma('user_version', { simple: true }), TASK_MIGRATIONS.length);
    assert.equal(db.pragma('journal_mode', { simple: true }), 'wal');
    db.close();
    assert.equal(statSync(dirname(path)).mode & 0o777, 0o700);
  });

  it('brings an older one to the newest schema, keeps what is in it, and lays a copy beside it', () => {
    const path = newPath();
    const old = openDatabase(path, [FIRST]);
    old.exec(`INSERT INTO thing VALUES ('chair')`);
    old.close();
    const db = openDatabase(path, [FIRST, SECOND]);
    assert.deepEqual(db.prepare('SELECT * FROM thing').all(), [{ name: 'chair', colour: null }]);
    db.close();
    const copy = openDatabase(`${path}.before-2`, [FIRST]);
    assert.deepEqual(copy.prepare('SELECT * FROM thing').all(), [{ name: 'chair' }]);
    copy.close();
  });

  it('does each step once', () => {
    const path = newPath();
    for (let time = 0; time < 3; time++) openDatabase(path, [FIRST, SECOND]).close();
    assert.equal(existsSync(`${path}.before-2`), false);
  });

  it('leaves the old schema and its data when a step fails, whatever steps went well before it', () => {
    const path = newPath();
    const old = openDatabase(path, [FIRST]);
    old.exec(`INSERT INTO thing VALUES ('chair')`);
    old.close();
    const broken = { name: '0003', sql: 'ALTER TABLE thing ADD COLUMN size TEXT; SELECT * FROM nowhere' };
    assert.throws(() => openDatabase(path, [FIRST, SECOND, broken]), withCode('state-unreadable'));
    const again = openDatabase(path, [FIRST]);
    assert.deepEqual(again.prepare('SELECT * FROM thing').all(), [{ name: 'chair' }]);
    again.close();
  });

  it('refuses one of a later version of the program and changes nothing in it', () => {
    const path = newPath();
    openDatabase(path, [FIRST, SECOND]).close();
    assert.throws(() => openDatabase(path, [FIRST]), withCode('state-newer-than-program'));
    const db = openDatabase(path, [FIRST, SECOND]);
    assert.equal(db.pragma('user_version', { simple: true }), 2);
    db.close();
  });

  for (const [what, content] of [
    ['a text', Buffer.from('This is no database at all, but it is long enough to be taken for one.'.repeat(20))],
    ['noise after a true header', Buffer.concat([Buffer.from('SQLite format 3\0'), Buffer.alloc(8176, 0xa7)])],
  ] as const) {
    it(`says that ${what} cannot be read, and leaves it as it is`, () => {
      const path = newPath();
      mkdirSync(dirname(path));
      writeFileSync(path, content);
      assert.throws(() => openDatabase(path, TASK_MIGRATIONS), withCode('state-unreadable'));
      assert.deepEqual(readFileSync(path), content);
    });
  }

  it('says that a folder in its place cannot be read', () => {
    const path = newPath();
    mkdirSync(path, { recursive: true });
    assert.throws(() => openDatabase(path, TASK_MIGRATIONS), withCode('state-unreadable'));
  });

  it('finds damage inside a file, and gives the errors from it their code', () => {
    const path = newPath();
    const db = openDatabase(path, [FIRST]);
    const insert = db.prepare('INSERT INTO thing VALUES (?)');
    db.transaction(() => {
      for (let row = 0; row < 2000; row++) insert.run(`thing ${row}`.padEnd(60));
    })();
    assert.deepEqual(integrityFaults(db), []);
    db.close();
    const file = openSync(path, 'r+');
    for (let page = 3; page < 12; page++) writeSync(file, Buffer.alloc(4096, 0xff), 0, 4096, page * 4096);
    closeSync(file);
    const damaged = openDatabase(path, [FIRST]);
    assert.notDeepEqual(integrityFaults(damaged), []);
    assert.throws(() => {
      try {
        damaged.prepare('SELECT count(name) FROM thing').get();
      } catch (error) {
        throw asStateError(error, path);
      }
    }, withCode('state-unreadable'));
    damaged.close();
  });

  it('says that a file cut short cannot be read', () => {
    const path = newPath();
    openDatabase(path, TASK_MIGRATIONS).close();
    truncateSync(path, 5000);
    assert.throws(() => openDatabase(path, TASK_MIGRATIONS), withCode('state-unreadable'));
  });

  it('tells a full disk from a damaged file', () => {
    const full = Object.assign(new Error('database or disk is full'), { code: 'SQLITE_FULL' });
    assert.ok(isBackupError(asStateError(full, 'x'), 'disk-full'));
    const bug = new TypeError('a bug');
    assert.equal(asStateError(bug, 'x'), bug);
  });
});

describe('the database of a task', () => {
  it('is held by one run at a time, in this process and in others, until it is closed', async () => {
    const stateDir = newStateDir();
    const held = openTaskDatabase(stateDir, 'shop');
    assert.throws(() => openTaskDatabase(stateDir, 'shop'), withCode('already-running'));
    openTaskDatabase(stateDir, 'another').close();
    assert.equal(await openElsewhere(stateDir, 'shop', 'close'), 'already-running');
    held.close();
    assert.equal(await openElsewhere(stateDir, 'shop', 'close'), 'open');
    openTaskDatabase(stateDir, 'shop').close();
  });

  it('is free again when the process that held it was killed', async () => {
    const stateDir = newStateDir();
    assert.equal(await openElsewhere(stateDir, 'shop', 'kill'), 'open');
    openTaskDatabase(stateDir, 'shop').close();
  });

  it('is free again after it could not be opened', () => {
    const stateDir = newStateDir();
    const path = taskDatabasePath(stateDir, 'shop');
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, 'no database '.repeat(500));
    assert.throws(() => openTaskDatabase(stateDir, 'shop'), withCode('state-unreadable'));
    rmSync(path);
    openTaskDatabase(stateDir, 'shop').close();
  });

  it('waits for the disk at each commit where versions are deleted: no row comes back after a power cut', () => {
    const held = openTaskDatabaseForCare(newStateDir(), 'shop');
    assert.equal(held.db.pragma('synchronous', { simple: true }), 2);
    held.close();
  });

  it('has an identity of its own that stays', () => {
    const stateDir = newStateDir();
    const markers = ['shop', 'shop', 'blog'].map((name) => {
      const database = openTaskDatabase(stateDir, name);
      database.close();
      return database.marker;
    });
    assert.equal(markers[0], markers[1]);
    assert.notEqual(markers[0], markers[2]);
  });

  it('is copied for a dry run: nothing of it comes back, and a run may go on meanwhile', () => {
    const stateDir = newStateDir();
    const real = openTaskDatabase(stateDir, 'shop');
    new FileIndex(real.db).addFolder({ parentId: undefined, path: '/', localPath: '', unique: undefined });
    const copy = openTaskDatabaseCopy(stateDir, 'shop');
    const index = new FileIndex(copy.db);
    assert.notEqual(index.folder('/'), undefined);
    index.addFolder({ parentId: index.folder('/')?.id, path: '/img', localPath: 'img', unique: undefined });
    copy.close();
    assert.notEqual(new FileIndex(real.db).folder('/'), undefined);
    assert.equal(new FileIndex(real.db).folder('/img'), undefined);
    real.close();
    assert.equal(existsSync(copy.db.name), false, 'the copy was left behind');
  });

  it('is not made by a dry run', () => {
    const stateDir = newStateDir();
    openTaskDatabaseCopy(stateDir, 'shop').close();
    assert.equal(existsSync(stateDir), false);
  });

  it('lies in a file of its own for every name, and never elsewhere', () => {
    const name = fc.string({ minLength: 1, maxLength: 60, unit: 'binary' });
    fc.assert(
      fc.property(name, name, (one, other) => {
        const path = taskDatabasePath('/state', one);
        assert.match(path, /^\/state\/tasks\/[A-Za-z0-9-]{1,60}\.sqlite$/);
        assert.equal(path === taskDatabasePath('/state', other), one === other);
      }),
    );
    for (const [one, other] of [
      ['shop', 'Shop'],
      ['a b', 'a-b'],
      ['é', 'e'],
      ['../x', 'x'],
    ] as const) {
      assert.notEqual(taskDatabasePath('/state', one), taskDatabasePath('/state', other));
    }
  });
});

/** Opens the task in a process of its own and says how that went; the process ends as told. */
async function openElsewhere(stateDir: string, name: string, then: 'close' | 'kill'): Promise<string> {
  const program = `
    import { openTaskDatabase } from ${JSON.stringify(join(import.meta.dirname, '../../src/state/task-database.ts'))};
    try {
      globalThis.held = openTaskDatabase(${JSON.stringify(stateDir)}, ${JSON.stringify(name)});
      process.send('open');
    } catch (error) {
      process.send(error.code);
    }
    process.on('message', () => { globalThis.held?.close(); process.disconnect(); });
  `;
  const file = join(folder, `child-${++count}.mts`);
  writeFileSync(file, program);
  const child = fork(file, { execArgv: ['--import', import.meta.resolve('tsx')] });
  const exited = once(child, 'exit');
  const [answer] = (await once(child, 'message')) as [string];
  if (then === 'kill') child.kill('SIGKILL');
  else child.send('close');
  await exited;
  return answer;
}

const RECORD: Omit<FileRecord, 'missingSinceRun'> = {
  name: 'x',
  sizeBytes: 3,
  stamp: '20260520120000',
  stampMs: 1,
  precision: 'second',
  modifiedMs: 1,
  unique: '1',
  mode: '0644',
  sha256: Buffer.alloc(32, 7),
  localName: 'x',
  isUnsettled: false,
};

/** An index with these folders, one file in each. */
function indexOf(paths: readonly string[]): { index: FileIndex; subtrees: SubtreeIndex } {
  const db = openDatabase(':memory:', TASK_MIGRATIONS);
  const index = new FileIndex(db);
  for (const path of paths) {
    const id = index.addFolder({ parentId: undefined, path, localPath: path.slice(1), unique: undefined });
    index.putFile(id, RECORD, 1);
    index.addLink(id, 'link', 'x');
  }
  return { index, subtrees: new SubtreeIndex(db) };
}

const ODD_PATHS = [
  '/',
  '/a',
  '/a b',
  '/a0',
  '/a/b',
  '/a/b/c',
  '/a/b c',
  '/a-',
  '/a.',
  '/a/0',
  '/A',
  '/a\xff',
  '/a/\xff',
  '/a%',
  '/a_',
  '/b',
  '/aa',
  '/a/a',
];

const isBelow = (path: string, top: string): boolean => top === '/' || path === top || path.startsWith(`${top}/`);

describe('the index', () => {
  it('gives back what was put into it, with and without each value', () => {
    const { index } = indexOf([]);
    const id = index.addFolder({ parentId: undefined, path: '/', localPath: '', unique: 'u' });
    const bare = {
      ...RECORD,
      name: 'bare',
      localName: 'other',
      stamp: undefined,
      stampMs: undefined,
      modifiedMs: undefined,
      unique: undefined,
      mode: undefined,
      isUnsettled: true,
    };
    for (const record of [RECORD, bare]) {
      index.putFile(id, record, 1);
      assert.deepEqual(index.file(id, record.name), { ...record, missingSinceRun: undefined });
    }
    assert.deepEqual(
      index.files(id, '', 10).map(({ name }) => name),
      ['bare', 'x'],
    );
    assert.deepEqual(
      index.files(id, 'bare', 10).map(({ name }) => name),
      ['x'],
    );
  });

  it('orders names by their bytes, as the comparison with a listing needs it', () => {
    const name = fc.stringMatching(/^[ -.0-~\x80-\xff]{1,8}$/);
    fc.assert(
      fc.property(fc.uniqueArray(name, { maxLength: 20 }), (names) => {
        const { index } = indexOf([]);
        const id = index.addFolder({ parentId: undefined, path: '/', localPath: '', unique: undefined });
        for (const one of names) index.putFile(id, { ...RECORD, name: one, localName: one }, 1);
        const inOrder = [...names].sort((a, b) => (a < b ? -1 : 1));
        assert.deepEqual(
          index.files(id, '', 100).map((file) => file.name),
          inOrder,
        );
      }),
      { numRuns: 30 },
    );
  });

  for (const top of ['/', '/a', '/a/b', '/a b', '/a\xff', '/a-', '/nothing']) {
    it(`takes for the subtree of ${JSON.stringify(top)} what lies in it and nothing beside it`, () => {
      const below = ODD_PATHS.filter((path) => isBelow(path, top));
      const beside = ODD_PATHS.filter((path) => !isBelow(path, top));
      const { index, subtrees } = indexOf(ODD_PATHS);
      assert.equal(subtrees.filesBelow(top), below.length);
      subtrees.markSubtreeMissing(top, 7, false);
      assert.equal(subtrees.presentFilesBelow(top), 0);
      assert.equal(subtrees.filesBelow(top), below.length);
      for (const path of ODD_PATHS) {
        const folder = index.folder(path);
        assert.equal(folder?.missingSinceRun, below.includes(path) ? 7 : undefined, path);
        assert.equal(index.file(folder?.id ?? 0, 'x')?.missingSinceRun, below.includes(path) ? 7 : undefined, path);
      }
      subtrees.removeSubtree(top, 1);
      assert.deepEqual(
        ODD_PATHS.filter((path) => index.folder(path) !== undefined),
        beside,
      );
      assert.equal(subtrees.filesBelow('/'), beside.length);
    });
  }

  it('takes the right subtree whatever the paths are made of', () => {
    const part = fc.stringMatching(/^[ -.0:a\xe9\xff]{1,2}$/);
    const path = fc.array(part, { minLength: 1, maxLength: 3 }).map((parts) => `/${parts.join('/')}`);
    fc.assert(
      fc.property(fc.uniqueArray(path, { minLength: 1, maxLength: 25 }), fc.nat(), (paths, choice) => {
        const top = paths[choice % paths.length] ?? '/';
        const { index, subtrees } = indexOf(paths);
        subtrees.removeSubtree(top, 1);
        const kept = paths.filter((one) => index.folder(one) !== undefined);
        assert.deepEqual(
          kept,
          paths.filter((one) => !isBelow(one, top)),
        );
      }),
      { numRuns: 60 },
    );
  });

  it('says since which run a file is missing, and not a later one', () => {
    const { index, subtrees } = indexOf(['/']);
    const id = index.folder('/')?.id ?? 0;
    index.markFileMissing(id, 'x', 5, false);
    index.markFileMissing(id, 'x', 9, false);
    subtrees.markSubtreeMissing('/', 11, false);
    assert.equal(index.file(id, 'x')?.missingSinceRun, 5);
  });
});

describe('what a host allows', () => {
  const DAY_MS = 86_400_000;
  it('is remembered for host and account, and one more is tried after a week', () => {
    const stateDir = newStateDir();
    const limits = openHostLimits(stateDir);
    assert.equal(limits.read('ftp://u@h:21', 0), undefined);
    limits.remember('ftp://u@h:21', 4, 100 * DAY_MS);
    limits.remember('ftp://u@h:21', 3, 100 * DAY_MS);
    limits.close();
    const again = openHostLimits(stateDir);
    assert.equal(again.read('ftp://u@h:21', 106 * DAY_MS), 3);
    assert.equal(again.read('ftp://u@h:21', 108 * DAY_MS), 4);
    assert.equal(again.read('ftp://u@h:21', 50 * DAY_MS), 4, 'the clock was set back');
    assert.equal(again.read('ftp://other@h:21', 106 * DAY_MS), undefined);
    again.close();
  });
});

describe('the log of runs', () => {
  it('calls a run interrupted that no process has ended', () => {
    const db = openDatabase(':memory:', TASK_MIGRATIONS);
    const log = new RunLog(db);
    const first = log.start(1, undefined);
    log.markInterrupted(5);
    const second = log.start(6, first);
    log.close(second, 7, 'complete', '{}');
    log.markInterrupted(8);
    const outcomes = db
      .prepare('SELECT outcome, ended_ms AS endedMs, resumes_run AS resumes FROM run ORDER BY id')
      .all();
    assert.deepEqual(outcomes, [
      { outcome: 'interrupted', endedMs: 5, resumes: null },
      { outcome: 'complete', endedMs: 7, resumes: 1 },
    ]);
    db.close();
  });

  it('takes the time at which a killed run was found for no time at which a run ended', () => {
    const db = openDatabase(':memory:', TASK_MIGRATIONS);
    const log = new RunLog(db);
    log.close(log.start(1, undefined), 2, 'complete', '{}');
    log.start(3, undefined);
    // A power cut, an empty battery: found years ahead. Else older versions would be pruned by that clock at once.
    log.markInterrupted(10 ** 12);
    assert.equal(new RestorePoints(db).lastEndMs(), 2);
    db.close();
  });

  it('keeps so many events of each level and no more', () => {
    const db = openDatabase(':memory:', TASK_MIGRATIONS);
    const log = new RunLog(db);
    const run = log.start(1, undefined);
    db.transaction(() => {
      for (let event = 0; event < RUN_EVENTS_MAX + 5; event++) {
        log.add(run, { atMs: event, level: 'failure', code: 'file-refused', path: '/x', detail: undefined });
      }
    })();
    log.add(run, { atMs: 1, level: 'notice', code: 'file-gone', path: undefined, detail: 'd' });
    assert.equal(log.events(run, 'failure', RUN_EVENTS_MAX * 2).length, RUN_EVENTS_MAX);
    assert.deepEqual(log.events(run, 'notice', 10), [
      { atMs: 1, level: 'notice', code: 'file-gone', path: undefined, detail: 'd' },
    ]);
    db.close();
  });
});
