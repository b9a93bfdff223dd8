/** What a run replaces or retires stays readable, as of any run. */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, readdirSync, renameSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import Database from 'better-sqlite3';
import { simulatePrune } from '../../src/engine/prune.ts';
import { systemFs } from '../../src/local/target-fs.ts';
import { RestorePoints } from '../../src/state/restore-points.ts';
import { VersionIndex } from '../../src/state/version-index.ts';
import { VersionTree } from '../../src/state/version-tree.ts';
import { BackupFixture } from '../support/backup-fixture.ts';
import type { RunOverrides } from '../support/backup-fixture.ts';
import { snapshotFolder } from '../support/tree-compare.ts';

const ARCHIVE: RunOverrides = { deletion: { rule: 'archive' } };
const CUT_SHORT = { truncateListing: { lines: 1, reply: '226 Output truncated to 1 matches' } };

let fixture: BackupFixture;
/** What lay under `current/` at the end of each run: path to SHA-256. */
let history: Map<number, Map<string, string>>;

beforeEach(async () => {
  fixture = await BackupFixture.start();
  history = new Map();
});
afterEach(() => fixture.end());

/** A run that must be complete; what it left is remembered. */
async function run(overrides: RunOverrides = ARCHIVE): Promise<void> {
  const report = await fixture.run(overrides);
  assert.equal(report.outcome, 'complete', JSON.stringify([report.cause, report.failures]));
  remember();
}

function remember(): void {
  const files = new Map([...fixture.snapshot()].map(([path, { sha256 }]) => [path, sha256]));
  history.set(lastRun(), files);
}

function lastRun(): number {
  return withDatabase((db) => db.prepare('SELECT max(id) FROM run').pluck().get() as number);
}

function withDatabase<T>(read: (db: Database.Database) => T): T {
  const db = new Database(fixture.databasePath, { readonly: true });
  try {
    return read(db);
  } finally {
    db.close();
  }
}

/** Every tree that was remembered reads back from the disk, byte for byte, and nothing else is in it. */
function assertHistoryReadsBack(): void {
  withDatabase((db) => {
    const tree = new VersionTree(db);
    for (const [runId, files] of history) {
      assert.deepEqual(readTree(tree, runId), files, `the tree as of run ${runId}`);
    }
  });
}

function readTree(tree: VersionTree, runId: number): Map<string, string> {
  const files = new Map<string, string>();
  const folders = ['/'];
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    assert.ok(tree.hasFolder(runId, folder), folder);
    // Pages of two, so that what comes after a page is seen as well.
    for (let after = ''; ;) {
      const page = tree.folders(runId, folder, after, 2);
      folders.push(...page);
      after = page.at(-1) ?? '';
      if (after === '') break;
    }
    for (let after = ''; ;) {
      const page = tree.files(runId, folder, after, 2);
      for (const file of page) {
        assert.equal(file.state, 'there', file.path);
        const place = file.places[0];
        assert.ok(place !== undefined, file.path);
        const content = readFileSync(join(fixture.targetFolder, place.folder, place.path));
        const sha256 = createHash('sha256').update(content).digest('hex');
        assert.equal(sha256, file.sha256.toString('hex'), file.path);
        assert.deepEqual(tree.file(runId, file.path), file);
        files.set(file.path.slice(1), sha256);
      }
      after = page.at(-1)?.path.slice(folder.length + (folder === '/' ? 0 : 1)) ?? '';
      if (after === '') break;
    }
  }
  return new Map([...files].sort(([a], [b]) => (a < b ? -1 : 1)));
}

describe('A file that changes', () => {
  it('is kept as it was, once for each run that replaced it', async () => {
    fixture.tree.writeFile('/a/page.html', 'first');
    fixture.tree.writeFile('/b.txt', 'never changes');
    await run();
    for (const content of ['second', 'third!', 'fourth']) {
      fixture.tree.writeFile('/a/page.html', content);
      await run();
    }
    assert.equal(fixture.versions().length, 3);
    assertHistoryReadsBack();
  });

  it('has one link on the disk, so that an edit in current/ cannot reach what was kept', async () => {
    fixture.tree.writeFile('/page.html', 'first');
    await run();
    fixture.tree.writeFile('/page.html', 'second');
    await run();
    const [version] = fixture.versions();
    assert.ok(version !== undefined);
    assert.equal(statSync(join(fixture.targetFolder, 'versions', version)).nlink, 1);
    writeFileSync(join(fixture.current, 'page.html'), 'edited here');
    assert.equal(readFileSync(join(fixture.targetFolder, 'versions', version), 'utf8'), 'first');
    writeFileSync(join(fixture.current, 'page.html'), 'second');
  });

  it('to the same content again leaves no version', async () => {
    fixture.tree.writeFile('/page.html', 'same');
    await run();
    await run({ ...ARCHIVE, isForced: true });
    assert.deepEqual(fixture.versions(), []);
    assertHistoryReadsBack();
  });

  it('here and is then replaced keeps what lay here, and does not pass for what the server had', async () => {
    fixture.tree.writeFile('/page.html', 'from the server');
    await run();
    writeFileSync(join(fixture.current, 'page.html'), 'edited on the NAS');
    fixture.tree.writeFile('/page.html', 'newer on the server');
    await run();
    const [version] = fixture.versions('altered');
    assert.equal(readFileSync(join(fixture.targetFolder, 'versions', version ?? ''), 'utf8'), 'edited on the NAS');
    const state = withDatabase((db) => new VersionTree(db).file(1, '/page.html')?.state);
    assert.equal(state, 'altered');
  });
});

describe('A file that has gone from the server', () => {
  beforeEach(async () => {
    fixture.tree.writeFile('/a/gone.txt', 'gone soon');
    fixture.tree.writeFile('/a/stays.txt', 'stays');
    fixture.tree.writeFile('/old/deep/er/file.txt', 'a folder that goes');
    fixture.tree.writeFile('/old/top.txt', 'too');
    await run();
    fixture.tree.remove('/a/gone.txt');
    fixture.tree.remove('/old');
  });

  it('goes to the versions after two complete runs, and its empty folders with it', async () => {
    await run();
    assert.ok(existsSync(join(fixture.current, 'a/gone.txt')), 'missing once is not enough');
    await run();
    assert.deepEqual([...fixture.snapshot().keys()], ['a/stays.txt']);
    assert.deepEqual(readdirSync(fixture.current), ['a']);
    assert.equal(fixture.versions().length, 3);
    assertHistoryReadsBack();
    await run();
    assertHistoryReadsBack();
  });

  it('leaves its empty folder where that cannot be removed, until it can', async () => {
    const real = { ...systemFs };
    systemFs.rmdir = () =>
      Promise.reject(Object.assign(new Error('injected'), { errno: -constants.errno.EACCES, code: 'EACCES' }));
    try {
      for (let i = 0; i < 3; i++) await run();
    } finally {
      Object.assign(systemFs, real);
    }
    assert.ok(existsSync(join(fixture.current, 'old')));
    await run();
    assert.ok(!existsSync(join(fixture.current, 'old')));
  });

  it('stays where the task says so', async () => {
    const keep: RunOverrides = { deletion: { rule: 'keep' } };
    for (let i = 0; i < 3; i++) await run(keep);
    assert.equal(fixture.snapshot().size, 4);
    assert.deepEqual(fixture.versions(), []);
    assertHistoryReadsBack();
  });

  it('stays while a run is not complete, whatever the reason', async () => {
    await run();
    fixture.tree.writeFile('/a/secret.txt', 'not for us');
    fixture.server.addFault({ command: 'RETR', path: '/a/secret.txt' }, { reply: '550 Permission denied' });
    const report = await fixture.run(ARCHIVE);
    assert.equal(report.outcome, 'incomplete');
    assert.ok(existsSync(join(fixture.current, 'a/gone.txt')));
  });

  it('stays when it comes back in between, and is missed anew after that', async () => {
    await run();
    fixture.tree.writeFile('/a/gone.txt', 'gone soon');
    await run();
    fixture.tree.remove('/a/gone.txt');
    await run();
    assert.ok(existsSync(join(fixture.current, 'a/gone.txt')));
    await run();
    assert.ok(!existsSync(join(fixture.current, 'a/gone.txt')));
    assertHistoryReadsBack();
  });

  it('stays when a filter leaves it out: what is not looked at is not missed', async () => {
    await run();
    await run({ ...ARCHIVE, exclude: ['/a/gone.txt', '/old/'] });
    assert.ok(existsSync(join(fixture.current, 'a/gone.txt')));
    assert.ok(existsSync(join(fixture.current, 'old/top.txt')));
  });
});

describe('A folder and a file that change places', () => {
  it('are kept as they were', async () => {
    fixture.tree.writeFile('/swap/in/side.txt', 'in a folder');
    fixture.tree.writeFile('/paws', 'a file');
    await run();
    fixture.tree.remove('/swap');
    fixture.tree.writeFile('/swap', 'a file now');
    fixture.tree.remove('/paws');
    fixture.tree.writeFile('/paws/inside.txt', 'a folder now');
    await run();
    fixture.assertCurrentEquals();
    assertHistoryReadsBack();
    fixture.tree.remove('/swap');
    fixture.tree.writeFile('/swap/in/side.txt', 'a folder again');
    await run();
    assertHistoryReadsBack();
  });
});

describe('Retention', () => {
  const keepTwo: RunOverrides = { ...ARCHIVE, versions: { keep: 'last', count: 2 } };

  async function runs(contents: readonly string[], overrides: RunOverrides): Promise<void> {
    for (const content of contents) {
      fixture.tree.writeFile('/page.html', content);
      fixture.tree.writeFile('/once.txt', 'always the same');
      await run(overrides);
    }
  }

  it('deletes what no kept version needs, says which versions went, and reads the others exactly', async () => {
    await runs(['1', '22', '333', '4444', '55555'], keepTwo);
    assert.equal(fixture.versions().length, 1);
    assert.match(fixture.notices().join(), /version-pruned/);
    assert.deepEqual(points(), [4, 5]);
    for (const runId of [1, 2, 3]) history.delete(runId);
    assertHistoryReadsBack();
    assert.equal(readdirSync(join(fixture.targetFolder, 'versions')).length, 1, 'empty folders go, too');
  });

  it('never prunes a pinned version', async () => {
    await runs(['1', '22'], ARCHIVE);
    pin(1);
    await runs(['333', '4444', '55555'], keepTwo);
    assert.deepEqual(points(), [1, 4, 5]);
    for (const runId of [2, 3]) history.delete(runId);
    assertHistoryReadsBack();
  });

  it('keeps within the quota by giving up the oldest', async () => {
    await runs(['a'.repeat(400), 'b'.repeat(300), 'c'.repeat(200), 'd'], ARCHIVE);
    await runs(['e'], { ...ARCHIVE, versions: { quotaBytes: 550 } });
    const bytes = fixture.versions().map((place) => statSync(join(fixture.targetFolder, 'versions', place)).size);
    assert.deepEqual(bytes, [300, 200, 1]);
    history.delete(1);
    assertHistoryReadsBack();
  });

  it('gives up no version for a quota that what is deleted anyway makes room for', async () => {
    const rule: RunOverrides = { deletion: { rule: 'delete', days: 30 } };
    fixture.tree.writeFile('/gone.txt', 'g'.repeat(400));
    await runs(['a'.repeat(300)], rule);
    fixture.tree.remove('/gone.txt');
    await runs(['b'.repeat(200), 'c'], rule);
    assert.equal(fixture.versions().length, 3);
    change((db) => db.exec(`UPDATE version SET retired_ms = retired_ms - ${31 * 86_400_000}`));

    const versions = { ...KEEP_ALL, quotaBytes: 550 };
    const deletion = { rule: 'delete', days: 30 } as const;
    const told = withDatabase((db) => simulatePrune(db, { versions, deletion }, Date.now()));
    assert.deepEqual(told, { points: [], pruned: { files: 0, bytes: 0 }, expired: { files: 1, bytes: 400 } });
    await run({ deletion, versions });
    assert.deepEqual(points(), [1, 2, 3]);
    assert.equal(fixture.versions().length, 2);
  });

  it('deletes all that it can beside a file that cannot be deleted, and that one once it can', async () => {
    await runs(['1', '22', '333'], ARCHIVE);
    const [first = ''] = fixture.versions();
    const real = { ...systemFs };
    systemFs.unlink = (path) => {
      const refusal = { errno: -constants.errno.EACCES, code: 'EACCES', syscall: 'unlink' };
      return path.endsWith(first) ? Promise.reject(Object.assign(new Error('injected'), refusal)) : real.unlink(path);
    };
    try {
      await runs(['4444', '55555', '666666'], { ...keepTwo, versions: { keep: 'last', count: 2, quotaBytes: 5 } });
      assert.match(fixture.notices().join(), /prune-failed/);
    } finally {
      Object.assign(systemFs, real);
    }
    assert.deepEqual(points(), [5, 6], 'no version goes for the room that it takes');
    assert.deepEqual(kept(), [first, ...fixture.versions()]);
    await run(keepTwo);
    assert.deepEqual(kept(), fixture.versions());
    for (const runId of [1, 2, 3, 4]) history.delete(runId);
    assertHistoryReadsBack();
  });

  it('believes no clock that is years ahead because a run before has failed by it', async () => {
    await runs(['1', '22', '333'], ARCHIVE);
    const ahead: RunOverrides = { clockOffsetMs: 3650 * 86_400_000, versions: { keep: 'within', days: 30 } };
    assert.equal((await fixture.run({ ...ahead, source: { password: 'wrong' } })).outcome, 'failed');
    assert.equal((await fixture.run(ahead)).outcome, 'complete');
    assert.deepEqual(points(), [1, 2, 3]);
  });

  it('goes on with what a killed process was deleting', async () => {
    await runs(['1', '22', '333'], ARCHIVE);
    change((db) => {
      db.exec(`UPDATE version SET state = 'pruning' WHERE id = 1; UPDATE run SET pruned_ms = 1 WHERE id = 1;
        INSERT INTO meta (key, value) VALUES ('sweep', 'due')`);
    });
    await run();
    assert.equal(fixture.versions().length, 1);
    assert.equal(
      withDatabase((db) => db.prepare('SELECT count(*) FROM version').pluck().get()),
      1,
    );
    history.delete(1);
    assertHistoryReadsBack();
  });

  it('deletes vanished files after their days, and the trees of the past say so', async () => {
    fixture.tree.writeFile('/gone.txt', 'gone soon');
    fixture.tree.writeFile('/stays.txt', 'stays');
    await run();
    fixture.tree.remove('/gone.txt');
    const rule: RunOverrides = { deletion: { rule: 'delete', days: 30 } };
    await run(rule);
    await run(rule);
    assert.equal(fixture.versions().length, 1);
    await run(rule);
    assert.equal(fixture.versions().length, 1, 'not before its days are over');
    change((db) => db.exec(`UPDATE version SET retired_ms = retired_ms - ${31 * 86_400_000}`));
    await run(rule);
    assert.deepEqual(fixture.versions(), []);
    assert.deepEqual(readdirSync(join(fixture.targetFolder, 'versions')), []);
    assert.equal(
      withDatabase((db) => new VersionTree(db).file(1, '/gone.txt')?.state),
      'expired',
    );
  });

  it('is told beforehand what it would do', async () => {
    await runs(['1', '22', '333', '4444'], ARCHIVE);
    const rules = {
      versions: { ...KEEP_ALL, keep: 'last', count: 2 },
      deletion: { rule: 'archive', days: 1 },
    } as const;
    const told = withDatabase((db) => simulatePrune(db, rules, Date.now()));
    assert.deepEqual(
      told.points.map(({ runId }) => runId),
      [1, 2],
    );
    assert.deepEqual(told.pruned, { files: 2, bytes: 3 });
    assert.equal(fixture.versions().length, 3, 'and nothing is done');
  });

  /** What lies below versions/. */
  function kept(): string[] {
    return [...snapshotFolder(join(fixture.targetFolder, 'versions')).keys()].sort();
  }

  function points(): number[] {
    return withDatabase((db) => new RestorePoints(db).all().map(({ runId }) => runId));
  }

  function pin(runId: number): void {
    change((db) => {
      assert.ok(new RestorePoints(db).setPinned(runId, true));
    });
  }
});

const KEEP_ALL = {
  keep: 'all',
  count: 1,
  days: 1,
  hourly: 1,
  daily: 1,
  weekly: 1,
  monthly: 1,
  yearly: 1,
  quotaBytes: undefined,
} as const;

function change(write: (db: Database.Database) => unknown): void {
  const db = new Database(fixture.databasePath);
  try {
    write(db);
  } finally {
    db.close();
  }
}

describe('A file that was renamed on the server', () => {
  beforeEach(async () => {
    fixture.tree.writeFile('/a/photo.jpg', 'a picture');
    fixture.tree.writeFile('/old/deep/page.html', 'a page');
    fixture.tree.writeFile('/old/top.txt', 'top');
    await run();
    fixture.server.clearLog();
  });

  it('is moved here, not brought again, and lies under its old name in the trees of the past', async () => {
    fixture.tree.rename('/a/photo.jpg', '/a/picture.jpg');
    fixture.tree.rename('/old', '/new');
    const report = await fixture.run(ARCHIVE);
    remember();
    assert.equal(fixture.server.count('RETR'), 0);
    assert.deepEqual([report.outcome, report.counts.renamed, report.counts.vanished], ['complete', 3, 0]);
    fixture.assertCurrentEquals();
    assertHistoryReadsBack();
    // Changed, renamed again and gone: the content is found under every name that it had.
    fixture.tree.rename('/a/picture.jpg', '/b/third.jpg');
    await run();
    fixture.tree.writeFile('/b/third.jpg', 'another picture');
    fixture.tree.remove('/new/top.txt');
    await run();
    await run();
    assertHistoryReadsBack();
    assert.ok(!existsSync(join(fixture.current, 'old')), 'empty folders go');
  });

  it('stays readable under its first name when the versions of its middle name are pruned', async () => {
    fixture.tree.rename('/a/photo.jpg', '/b.jpg');
    await run();
    fixture.tree.rename('/b.jpg', '/c.jpg');
    await run();
    change((db) => {
      assert.ok(new RestorePoints(db).setPinned(1, true));
    });
    fixture.tree.writeFile('/a/other.txt', 'a fourth version');
    await run({ ...ARCHIVE, versions: { keep: 'last', count: 1 } });
    for (const runId of [2, 3]) history.delete(runId);
    assert.deepEqual([...history.keys()], [1, 4]);
    assertHistoryReadsBack();
  });

  it('stays readable when only the run from before the rename is kept', async () => {
    fixture.tree.rename('/a/photo.jpg', '/b.jpg');
    await run();
    fixture.tree.writeFile('/b.jpg', 'another picture');
    await run();
    change((db) => {
      new RestorePoints(db).setPinned(1, true);
    });
    fixture.tree.writeFile('/b.jpg', 'the third picture');
    await run({ ...ARCHIVE, versions: { keep: 'last', count: 1 } });
    history.delete(2);
    // The last complete one before the newest is kept as well.
    assertHistoryReadsBack();
  });

  it('is brought again where it is not the same any more, here or there', async () => {
    fixture.tree.rename('/a/photo.jpg', '/a/picture.jpg');
    fixture.tree.writeFile('/a/picture.jpg', 'another one');
    // Somebody has touched it here: what it holds would have to be read to be believed.
    utimesSync(join(fixture.current, 'old/top.txt'), 1, 1);
    fixture.tree.rename('/old/top.txt', '/old/moved.txt');
    await run();
    assert.equal(fixture.server.count('RETR'), 2);
    assert.equal(readFileSync(join(fixture.current, 'old/moved.txt'), 'utf8'), 'top');
  });

  it('stays under both names where the rule is to keep what has gone', async () => {
    fixture.tree.rename('/a/photo.jpg', '/a/picture.jpg');
    await run({ deletion: { rule: 'keep' } });
    assert.deepEqual(readdirSync(join(fixture.current, 'a')).sort(), ['photo.jpg', 'picture.jpg']);
    assertHistoryReadsBack();
  });

  it('by the case of its letters alone goes from its old name, also where the server takes both for one', async () => {
    Object.assign(fixture.server.options, { uniqueFacts: false });
    fixture.tree.isCaseSensitive = false;
    fixture.tree.writeFile('/Read me.txt', 'read me');
    fixture.tree.writeFile('/Photos/a.jpg', 'a photo');
    await run();
    fixture.tree.rename('/Read me.txt', '/READ ME.TXT');
    fixture.tree.rename('/Photos', '/photos');
    for (let i = 0; i < 3; i++) await run();
    fixture.assertCurrentEquals();
    assertHistoryReadsBack();
  });

  it('that is there beside one in other case is not taken for that, and its folder not for seen whole', async () => {
    Object.assign(fixture.server.options, { uniqueFacts: false });
    fixture.tree.writeFile('/Read me.txt', 'read me');
    fixture.tree.writeFile('/READ ME.TXT', 'another file');
    await run();
    const isShown = (line: string): boolean => !line.endsWith(' Read me.txt');
    fixture.server.addFault({ command: 'MLSD' }, { mapListing: (lines) => lines.filter(isShown) });
    await run();
    assert.equal((await fixture.run(ARCHIVE)).outcome, 'incomplete');
    assert.ok(existsSync(join(fixture.current, 'Read me.txt')));
  });

  it('by the case of its letters alone stays, as a folder, until both names show all that is in it', async () => {
    Object.assign(fixture.server.options, { uniqueFacts: false });
    fixture.tree.isCaseSensitive = false;
    fixture.tree.writeFile('/Photos/a.jpg', 'a photo');
    fixture.tree.writeFile('/Photos/b.jpg', 'another photo');
    await run();
    fixture.tree.rename('/Photos', '/photos');
    await run();
    // The scan sees it whole.
    fixture.server.addFault({ command: 'MLSD', path: '/photos', nth: 2 }, CUT_SHORT);
    fixture.server.addFault({ command: 'MLSD', path: '/Photos', nth: 1 }, CUT_SHORT);
    assert.equal((await fixture.run(ARCHIVE)).outcome, 'incomplete');
    assert.ok(existsSync(join(fixture.current, 'Photos/b.jpg')));
    for (let i = 0; i < 3; i++) await run();
    fixture.assertCurrentEquals();
    assertHistoryReadsBack();
  });

  it('goes back when the process was killed right after the move, and is moved again', async () => {
    const undone = new Map<string, string>([...fixture.snapshot()].map(([path, { sha256 }]) => [path, sha256]));
    fixture.tree.rename('/a/photo.jpg', '/a/picture.jpg');
    change((db) => {
      const versions = new VersionIndex(db);
      const folderId = db.prepare(`SELECT id FROM folder WHERE path = '/a'`).pluck().get() as number;
      const movedTo = { path: '/a/picture.jpg', place: 'a/picture.jpg' };
      const leaving = {
        untilRun: 2,
        reason: 'renamed',
        retiredMs: 1,
        origin: 'a/photo.jpg',
        place: undefined,
      } as const;
      versions.leave(folderId, 'photo.jpg', { ...leaving, movedTo });
      renameSync(join(fixture.current, 'a/photo.jpg'), join(fixture.current, 'a/picture.jpg'));
    });
    await run();
    assert.equal(fixture.server.count('RETR'), 0);
    fixture.assertCurrentEquals();
    history.set(1, undone);
    assertHistoryReadsBack();
  });
});
