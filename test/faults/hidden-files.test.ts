import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import Database from 'better-sqlite3';
import { BackupFixture, describeFailures } from '../support/backup-fixture.ts';
import type { ListingLimit } from '../support/scripted-ftp-limits.ts';
import type { ScriptedServerOptions } from '../support/scripted-ftp-options.ts';
import { utf8Name } from '../support/scripted-ftp-tree.ts';

const FILES = 40;
/** Shows 12 lines, `.` and `..` among them. */
const PURE_FTPD: ListingLimit = { lines: 12, as: 'pure-ftpd' };
/** In the middle of the folder by name, by time and by size: no order of 12 lines shows it. */
const MIDDLE = 20;
const START_MS = Date.UTC(2026, 0, 5, 12);
const INCOMPLETE = ['listing-truncated /many'];

function file(index: number): string {
  return `/many/f${String(index).padStart(2, '0')}`;
}

function writeMany(fixture: BackupFixture): void {
  for (let i = 0; i < FILES; i++) {
    const content = Buffer.alloc(4066 + ((i * 7) % FILES), `${i} `);
    fixture.tree.writeFile(file(i), content, { mtimeMs: START_MS + ((i * 11) % FILES) * 60_000 });
  }
  fixture.tree.writeFile('/many/f20 folder/inner', 'first');
  ageFolders(fixture);
}

/** Folders are 4096 bytes, and so in the middle, too. */
function ageFolders(fixture: BackupFixture): void {
  fixture.tree.touch('/many/f20 folder', START_MS + MIDDLE * 60_000);
}

async function withMany(
  options: Partial<ScriptedServerOptions>,
  work: (fixture: BackupFixture) => Promise<void>,
): Promise<void> {
  const fixture = await BackupFixture.start(options);
  try {
    writeMany(fixture);
    await work(fixture);
  } finally {
    await fixture.end();
  }
}

/** Permissions are in no answer to a question by name, and must not be forgotten by one. */
function filesWithoutMode(fixture: BackupFixture): unknown {
  const db = new Database(fixture.databasePath, { readonly: true });
  try {
    return db.prepare('SELECT count(*) FROM file WHERE mode IS NULL').pluck().get();
  } finally {
    db.close();
  }
}

/** A complete run without a limit; from then on there is one. */
async function limitAfterFirstRun(fixture: BackupFixture): Promise<void> {
  await fixture.runUntilEqual();
  fixture.server.options.listingLimit = PURE_FTPD;
  fixture.server.clearLog();
}

describe('A folder that a server shows a part of', () => {
  it('is asked for in other orders, which together show more than twice as much', async () => {
    await withMany({ listingLimit: PURE_FTPD }, async (fixture) => {
      const report = await fixture.run();
      assert.equal(report.outcome, 'incomplete');
      assert.deepEqual(describeFailures(report), INCOMPLETE);
      assert.match(report.failures[0]?.detail ?? '', /truncated to 12 matches; \d+ other listings showed \d+ more/);
      assert.deepEqual(fixture.notices().slice(-1), ['hidden-found /many']);
      assert.ok(fixture.snapshot().size > 20, `${fixture.snapshot().size} files`);
      assert.equal(report.counts.listed, fixture.snapshot().size);
      const newest = [...Array(FILES).keys()].filter((i) => (i * 11) % FILES >= FILES - 5);
      for (const i of newest) assert.ok(fixture.snapshot().has(file(i).slice(1)), `the newest are there: ${file(i)}`);
    });
  });

  it('brings all of it where the limit hides less than half', async () => {
    await withMany({ listingLimit: { lines: 28, as: 'pure-ftpd' } }, async (fixture) => {
      assert.deepEqual(describeFailures(await fixture.run()), INCOMPLETE);
      fixture.assertCurrentEquals();
      fixture.server.clearLog();
      const again = await fixture.run();
      assert.deepEqual(describeFailures(again), INCOMPLETE);
      assert.equal(fixture.server.count('RETR'), 0, 'what is known is not brought again');
    });
  });

  it('without a word is asked for by patterns, and shows all of it', async () => {
    await withMany({ hasMlsd: false, listingLimit: { lines: 1000, as: 'proftpd' } }, async (fixture) => {
      // Links cost no transfer; what comes after them is cut off.
      for (let i = 0; i < 990; i++) fixture.tree.addLink(`/many/b link ${i}`, 'f00');
      fixture.tree.writeFile('/many/.hidden', 'h');
      fixture.tree.writeFile(`/many/${utf8Name('Über uns')}`, 'u');
      fixture.tree.writeFile('/many/z -[1].txt', 'z');
      const report = await fixture.run();
      assert.deepEqual(describeFailures(report), INCOMPLETE);
      fixture.assertCurrentEquals();
    });
  });

  it('is soon left in peace by patterns that its server leaves out, where all names begin alike', async () => {
    await withMany({}, async (fixture) => {
      const tooMany = { lines: 14, reply: '226 Output truncated to 14 matches' };
      fixture.server.addFault({ command: 'MLSD', path: '/many' }, { truncateListing: tooMany });
      const lines = [...Array(14).keys()].map((i) => `-rw-r--r-- 1 0 0 4096 Jan  5  2026 ${file(i).slice(6)}`);
      fixture.server.addFault({ command: 'LIST' }, { mapListing: () => lines });
      assert.deepEqual(describeFailures(await fixture.run()), INCOMPLETE);
      assert.ok(fixture.server.count('LIST') < 20, `${fixture.server.count('LIST')} listings`);
    });
  });

  it('has a changed file brought that no listing shows, because its name is known', async () => {
    await withMany({}, async (fixture) => {
      await limitAfterFirstRun(fixture);
      const mtimeMs = START_MS + MIDDLE * 60_000 + 30_000;
      fixture.tree.writeFile(file(MIDDLE), Buffer.alloc(4096, 'edited'), { mtimeMs });
      fixture.tree.writeFile('/many/f20 folder/inner', 'second');
      ageFolders(fixture);
      const report = await fixture.run();
      assert.deepEqual(describeFailures(report), INCOMPLETE);
      assert.match(
        report.failures[0]?.detail ?? '',
        /of \d+ known files asked for by name \d+ are there; 1 known folders/,
      );
      assert.deepEqual([...fixture.retrievals().keys()].sort(), [file(MIDDLE), '/many/f20 folder/inner']);
      fixture.assertCurrentEquals();
    });
  });

  it('has nothing taken for gone that is deleted behind the limit, however often', async () => {
    await withMany({}, async (fixture) => {
      await limitAfterFirstRun(fixture);
      const before = fixture.snapshot();
      fixture.tree.remove(file(MIDDLE));
      fixture.tree.remove('/many/f20 folder');
      for (const time of [1, 2, 3]) {
        const report = await fixture.run({ deletion: { rule: 'archive' } });
        assert.deepEqual(describeFailures(report), INCOMPLETE, `time ${time}`);
        assert.equal(report.counts.vanished, 0);
        fixture.assertNothingLost(before);
      }
      fixture.server.options.listingLimit = undefined;
      for (const vanished of [2, 0]) {
        const report = await fixture.run({ deletion: { rule: 'archive' } });
        assert.equal(report.outcome, 'complete');
        assert.equal(report.counts.vanished, vanished);
      }
      assert.equal(fixture.versions().length, 2, 'once it has been seen whole, twice');
    });
  });

  it('has known names asked for behind hundreds that have gone, if not in one run, then in another', async () => {
    await withMany({}, async (fixture) => {
      const names = [...Array(260).keys()].map((i) => `/many/log ${String(i).padStart(3, '0')}`);
      for (const name of names) fixture.tree.writeFile(name, 'l', { mtimeMs: START_MS });
      await limitAfterFirstRun(fixture);
      for (const name of names.slice(0, 230)) fixture.tree.remove(name);
      const edited = names[245] ?? '';
      fixture.tree.writeFile(edited, 'edited', { mtimeMs: START_MS });
      for (let run = 0; run < 3; run++) await fixture.run();
      assert.deepEqual([...fixture.retrievals().keys()], [edited]);
    });
  });

  it('is not taken for changed because another listing tells its times less exactly', async () => {
    await withMany({}, async (fixture) => {
      await limitAfterFirstRun(fixture);
      const report = await fixture.run({ guards: { changedPercent: 10, vanishedPercent: 10, serverChanged: true } });
      assert.equal(report.outcome, 'incomplete', 'not held');
      assert.equal(fixture.server.count('RETR'), 0);
      assert.equal(filesWithoutMode(fixture), 0);
      fixture.server.options.listingLimit = undefined;
      fixture.server.clearLog();
      const whole = await fixture.run({ guards: { changedPercent: 10, vanishedPercent: 10 } });
      assert.equal(whole.outcome, 'complete');
      assert.equal(fixture.server.count('RETR'), 0);
      assert.equal(whole.counts.unchanged, FILES + 1);
    });
  });

  it('is listed as it shows itself where a question about what it hides breaks every connection', async () => {
    await withMany({ listingLimit: PURE_FTPD }, async (fixture) => {
      fixture.server.addFault({ command: 'LIST', path: '/many' }, { drop: true });
      const report = await fixture.run();
      assert.deepEqual(describeFailures(report), INCOMPLETE);
      assert.equal(fixture.snapshot().size, 10);
    });
  });

  it('goes on where a run was ended in the middle of asking', async () => {
    await withMany({}, async (fixture) => {
      await limitAfterFirstRun(fixture);
      const mtimeMs = START_MS + MIDDLE * 60_000 + 30_000;
      fixture.tree.writeFile(file(MIDDLE), Buffer.alloc(4096, 'edited'), { mtimeMs });
      const stop = new AbortController();
      const action = {
        run: () => {
          stop.abort();
        },
      };
      fixture.server.addFault({ command: 'MLST', nth: 10 }, action);
      assert.equal((await fixture.run({ signal: stop.signal })).outcome, 'cancelled');
      assert.deepEqual(describeFailures(await fixture.run()), INCOMPLETE);
      fixture.assertCurrentEquals();
    });
  });
});

describe('A folder that suddenly looks empty', () => {
  it('has its known files asked for by name, and its known folders entered', async () => {
    await withMany({ hasMlsd: false }, async (fixture) => {
      fixture.tree.writeFile('/index.html', 'first');
      await fixture.runUntilEqual();
      fixture.tree.writeFile('/index.html', 'second');
      fixture.tree.writeFile(file(3), 'edited');
      fixture.tree.writeFile('/many/f20 folder/inner', 'second');
      fixture.tree.writeFile('/many/f20 folder/new', 'new');
      fixture.server.addFault({ command: 'LIST', path: '/' }, { emptyListing: true });
      const report = await fixture.run();
      assert.deepEqual(describeFailures(report), ['listing-suspiciously-empty /']);
      fixture.assertCurrentEquals();
    });
  });
});

describe('A folder that may be entered and not listed any more', () => {
  it('has its known files asked for by name, and its known folders entered', async () => {
    await withMany({}, async (fixture) => {
      await fixture.runUntilEqual();
      fixture.tree.setMode('/many', 0o311);
      fixture.tree.writeFile(file(3), 'edited');
      fixture.tree.writeFile('/many/f20 folder/new', 'new');
      for (const time of [1, 2, 3]) {
        const report = await fixture.run({ deletion: { rule: 'archive' } });
        assert.deepEqual(describeFailures(report), ['listing-refused /many'], `time ${time}`);
        fixture.assertCurrentEquals();
      }
    });
  });
});
