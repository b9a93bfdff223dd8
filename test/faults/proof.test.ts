/** Content is read again: from the server, and on the NAS. What is not what it should be is said, by name. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync, statSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import Database from 'better-sqlite3';
import type { RunReport } from '../../src/engine/run-report.ts';
import { ALARMS_MAX } from '../../src/engine/verify.ts';
import { BackupFixture, describeFailures } from '../support/backup-fixture.ts';
import type { RunOverrides } from '../support/backup-fixture.ts';

const DAY_MS = 86_400_000;
const SAMPLE = { sampleBytes: 1_000_000, sampleSeconds: 60 };
const OLD_MS = Date.UTC(2025, 5, 1);

let fixture: BackupFixture;

beforeEach(async () => {
  fixture = await BackupFixture.start();
});
afterEach(() => fixture.end());

function onDay(day: number, verification: RunOverrides['verification'] = SAMPLE): RunOverrides {
  return { verification, clockOffsetMs: day * DAY_MS };
}

async function complete(overrides: RunOverrides): Promise<RunReport> {
  const report = await fixture.run(overrides);
  assert.equal(report.outcome, 'complete', JSON.stringify([report.cause, report.failures]));
  return report;
}

/** The content changes, and nothing that a listing shows of it. */
function editUnseen(path: string, content: string): void {
  const before = fixture.tree.files();
  const file = [...before].find((one) => one.path === path);
  assert.ok(file?.sizeBytes === Buffer.byteLength(content));
  fixture.tree.writeFile(path, content, { mtimeMs: file.mtimeMs });
}

function database<T>(read: (db: Database.Database) => T): T {
  const db = new Database(fixture.databasePath);
  try {
    return read(db);
  } finally {
    db.close();
  }
}

function verifiedNames(): string[] {
  return database((db) =>
    db.prepare('SELECT name FROM file WHERE verified_ms IS NOT NULL ORDER BY name').pluck().all(),
  ) as string[];
}

/** A run while the index claims what the disk has forgotten, which only a later one finds. */
function runWithoutInvariants(overrides: RunOverrides): Promise<RunReport> {
  return fixture.run({ ...overrides, isTargetAway: true });
}

/** Other bytes of the same length and with the same time: as when a disk forgets. */
function rot(path: string): void {
  const { atime, mtime } = statSync(path);
  const bytes = readFileSync(path);
  bytes.writeUInt8(bytes.readUInt8(0) ^ 1, 0);
  writeFileSync(path, bytes);
  utimesSync(path, atime, mtime);
}

describe('Content that changed on the server behind an unchanged listing', () => {
  it('is found by the sample, named in an alarm, and brought by the next run as a new version', async () => {
    fixture.tree.writeFile('/index.php', 'good code', { mtimeMs: OLD_MS });
    fixture.tree.writeFile('/other.txt', 'never changes', { mtimeMs: OLD_MS });
    await complete(onDay(0));
    editUnseen('/index.php', 'evil code');
    await complete(onDay(1, { sampleBytes: 0 }));
    assert.equal(readFileSync(join(fixture.current, 'index.php'), 'utf8'), 'good code', 'no listing shows it');

    const found = await fixture.run(onDay(2));
    assert.equal(found.outcome, 'incomplete');
    assert.deepEqual(describeFailures(found), ['content-differs /index.php']);
    assert.equal(readFileSync(join(fixture.current, 'index.php'), 'utf8'), 'good code');

    fixture.server.clearLog();
    await complete(onDay(3));
    assert.equal(readFileSync(join(fixture.current, 'index.php'), 'utf8'), 'evil code');
    const [version] = fixture.versions();
    assert.equal(readFileSync(join(fixture.targetFolder, 'versions', version ?? ''), 'utf8'), 'good code');
    await complete(onDay(5));
  });

  it('is found within as many runs as the budget needs for all files', async () => {
    const FILES = 12;
    for (let i = 0; i < FILES; i++)
      fixture.tree.writeFile(`/page${i}.html`, `page ${i}`.padEnd(100), { mtimeMs: OLD_MS });
    const verification = { sampleBytes: 300, sampleSeconds: 60 };
    await complete(onDay(0, verification));
    editUnseen('/page7.html', 'another page'.padEnd(100));
    for (let day = 1; day <= FILES / 3; day++) {
      const report = await fixture.run(onDay(day, verification));
      if (report.outcome === 'incomplete') {
        assert.deepEqual(describeFailures(report), ['content-differs /page7.html']);
        return;
      }
    }
    assert.fail('not found');
  });

  it('on a server that tells only coarse times is found, too', async () => {
    Object.assign(fixture.server.options, { hasMlsd: false, hasMlst: false, hasMdtm: false });
    fixture.tree.writeFile('/index.php', 'good code', { mtimeMs: OLD_MS });
    await complete(onDay(0));
    editUnseen('/index.php', 'evil code');
    assert.deepEqual(describeFailures(await fixture.run(onDay(1))), ['content-differs /index.php']);
    await complete(onDay(2));
    assert.equal(readFileSync(join(fixture.current, 'index.php'), 'utf8'), 'evil code');
  });

  it('everywhere ends in no more alarms than make the point', async () => {
    for (let i = 0; i < ALARMS_MAX + 30; i++) fixture.tree.writeFile(`/p${i}.php`, 'good', { mtimeMs: OLD_MS });
    await complete(onDay(0));
    for (let i = 0; i < ALARMS_MAX + 30; i++) editUnseen(`/p${i}.php`, 'evil');
    const report = await fixture.run(onDay(1));
    assert.ok(report.failureCount >= ALARMS_MAX && report.failureCount < ALARMS_MAX + 20, String(report.failureCount));
  });

  it('is not forgotten when the run is stopped after it was found', async () => {
    fixture.tree.writeFile('/index.php', 'good code', { mtimeMs: OLD_MS });
    fixture.tree.writeFile('/slow.txt', 'x'.repeat(500), { mtimeMs: OLD_MS });
    await complete(onDay(0));
    editUnseen('/index.php', 'evil code');
    const stop = new AbortController();
    fixture.server.addFault(
      { command: 'RETR', path: '/slow.txt' },
      {
        run: () => {
          stop.abort();
        },
      },
    );
    const stopped = await fixture.run({ ...onDay(1), connections: 1, signal: stop.signal });
    assert.equal(stopped.outcome, 'cancelled');
    const resumed = await fixture.run(onDay(1));
    assert.deepEqual(describeFailures(resumed), ['content-differs /index.php']);
    await complete(onDay(2));
    assert.equal(readFileSync(join(fixture.current, 'index.php'), 'utf8'), 'evil code');
  });
});

describe('The sample', () => {
  it('takes code before media, what was never verified before what was, and nothing twice in a row', async () => {
    fixture.tree.writeFile('/a.jpg', 'j'.repeat(100), { mtimeMs: OLD_MS });
    fixture.tree.writeFile('/b.jpg', 'j'.repeat(100), { mtimeMs: OLD_MS });
    fixture.tree.writeFile('/c.php', 'p'.repeat(100), { mtimeMs: OLD_MS });
    fixture.tree.writeFile('/.htaccess', 'h'.repeat(100), { mtimeMs: OLD_MS });
    const verification = { sampleBytes: 200, sampleSeconds: 60 };
    await complete(onDay(0, verification));
    assert.deepEqual(verifiedNames(), [], 'not what the same run has brought');
    await complete(onDay(1, verification));
    assert.deepEqual(verifiedNames(), ['.htaccess', 'c.php']);
    await complete(onDay(1.5, verification));
    assert.deepEqual(verifiedNames(), ['.htaccess', 'a.jpg', 'b.jpg', 'c.php']);
    fixture.server.clearLog();
    await complete(onDay(1.6, verification));
    assert.equal(fixture.server.count('RETR'), 0);
    await complete(onDay(3, verification));
    assert.deepEqual([...fixture.retrievals().keys()].sort(), ['/.htaccess', '/c.php'], 'code again after a day');
  });

  it('vouches for nothing by a clock that was years ahead for a night, and reads all of it again', async () => {
    fixture.tree.writeFile('/index.php', 'good code', { mtimeMs: OLD_MS });
    fixture.tree.writeFile('/photo.jpg', 'never changes', { mtimeMs: OLD_MS });
    const both = { ...SAMPLE, rehashDays: 1 };
    await complete(onDay(0, both));
    const ahead = await complete(onDay(3650, both));
    assert.equal(ahead.certificate?.verifiedBytes, ahead.certificate?.bytes);

    const { certificate } = await complete(onDay(1, { sampleBytes: 0, rehashDays: 0 }));
    assert.deepEqual([certificate?.verifiedBytes, certificate?.rehashedBytes], [0, 0]);
    fixture.server.clearLog();
    const again = await complete(onDay(2, both));
    assert.equal(fixture.server.count('RETR'), 2);
    assert.equal(again.certificate?.rehashedBytes, again.certificate?.bytes);
  });

  it('passes over what is larger than its budget, and keeps to its budget', async () => {
    fixture.tree.writeFile('/large.html', 'x'.repeat(5000), { mtimeMs: OLD_MS });
    for (let i = 0; i < 10; i++) fixture.tree.writeFile(`/s${i}.html`, 'x'.repeat(100), { mtimeMs: OLD_MS });
    await complete(onDay(0));
    await complete(onDay(1, { sampleBytes: 450, sampleSeconds: 60 }));
    assert.equal(verifiedNames().length, 4);
  });

  it('raises no alarm for a file that changed meanwhile, and none for one that is refused', async () => {
    fixture.tree.writeFile('/changing.php', 'before', { mtimeMs: OLD_MS });
    fixture.tree.writeFile('/refused.php', 'refused', { mtimeMs: OLD_MS });
    await complete(onDay(0));
    const edit = (): void => {
      fixture.tree.writeFile('/changing.php', 'after!', { mtimeMs: OLD_MS + 60_000 });
    };
    fixture.server.addFault({ command: 'RETR', path: '/refused.php' }, { reply: '550 Permission denied.' });
    fixture.server.addFault({ command: 'RETR', path: '/changing.php', times: 1 }, { run: edit });
    await complete(onDay(1));
    await complete(onDay(2, { sampleBytes: 0 }));
    assert.equal(readFileSync(join(fixture.current, 'changing.php'), 'utf8'), 'after!');
  });

  it('that cannot connect any more leaves the run complete, and says so', async () => {
    fixture.tree.writeFile('/index.php', 'code', { mtimeMs: OLD_MS });
    await complete(onDay(0));
    fixture.server.addFault({ command: 'RETR' }, { drop: true });
    const report = await fixture.run(onDay(1));
    assert.equal(report.outcome, 'complete');
    assert.deepEqual(verifiedNames(), []);
  });
});

describe('A server that hashes', () => {
  for (const [hashes, words] of [
    [['HASH'], 'by HASH'],
    [['XSHA256'], 'by XSHA256'],
    [['XMD5'], 'by XMD5'],
  ] as const) {
    it(`${words} has its whole site verified without a download`, async () => {
      Object.assign(fixture.server.options, { hashes });
      for (let i = 0; i < 30; i++) fixture.tree.writeFile(`/d/a file ${i}.html`, `content ${i}`, { mtimeMs: OLD_MS });
      await complete(onDay(0));
      fixture.server.clearLog();
      const report = await complete(onDay(1, { sampleBytes: 1, sampleSeconds: 60 }));
      assert.equal(fixture.server.count('RETR'), 0);
      assert.equal(verifiedNames().length, 30);
      assert.equal(report.certificate?.verifiedBytes, report.certificate?.bytes);
    });

    it(`${words} and has other content raises the alarm only after a download`, async () => {
      Object.assign(fixture.server.options, { hashes });
      fixture.tree.writeFile('/index.php', 'good code', { mtimeMs: OLD_MS });
      await complete(onDay(0));
      editUnseen('/index.php', 'evil code');
      fixture.server.clearLog();
      assert.deepEqual(describeFailures(await fixture.run(onDay(1))), ['content-differs /index.php']);
      assert.equal(fixture.server.count('RETR'), 1);
    });
  }

  it('and lies about it raises no alarm', async () => {
    Object.assign(fixture.server.options, { hashes: ['XSHA256'], hashesLie: true });
    fixture.tree.writeFile('/index.php', 'good code', { mtimeMs: OLD_MS });
    await complete(onDay(0));
    await complete(onDay(1));
    assert.deepEqual(verifiedNames(), ['index.php'], 'by a download');
  });
});

describe('A copy on the NAS', () => {
  const REHASH = { rehashDays: 30 };

  it('that has rotted is named, kept aside, and brought again by the next run', async () => {
    fixture.tree.writeFile('/a/photo.jpg', 'a good photo');
    fixture.tree.writeFile('/a/other.jpg', 'another photo');
    await complete(onDay(0, REHASH));
    const place = join(fixture.current, 'a/photo.jpg');
    rot(place);
    const found = await fixture.run(onDay(1, REHASH));
    assert.deepEqual(describeFailures(found), ['copy-damaged /a/photo.jpg']);
    assert.equal(found.outcome, 'incomplete');
    fixture.server.clearLog();
    await complete(onDay(2, REHASH));
    assert.equal(readFileSync(place, 'utf8'), 'a good photo');
    assert.deepEqual([...fixture.retrievals().keys()], ['/a/photo.jpg']);
    const [damaged] = fixture.versions('altered');
    assert.ok(damaged !== undefined && existsSync(join(fixture.targetFolder, 'versions', damaged)));
    await complete(onDay(3, REHASH));
  });

  it('that was cut short or deleted is named and brought again', async () => {
    fixture.tree.writeFile('/cut.txt', 'cut me short');
    fixture.tree.writeFile('/d/gone.txt', 'delete me');
    await complete(onDay(0, REHASH));
    truncateSync(join(fixture.current, 'cut.txt'), 3);
    rmSync(join(fixture.current, 'd'), { recursive: true });
    const found = await fixture.run(onDay(1, REHASH));
    assert.deepEqual(describeFailures(found), ['copy-damaged /cut.txt', 'copy-missing /d/gone.txt']);
    await complete(onDay(2, REHASH));
    fixture.assertCurrentEquals();
  });

  it('is read again only after as many days as the task says', async () => {
    fixture.tree.writeFile('/a.txt', 'content');
    await complete(onDay(0, REHASH));
    await complete(onDay(1, REHASH));
    rot(join(fixture.current, 'a.txt'));
    assert.equal((await runWithoutInvariants(onDay(30, REHASH))).outcome, 'complete');
    assert.deepEqual(describeFailures(await fixture.run(onDay(32, REHASH))), ['copy-damaged /a.txt']);
  });

  it('that was put right by hand meanwhile is believed again', async () => {
    fixture.tree.writeFile('/a.txt', 'content');
    await complete(onDay(0, REHASH));
    rot(join(fixture.current, 'a.txt'));
    await fixture.run(onDay(1, REHASH));
    rot(join(fixture.current, 'a.txt'));
    fixture.server.clearLog();
    await complete(onDay(2, REHASH));
    assert.equal(fixture.server.count('RETR'), 0);
  });

  it('of an older version that has rotted is named once, and no tree of the past shows it as whole', async () => {
    fixture.tree.writeFile('/a.txt', 'first');
    await complete(onDay(0, REHASH));
    fixture.tree.writeFile('/a.txt', 'second');
    await complete(onDay(1, REHASH));
    const [version] = fixture.versions();
    rot(join(fixture.targetFolder, 'versions', version ?? ''));
    const found = await fixture.run(onDay(2, REHASH));
    assert.deepEqual(describeFailures(found), ['copy-damaged /a.txt']);
    assert.deepEqual(fixture.versions(), []);
    await complete(onDay(3, REHASH));
  });
});

describe('What a complete run leaves beside current/', () => {
  const sums = (): string =>
    execFileSync('sha256sum', ['--check', '--strict', 'SHA256SUMS'], { cwd: fixture.targetFolder, encoding: 'utf8' });

  it('passes sha256sum --check, odd names and older versions among it', async () => {
    fixture.tree.writeFile('/plain.txt', 'plain');
    fixture.tree.writeFile('/back\\slash \xe9t\xe9.txt', 'odd');
    fixture.tree.writeFile('/caf\xc3\xa9/ leading and trailing ', 'spaces');
    fixture.tree.writeFile('/tab\tname', 'control');
    fixture.tree.writeFile('/changes.txt', 'first');
    await complete({});
    fixture.tree.writeFile('/changes.txt', 'second');
    await complete({});
    const lines = sums().trim().split('\n');
    assert.equal(lines.length, 6);
    assert.ok(lines.every((line) => line.endsWith(': OK')));
  });

  it('names every file with all that its record holds, and ends by a line that proves it whole', async () => {
    fixture.tree.writeFile('/caf\xe9/100%.txt', 'content', { mtimeMs: OLD_MS });
    await complete({});
    const text = readFileSync(join(fixture.targetFolder, 'manifest.jsonl'), 'utf8');
    const rows = text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    assert.equal(rows[0]?.['kind'], 'site-backup');
    assert.equal(rows.at(-1)?.['kind'], 'end');
    assert.equal(rows.at(-1)?.['lines'], rows.length - 1);
    const file = rows.find(({ kind }) => kind === 'file');
    assert.equal(file?.['path'], '/caf%E9/100%25.txt');
    assert.equal(file['local'], 'café/100%.txt');
    assert.equal(file['size'], 7);
    assert.equal(file['modifiedMs'], OLD_MS);
    assert.match(String(file['sha256']), /^[0-9a-f]{64}$/);
    assert.ok(!text.includes('correct horse'), 'the password');
  });

  it('is not written again while nothing has changed, and is after anything has', async () => {
    fixture.tree.writeFile('/a.txt', 'first');
    await complete({});
    const manifest = join(fixture.targetFolder, 'manifest.jsonl');
    const first = statSync(manifest).ino;
    await complete({});
    assert.equal(statSync(manifest).ino, first);
    fixture.tree.writeFile('/b.txt', 'second');
    await complete({});
    assert.notEqual(statSync(manifest).ino, first);
    rmSync(join(fixture.targetFolder, 'SHA256SUMS'));
    await complete({});
    sums();
  });

  it('stays as the last complete run left it when a run is incomplete', async () => {
    fixture.tree.writeFile('/a.txt', 'first');
    await complete({});
    const before = readFileSync(join(fixture.targetFolder, 'manifest.jsonl'), 'utf8');
    fixture.tree.writeFile('/b.txt', 'second');
    fixture.tree.writeFile('/c.txt', 'third');
    fixture.server.addFault({ command: 'RETR', path: '/c.txt' }, { reply: '550 Permission denied.' });
    assert.equal((await fixture.run()).outcome, 'incomplete');
    assert.equal(readFileSync(join(fixture.targetFolder, 'manifest.jsonl'), 'utf8'), before);
  });
});
