/** A backup that lies there already becomes the task's: nothing of it is lost, and nothing comes again. */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import {
  appendFileSync,
  constants as fsConstants,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { systemClock } from '../../src/clock.ts';
import { adoptBackup, lookAtBackup } from '../../src/engine/adopt.ts';
import type { AdoptOptions, AdoptReport } from '../../src/engine/adopt.ts';
import { isBackupError } from '../../src/errors.ts';
import type { ErrorCode } from '../../src/errors.ts';
import { decodeRemoteName } from '../../src/local/local-name.ts';
import { systemFs } from '../../src/local/target-fs.ts';
import type { TargetFs } from '../../src/local/target-fs.ts';
import { silentLog } from '../../src/log.ts';
import { BackupFixture, assertFailed, describeFailures } from '../support/backup-fixture.ts';
import { compileCli } from '../support/compiled-cli.ts';
import { makeSampleSite } from '../support/sample-site.ts';
import { snapshotFolder } from '../support/tree-compare.ts';

const KILLS_MAX = 6;
const EMPTIED = 'listing-suspiciously-empty /';

let fixture: BackupFixture;

beforeEach(async () => {
  fixture = await BackupFixture.start();
  makeSampleSite(fixture.tree, { bigFileBytes: 40_000 });
});
afterEach(() => fixture.end());

function options(more: Partial<AdoptOptions> = {}): AdoptOptions {
  return {
    folder: fixture.targetFolder,
    stateDir: fixture.stateDir,
    stateKey: 'under test',
    clock: systemClock,
    log: silentLog,
    signal: new AbortController().signal,
    ...more,
  };
}

async function adopt(more: Partial<AdoptOptions> = {}): Promise<AdoptReport> {
  const report = await adoptBackup(options(more));
  fixture.assertInvariants();
  return report;
}

function loseState(): void {
  rmSync(fixture.stateDir, { recursive: true, force: true });
}

/** The server's files directly in the target folder, with its times, as lftp and rclone lay them. */
function layMirror(): void {
  for (const file of fixture.tree.files()) {
    const path = join(fixture.targetFolder, decodeRemoteName(file.path));
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, file.read());
    utimesSync(path, file.mtimeMs / 1000, file.mtimeMs / 1000);
  }
}

function fileCount(): number {
  return [...fixture.tree.files()].length;
}

/** A run that must be complete and transfer nothing but these. */
async function assertBrings(paths: readonly string[]): Promise<void> {
  fixture.server.clearLog();
  const report = await fixture.run();
  assert.equal(report.outcome, 'complete', JSON.stringify(report.cause ?? report.failures));
  assert.deepEqual([...fixture.retrievals().keys()].sort(), [...paths].sort());
}

function refusal(code: ErrorCode): (error: unknown) => boolean {
  return (error) => isBackupError(error, code);
}

/** SHA-256 of all that lies below the folder, sorted: the same files, wherever they lie. */
function contents(): string[] {
  return [...snapshotFolder(fixture.targetFolder)]
    .filter(([path]) => !/^\.site-backup\/(?!adopting)|^manifest\.jsonl$|^SHA256SUMS$/.test(path))
    .map(([, { sha256 }]) => sha256)
    .sort();
}

describe('A backup whose state was lost', () => {
  it('is adopted from its manifest: the next run transfers nothing', async () => {
    await fixture.run();
    loseState();
    assertFailed(await fixture.run(), 'target-taken');
    const before = contents();
    const report = await adopt();
    assert.equal(report.proven, fileCount());
    assert.deepEqual(
      [report.unproven, report.changed, report.missing, report.others, report.versionsLost],
      [0, 0, 0, 0, 0],
    );
    assert.equal(report.manifestFault, undefined);
    assert.equal(report.from?.task, 'under test');
    assert.deepEqual(contents(), before);
    await assertBrings([]);
    fixture.assertCurrentEquals();
  });

  it('keeps its older versions, and every tree of the past reads as before', async () => {
    await fixture.run();
    fixture.tree.writeFile('/index.html', 'second');
    await fixture.run();
    fixture.tree.writeFile('/index.html', 'third');
    await fixture.run();
    const versions = fixture.versions();
    assert.equal(versions.length, 2);
    loseState();
    const report = await adopt();
    assert.deepEqual([report.versions, report.versionsLost], [2, 0]);
    assert.deepEqual(fixture.versions(), versions);
    fixture.tree.writeFile('/index.html', 'fourth');
    await assertBrings(['/index.html']);
    assert.equal(fixture.versions().length, 3);
  });

  it('says that a version is lost which is not there any more, and which one was altered', async () => {
    for (const text of ['first', 'second', 'third']) {
      fixture.tree.writeFile('/index.html', text);
      await fixture.run();
    }
    const [one, two] = fixture.versions();
    rmSync(join(fixture.targetFolder, 'versions', one ?? ''));
    appendFileSync(join(fixture.targetFolder, 'versions', two ?? ''), 'more');
    loseState();
    const report = await adopt();
    assert.deepEqual([report.versions, report.versionsLost], [0, 2]);
    assert.deepEqual(fixture.versions('altered'), [two]);
  });

  it('has a damaged copy of the same size and time: it comes again, and the damaged one is kept', async () => {
    await fixture.run();
    loseState();
    const path = join(fixture.current, 'index.html');
    const { mtime, size } = statSync(path);
    writeFileSync(path, Buffer.alloc(size, 'x'));
    utimesSync(path, mtime, mtime);
    const report = await adopt();
    assert.equal(report.changed, 1);
    await assertBrings(['/index.html']);
    fixture.assertCurrentEquals();
    assert.equal(fixture.versions().length, 1);
  });

  it('lacks a file that the manifest names: it comes again, and nothing else', async () => {
    await fixture.run();
    loseState();
    rmSync(join(fixture.current, 'index.html'));
    const report = await adopt();
    assert.equal(report.missing, 1);
    await assertBrings(['/index.html']);
    fixture.assertCurrentEquals();
  });

  it('has lost every copy since: an empty site is still not complete', async () => {
    await fixture.run();
    loseState();
    await adopt();
    const root = fixture.tree.find('/')?.node;
    for (const name of root?.kind === 'folder' ? [...root.children.keys()] : []) fixture.tree.remove(`/${name}`);
    rmSync(fixture.current, { recursive: true });
    assert.deepEqual(describeFailures(await fixture.run()), [EMPTIED]);
    // No file is known any more.
    assert.deepEqual(describeFailures(await fixture.run()), [EMPTIED]);
  });

  it('has a manifest that was cut short: sizes and times are compared, and nothing comes that is the same', async () => {
    await fixture.run();
    loseState();
    const manifest = join(fixture.targetFolder, 'manifest.jsonl');
    truncateSync(manifest, statSync(manifest).size - 40);
    const report = await adopt();
    assert.notEqual(report.manifestFault, undefined);
    assert.deepEqual([report.proven, report.unproven], [0, fileCount()]);
    // In CP1252 on the server, which no name on the disk tells.
    await assertBrings(['/old/caf\xe9.html']);
  });

  it('has a manifest whose places lead elsewhere: nothing of it is believed', async () => {
    await fixture.run();
    loseState();
    const path = join(fixture.targetFolder, 'manifest.jsonl');
    const lines = readFileSync(path, 'utf8')
      .split('\n')
      .map((line) => line.replace('"local":"index.html"', '"local":"../../../index.html"'))
      .slice(0, -2);
    const sha256 = createHash('sha256')
      .update(`${lines.join('\n')}\n`)
      .digest('hex');
    lines.push(JSON.stringify({ kind: 'end', lines: lines.length, sha256 }), '');
    writeFileSync(path, lines.join('\n'));
    const report = await adopt();
    assert.equal(report.manifestFault, 'a place leads elsewhere');
    assert.equal(report.proven, 0);
  });

  it('is adopted although its database is there and cannot be read', async () => {
    await fixture.run();
    writeFileSync(fixture.databasePath, 'not a database at all, and long enough to be looked at'.repeat(100));
    const report = await adopt();
    assert.equal(report.proven, fileCount());
    await assertBrings([]);
  });

  it('is adopted on a new NAS, where it lies in another folder', async () => {
    await fixture.run();
    const other = await BackupFixture.start();
    try {
      makeSampleSite(other.tree, { bigFileBytes: 40_000 });
      cpSync(fixture.targetFolder, other.targetFolder, { recursive: true, preserveTimestamps: true });
      await adoptBackup(options({ folder: other.targetFolder, stateDir: other.stateDir }));
      other.server.clearLog();
      assert.equal((await other.run()).outcome, 'complete');
      assert.equal(other.server.count('RETR'), 0);
      other.assertCurrentEquals();
    } finally {
      await other.end();
    }
    // The old one goes on in its own folder.
    await assertBrings([]);
  });

  it('refuses the task that had the folder before', async () => {
    await fixture.run();
    await adoptBackup(options({ stateDir: join(fixture.stateDir, 'of-another-nas') }));
    assertFailed(await fixture.run(), 'target-taken');
  });
});

describe('A plain mirror', () => {
  it('becomes current/ without a transfer, and what differs is brought', async () => {
    layMirror();
    writeFileSync(join(fixture.targetFolder, 'index.html'), 'older');
    const before = contents();
    const outlook = await lookAtBackup(options());
    assert.deepEqual(
      [outlook.layout, outlook.files, outlook.hasManifest, outlook.isMarked],
      ['mirror', fileCount(), false, false],
    );
    assert.deepEqual(contents(), before, 'looking changes nothing');
    assert.ok(!existsSync(join(fixture.targetFolder, '.site-backup')));

    const report = await adopt();
    assert.deepEqual([report.layout, report.unproven, report.proven], ['mirror', fileCount(), 0]);
    assert.deepEqual(contents(), before);
    await assertBrings(['/index.html', '/old/caf\xe9.html']);
    // What was there goes to the versions.
    assert.equal(fixture.versions().length, 1);
  });

  it('of a server that tells only coarse times holds no run: nothing has changed', async () => {
    for (let i = 0; i < 30; i++) fixture.tree.writeFile(`/more/${i}.txt`, `file ${i}`);
    layMirror();
    await adopt();
    Object.assign(fixture.server.options, { hasMlsd: false, hasMlst: false });
    fixture.server.clearLog();
    const report = await fixture.run({ guards: { changedPercent: 30, vanishedPercent: 10 } });
    assert.equal(report.outcome, 'complete', JSON.stringify(report.held?.findings));
    assert.ok(!fixture.retrievals().has('/more/1.txt'));
  });

  it('holds folders that are called current and versions: they are the site’s', async () => {
    fixture.tree.writeFile('/current/a.txt', 'a', { mtimeMs: Date.UTC(2025, 1, 1) });
    fixture.tree.writeFile('/versions/1/b.txt', 'b', { mtimeMs: Date.UTC(2025, 1, 1) });
    fixture.tree.remove('/old/caf\xe9.html');
    layMirror();
    await adopt();
    await assertBrings([]);
    fixture.assertCurrentEquals();
  });

  it('keeps what the server does not have, follows no link, and counts what it leaves', async () => {
    layMirror();
    writeFileSync(join(fixture.targetFolder, 'mirror.log'), 'of the other tool');
    symlinkSync('/etc/passwd', join(fixture.targetFolder, 'link'));
    const ofDsm = join(fixture.targetFolder, 'wp-content', '@eaDir');
    mkdirSync(ofDsm);
    writeFileSync(join(ofDsm, 'index'), 'of DSM');
    const report = await adopt();
    assert.equal(report.others, 1);
    await assertBrings(['/old/caf\xe9.html']);
    assert.ok(fixture.missing().includes('/mirror.log'));
    assert.equal(readFileSync(join(fixture.current, 'mirror.log'), 'utf8'), 'of the other tool');
    assert.ok(!fixture.indexed().some(({ path }) => path.includes('eaDir')), 'left to DSM');
  });

  it('is left as it is where it is stopped, and no run begins beside it', async () => {
    layMirror();
    const before = contents();
    const names = readdirSync(fixture.targetFolder);
    const controller = new AbortController();
    const onProgress = (): void => {
      controller.abort();
    };
    await assert.rejects(adopt({ signal: controller.signal, onProgress }), refusal('cancelled'));
    assert.deepEqual(contents(), before);
    assert.deepEqual(readdirSync(fixture.targetFolder), names);
    await assert.rejects(fixture.run({ isTargetAway: true }), refusal('target-taken'));
    assert.deepEqual(readdirSync(fixture.targetFolder), names);
    await adopt();
    await assertBrings(['/old/caf\xe9.html']);
  });
});

describe('What must not be adopted', () => {
  it('is the folder of another task that is there', async () => {
    await fixture.run();
    await assert.rejects(adoptBackup(options({ stateKey: 'another' })), refusal('folder-in-use'));
    await adoptBackup(options({ stateKey: 'another', isLive: () => false }));
  });

  it('is the folder of a task that knows its backup', async () => {
    await fixture.run();
    await assert.rejects(adopt(), refusal('task-has-backup'));
    await assertBrings([]);
  });

  it('is a folder that holds the folder of a task, or lies in one', async () => {
    await fixture.run();
    await assert.rejects(lookAtBackup(options({ folder: fixture.room, stateKey: 'x' })), refusal('folder-in-use'));
    await assert.rejects(lookAtBackup(options({ folder: fixture.current, stateKey: 'x' })), refusal('target-taken'));
  });

  it('is a folder without a file, or that is not there', async () => {
    await assert.rejects(lookAtBackup(options()), refusal('target-missing'));
    mkdirSync(fixture.targetFolder);
    await assert.rejects(lookAtBackup(options()), refusal('nothing-to-adopt'));
    mkdirSync(join(fixture.targetFolder, 'empty'));
    await assert.rejects(lookAtBackup(options()), refusal('nothing-to-adopt'));
  });
});

/** Call `failAt` of the disk and all later ones fail, as on a disk that is full or gone. */
function failingFs(failAt: number): { fs: TargetFs; calls: () => number } {
  let calls = 0;
  const fs = Object.fromEntries(
    Object.entries(systemFs).map(([name, call]) => [
      name,
      (...args: unknown[]) => {
        calls++;
        if (calls < failAt) return (call as (...args: unknown[]) => unknown)(...args);
        const fault = { errno: -constants.errno.ENOSPC, syscall: name };
        return Promise.reject(Object.assign(new Error('ENOSPC: injected'), fault));
      },
    ]),
  ) as unknown as TargetFs;
  return { fs, calls: () => calls };
}

describe('An adoption that is cut short', () => {
  it('by the disk at any call loses nothing, lets no run in, and can be begun again', async () => {
    await fixture.end();
    const counting = failingFs(Infinity);
    let total = Infinity;
    let callsOfALook = 0;
    for (let failAt = 1; failAt <= total; failAt++) {
      fixture = await BackupFixture.start();
      for (const name of ['a', 'b', 'c/d', 'current/e', 'f/g/h']) {
        fixture.tree.writeFile(`/${name}`, `content of ${name}`, { mtimeMs: Date.UTC(2025, 1, 1) });
      }
      layMirror();
      const before = contents();
      if (total === Infinity) {
        await adopt({ fs: counting.fs });
        total = counting.calls();
        const looking = failingFs(Infinity);
        await lookAtBackup(options({ stateKey: 'x', isLive: () => false, fs: looking.fs }));
        callsOfALook = looking.calls();
        assert.ok(total > 20, `${total} calls`);
        failAt = 0;
      } else {
        await assert.rejects(adoptBackup(options({ fs: failingFs(failAt).fs })), (error) => isBackupError(error));
        assert.deepEqual(contents(), before, `call ${failAt}`);
        // Before it has so much as looked, nothing was begun.
        if (failAt > callsOfALook) await assert.rejects(fixture.run({ isTargetAway: true }), refusal('target-taken'));
        assert.equal(fixture.server.count('RETR'), 0, `call ${failAt}`);
        await adopt();
        assert.deepEqual(contents(), before, `call ${failAt}`);
        await assertBrings([]);
        fixture.assertCurrentEquals();
      }
      await fixture.end();
    }
    fixture = await BackupFixture.start();
  });

  it('reads no file again that it had read, unless that has changed since', async () => {
    for (let i = 0; i < 8; i++) fixture.tree.writeFile(`/many/${i}`, `content of ${i}`);
    layMirror();
    const stop = new AbortController();
    const onProgress = ({ filesDone }: { filesDone: number }): void => {
      if (filesDone === 10) stop.abort();
    };
    await assert.rejects(adoptBackup(options({ signal: stop.signal, onProgress })), refusal('cancelled'));
    const read: string[] = [];
    const open: TargetFs['open'] = (path, flags, mode) => {
      const place = path.slice(fixture.targetFolder.length);
      if (flags === (fsConstants.O_RDONLY | fsConstants.O_NOFOLLOW) && !place.startsWith('/.site-backup'))
        read.push(place);
      return systemFs.open(path, flags, mode);
    };
    // Of the same size and time as before.
    const changed = join(fixture.targetFolder, 'many/3');
    const { mtime, size } = statSync(changed);
    writeFileSync(changed, 'X'.repeat(size));
    utimesSync(changed, mtime, mtime);
    await adopt({ fs: { ...systemFs, open } });
    assert.ok(read.includes('/many/3'), 'it has changed since');
    assert.ok(
      read.length >= fileCount() - 10 && read.length <= fileCount() - 9,
      `${read.length} of ${fileCount()} read`,
    );
  });

  it('by kill -9 at random moments loses nothing and is begun again', async (t) => {
    const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000);
    t.diagnostic(`SEED=${seed}`);
    let random = seed;
    const cli = compileCli();
    try {
      for (let i = 0; i < 3000; i++) {
        fixture.tree.writeFile(`/f${i % 40}/${i}.txt`, `content of ${i}`.repeat(200), {
          mtimeMs: Date.UTC(2025, 1, 1),
        });
      }
      fixture.tree.remove('/old/caf\xe9.html');
      layMirror();
      const before = contents();
      mkdirSync(fixture.stateDir, { recursive: true });
      const task = join(fixture.stateDir, 'task.json');
      writeFileSync(task, fixture.taskFileContent(), { mode: 0o600 });
      let killed = 0;
      for (let life = 0; life < KILLS_MAX; life++) {
        const args = [cli.cliFile, 'adopt', task, '--state', fixture.stateDir, '--yes', '--json'];
        const child = spawn(process.execPath, args, { stdio: 'ignore' });
        const ended = once(child, 'exit');
        random = (Math.imul(random, 1_664_525) + 1_013_904_223) >>> 0;
        // From the moment on at which it has begun; a process takes long to start on a busy machine.
        while (!existsSync(`${fixture.databasePath}.adopting-folder`) && child.exitCode === null) await sleep(5);
        await Promise.race([sleep(random % 700), ended]);
        if (child.kill('SIGKILL')) killed++;
        await ended;
        assert.deepEqual(contents(), before, `SEED=${seed}, life ${life}`);
        if (child.exitCode === 0) break;
      }
      t.diagnostic(`${killed} kills`);
      assert.ok(killed > 0);
      const isDone = existsSync(join(fixture.targetFolder, '.site-backup', 'marker.json'));
      if (!isDone) {
        await assert.rejects(fixture.run({ isTargetAway: true }), refusal('target-taken'));
        assert.equal(fixture.server.count('RETR'), 0, 'no run in a folder that is not adopted');
        await adopt();
      }
      await assertBrings([]);
      fixture.assertCurrentEquals();
    } finally {
      cli.remove();
    }
  });
});
