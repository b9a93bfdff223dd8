/** Rare meetings of two features, in which a run could call complete what it is not, or lose what nobody looks at. */
import {
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import assert from 'node:assert/strict';
import Database from 'better-sqlite3';
import { systemFs } from '../../src/local/target-fs.ts';
import type { TargetFs } from '../../src/local/target-fs.ts';
import { RenameTables } from '../../src/state/rename-tables.ts';
import { BackupFixture, describeFailures } from '../support/backup-fixture.ts';
import type { RunOverrides } from '../support/backup-fixture.ts';

const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;
const OLD_MS = Date.UTC(2025, 5, 1);
const ARCHIVE: RunOverrides = { deletion: { rule: 'archive' } };
const SAMPLE: RunOverrides = { ...ARCHIVE, verification: { sampleBytes: 1_000_000, sampleSeconds: 60 } };

let fixture: BackupFixture;

beforeEach(async () => {
  fixture = await BackupFixture.start();
});
afterEach(() => fixture.end());

async function complete(overrides: RunOverrides = ARCHIVE): Promise<void> {
  const report = await fixture.run(overrides);
  assert.equal(report.outcome, 'complete', JSON.stringify([report.cause, report.failures]));
}

function change(write: (db: Database.Database) => void): void {
  const db = new Database(fixture.databasePath);
  try {
    write(db);
  } finally {
    db.close();
  }
}

/** The content changes, and nothing that a listing shows of it. */
function editUnseen(path: string, content: string): void {
  const mtimeMs = fixture.tree.find(path)?.node.mtimeMs ?? 0;
  fixture.tree.writeFile(path, content, { mtimeMs });
}

function clockNotices(): string[] {
  return fixture.notices().filter((notice) => notice.startsWith('clock'));
}

function here(path: string): string {
  return readFileSync(join(fixture.current, path), 'utf8');
}

describe('Content that is known to be another on the server', () => {
  beforeEach(async () => {
    fixture.tree.writeFile('/index.php', 'good code', { mtimeMs: OLD_MS });
    await complete();
    editUnseen('/index.php', 'evil code');
    const found = await fixture.run({ ...SAMPLE, clockOffsetMs: DAY_MS });
    assert.deepEqual(describeFailures(found), ['content-differs /index.php']);
  });

  it('is brought under the name that the file has been given since, not taken for the old content', async () => {
    fixture.tree.rename('/index.php', '/start.php');
    await complete();
    assert.equal(here('start.php'), 'evil code');
  });

  it('is brought although all times have moved by an hour', async () => {
    for (let i = 0; i < 60; i++) fixture.tree.writeFile(`/p${i}.html`, `page ${i}`, { mtimeMs: OLD_MS });
    await fixture.run({ ...ARCHIVE, exclude: ['index.php'] });
    for (const file of [...fixture.tree.files()]) fixture.tree.touch(file.path, file.mtimeMs + HOUR_MS);
    const report = await fixture.run(ARCHIVE);
    assert.deepEqual([report.outcome, report.counts.downloaded, clockNotices()], ['complete', 1, ['clock-shifted']]);
    assert.equal(here('index.php'), 'evil code');
  });
});

describe('After the times of a server have moved by an hour', () => {
  for (const options of [{}, { hasMlsd: false, hasMlst: false }]) {
    it(`an edit behind an unchanged listing still raises the alarm ${JSON.stringify(options)}`, async () => {
      Object.assign(fixture.server.options, options);
      for (let i = 0; i < 25; i++) fixture.tree.writeFile(`/p${i}.php`, `page ${i}`);
      await complete();
      for (const file of [...fixture.tree.files()]) fixture.tree.touch(file.path, file.mtimeMs + HOUR_MS);
      await complete();
      assert.deepEqual(clockNotices(), ['clock-shifted']);
      editUnseen('/p7.php', 'EVIL 7');
      const found = await fixture.run({ ...SAMPLE, clockOffsetMs: 30 * DAY_MS });
      assert.deepEqual(describeFailures(found), ['content-differs /p7.php']);
    });
  }
});

describe('A rename that a killed run has not followed', () => {
  it('is brought by the run that goes on, where the rule is to keep everything by then', async () => {
    fixture.tree.writeFile('/a.txt', 'a');
    await complete();
    fixture.tree.rename('/a.txt', '/b.txt');
    const stop = new AbortController();
    fixture.server.addFault(
      { command: 'RETR', times: 1 },
      {
        run: () => {
          stop.abort();
        },
        hang: true,
      },
    );
    await fixture.run({ deletion: { rule: 'keep' }, signal: stop.signal });
    // As when it had been killed between pairing and moving.
    change((db) => {
      new RenameTables(db).pair();
    });
    await complete({ deletion: { rule: 'keep' } });
    assert.equal(here('b.txt'), 'a');
  });
});

describe('A file in current/ of which the index knows nothing', () => {
  it('is kept among the versions when the server has another of its name', async () => {
    fixture.tree.writeFile('/docs/a.txt', 'a');
    await complete();
    writeFileSync(join(fixture.current, 'docs/notes.txt'), 'of somebody');
    fixture.tree.writeFile('/docs/notes.txt', 'of the server');
    await complete();
    assert.equal(here('docs/notes.txt'), 'of the server');
    assert.deepEqual(keptTexts(), ['of somebody']);
  });

  it('is kept when a renamed file takes its name', async () => {
    fixture.tree.writeFile('/docs/a.txt', 'a');
    await complete();
    writeFileSync(join(fixture.current, 'docs/notes.txt'), 'of somebody');
    fixture.tree.rename('/docs/a.txt', '/docs/notes.txt');
    await complete();
    assert.equal(here('docs/notes.txt'), 'a');
    assert.deepEqual(keptTexts(), ['of somebody']);
  });

  it('is not kept a second time where it is the same', async () => {
    fixture.tree.writeFile('/docs/a.txt', 'a');
    await complete();
    writeFileSync(join(fixture.current, 'docs/b.txt'), 'b');
    fixture.tree.writeFile('/docs/b.txt', 'b');
    await complete();
    assert.deepEqual(keptTexts(), []);
  });

  /** All that lies below versions/, whatever the index says. */
  function keptTexts(): string[] {
    const folder = join(fixture.targetFolder, 'versions');
    return readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'utf8'));
  }
});

describe('A folder of the backup that somebody makes a link', () => {
  let outside: string;

  beforeEach(() => {
    outside = join(fixture.room, 'state', 'outside');
    mkdirSync(outside, { recursive: true });
  });

  it('in the middle of a run has nothing written where it leads', async () => {
    for (let i = 0; i < 200; i++) fixture.tree.writeFile(`/d/f${i}`, `file ${i}`);
    fixture.server.addFault(
      { command: 'RETR', nth: 150 },
      {
        run: async () => {
          // Folders are looked at anew for each batch of files: none may be under way.
          while (fixture.indexed().length < 149) await setTimeout(5);
          renameSync(join(fixture.current, 'd'), join(fixture.current, 'was-d'));
          symlinkSync(outside, join(fixture.current, 'd'));
        },
      },
    );
    const report = await fixture.run({ connections: 1, isTargetAway: true });
    assert.equal(report.outcome, 'incomplete');
    assert.deepEqual(readdirSync(outside), []);
    rmSync(join(fixture.current, 'd'));
    renameSync(join(fixture.current, 'was-d'), join(fixture.current, 'd'));
  });

  it('below versions/ has nothing deleted where it leads', async () => {
    fixture.tree.writeFile('/d/page.html', 'first');
    await complete();
    fixture.tree.writeFile('/d/page.html', 'second');
    await complete();
    const [place = ''] = fixture.versions();
    const folder = join(fixture.targetFolder, 'versions', place, '..');
    renameSync(folder, `${folder}-was`);
    symlinkSync(outside, folder);
    writeFileSync(join(outside, 'page.html'), 'of somebody else');
    fixture.tree.writeFile('/d/other.html', 'other');
    await fixture.run({ ...ARCHIVE, versions: { keep: 'last', count: 1 }, isTargetAway: true });
    await fixture.run({ ...ARCHIVE, versions: { keep: 'last', count: 1 }, isTargetAway: true });
    assert.ok(existsSync(join(outside, 'page.html')), 'deleted outside');
  });
});

describe('Folders that lie in folders of the same name', () => {
  it('are followed to what lies in the last, on a server without identities', async () => {
    Object.assign(fixture.server.options, { uniqueFacts: false });
    fixture.tree.writeFile('/a/old/old/old/old/old/page.html', 'deep');
    await fixture.runUntilEqual();
  });
});

describe('A folder that was copied under two paths', () => {
  it('stays up to date under both when the server begins to tell that it is one', async () => {
    Object.assign(fixture.server.options, { uniqueFacts: false });
    fixture.tree.writeFile('/www/index.html', 'first');
    fixture.tree.addAlias('/domain', '/www');
    await complete();
    Object.assign(fixture.server.options, { uniqueFacts: true });
    fixture.tree.writeFile('/www/index.html', 'second');
    await complete();
    assert.deepEqual([here('www/index.html'), here('domain/index.html')], ['second', 'second']);
  });
});

describe('A copy that may not be read', () => {
  const isRefused = { path: '' };
  const real: TargetFs = { ...systemFs };

  beforeEach(() => {
    Object.assign(systemFs, {
      open: (...args: Parameters<TargetFs['open']>) => {
        if (isRefused.path !== '' && args[0].endsWith(isRefused.path)) {
          const refusal = { errno: -constants.errno.EACCES, code: 'EACCES', syscall: 'open' };
          return Promise.reject(Object.assign(new Error('EACCES: injected'), refusal));
        }
        return real.open(...args);
      },
    });
  });
  afterEach(() => {
    isRefused.path = '';
    Object.assign(systemFs, real);
  });

  it('is a failure that names it, not the end of the run; and no doubted one is passed over in silence', async () => {
    fixture.tree.writeFile('/a.txt', 'a');
    fixture.tree.writeFile('/b.txt', 'b');
    await complete();
    isRefused.path = 'current/a.txt';
    const rehash: RunOverrides = { ...ARCHIVE, verification: { rehashDays: 1 }, clockOffsetMs: 2 * DAY_MS };
    assert.deepEqual(describeFailures(await fixture.run(rehash)), ['copy-unreadable /a.txt']);
    change((db) => db.exec(`UPDATE file SET doubt = 'copy' WHERE name = 'a.txt'`));
    assert.deepEqual(describeFailures(await fixture.run(ARCHIVE)), ['copy-damaged /a.txt']);
    isRefused.path = '';
    await complete();
  });
});

describe('A folder that has kept a file back when that was asked for by name', () => {
  it('is still incomplete in the run that goes on', async () => {
    for (const name of ['a', 'b', 'c', 'd']) fixture.tree.writeFile(`/docs/${name}.txt`, name);
    await complete();
    fixture.server.addFault(
      { command: 'MLSD', path: '/docs' },
      { mapListing: (lines) => lines.filter((line) => !/[bd]\.txt/.test(line)) },
    );
    await complete();
    const stop = new AbortController();
    fixture.server.addFault(
      { command: 'MLST', path: '/docs/d.txt' },
      {
        run: () => {
          stop.abort();
        },
        hang: true,
      },
    );
    await fixture.run({ ...ARCHIVE, connections: 1, signal: stop.signal });
    const report = await fixture.run({ deletion: { rule: 'keep' } });
    assert.deepEqual(describeFailures(report), ['listing-truncated /docs']);
  });
});

describe('Sizes that no disk could hold', () => {
  it('are told as more than there is room for, not as a damaged database', async () => {
    for (let i = 0; i < 1100; i++) fixture.tree.writeFile(`/f${i}`, 'x');
    fixture.server.addFault(
      { command: 'MLSD', path: '/' },
      { mapListing: (lines) => lines.map((line) => line.replace(/size=1;/i, `size=${Number.MAX_SAFE_INTEGER};`)) },
    );
    const report = await fixture.run();
    assert.equal(report.cause?.code, 'disk-full', report.cause?.detail);
  });
});

describe('A clock shift', () => {
  it('is seen through although one file of the sample may not be read any more', async () => {
    for (let i = 0; i < 30; i++) fixture.tree.writeFile(`/p${i}.html`, `page ${i}`);
    await complete();
    for (const file of [...fixture.tree.files()]) fixture.tree.touch(file.path, file.mtimeMs + HOUR_MS);
    fixture.tree.setMode('/p7.html', 0);
    const report = await fixture.run({ ...ARCHIVE, guards: { changedPercent: 30 } });
    assert.deepEqual([report.outcome, report.counts.downloaded, clockNotices()], ['complete', 0, ['clock-shifted']]);
  });
});

describe('What has arrived of a file whose listed time is coarse', () => {
  const MIB = 1024 * 1024;
  const minuteMs = Math.floor(Date.now() / 60_000) * 60_000 - 180_000;
  const content = Buffer.alloc(3 * MIB, 'x');

  beforeEach(async () => {
    Object.assign(fixture.server.options, { hasMlsd: false, hasMlst: false });
    fixture.tree.writeFile('/big.bin', content, { mtimeMs: minuteMs + 1000 });
    fixture.server.addFault({ command: 'RETR', times: 1 }, { sendBytes: 2 * MIB, finalReply: '426 Broken off.' });
    assert.equal((await fixture.run({ attempts: 1 })).outcome, 'incomplete');
    fixture.server.clearLog();
  });

  it('is gone on with where the server tells the same exact time', async () => {
    await complete();
    assert.ok(fixture.server.log.some(({ command, argument }) => command === 'REST' && Number(argument) > MIB));
    fixture.assertCurrentEquals();
  });

  it('is not gone on with after an edit within the same minute', async () => {
    const edited = Buffer.from(content);
    edited.write('edited', 0);
    fixture.tree.writeFile('/big.bin', edited, { mtimeMs: minuteMs + 30_000 });
    await complete();
    assert.ok(readFileSync(join(fixture.current, 'big.bin')).equals(edited), 'a mixture of two contents');
  });
});
