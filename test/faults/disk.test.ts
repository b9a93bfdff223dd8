import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  statfsSync,
  writeFileSync,
} from 'node:fs';
import type { StatsFs } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import Database from 'better-sqlite3';
import type { RunReport } from '../../src/engine/run-report.ts';
import { BackupError } from '../../src/errors.ts';
import { VersionTree } from '../../src/state/version-tree.ts';
import { BackupFixture, assertFailed } from '../support/backup-fixture.ts';
import type { RunOverrides } from '../support/backup-fixture.ts';
import { FailingDisk } from '../support/failing-disk.ts';
import { readPastTree } from '../support/read-past-tree.ts';
import type { ScriptedTree } from '../support/scripted-ftp-tree.ts';

const FILES = 400;
const REPLACED = 100;
const ARCHIVE: RunOverrides = { deletion: { rule: 'archive' } };

function makeSite(tree: ScriptedTree): void {
  for (let i = 0; i < FILES; i++) tree.writeFile(`/d${i % 10}/f${i}`, `file ${i}`);
}

async function withFixture(place: { room?: string }, work: (fixture: BackupFixture) => Promise<void>): Promise<void> {
  const fixture = await BackupFixture.start({}, place);
  try {
    makeSite(fixture.tree);
    await work(fixture);
  } finally {
    await fixture.end();
  }
}

/** The run that follows brings what is missing, and nothing that was there. */
async function makeGood(fixture: BackupFixture): Promise<void> {
  const had = existsSync(fixture.current) ? [...fixture.snapshot().keys()] : [];
  fixture.server.clearLog();
  const report = await fixture.run();
  assert.equal(report.outcome, 'complete', JSON.stringify(report.cause));
  const retrieved = fixture.retrievals();
  for (const path of had) assert.ok(!retrieved.has(`/${path}`), `brought again: ${path}`);
  await fixture.runUntilEqual();
}

/** A small file system in memory, or the reason why there can be none. */
class SmallDisk {
  readonly folder = mkdtempSync(join(tmpdir(), 'site-backup-disk-'));
  readonly whyNot: string | undefined;

  constructor(size: string) {
    try {
      mount('-t', 'tmpfs', '-o', `size=${size}`, 'site-backup-test', this.folder);
    } catch {
      this.whyNot = 'mounting a small tmpfs needs root (or CAP_SYS_ADMIN): run as root to see this test work';
    }
  }

  remount(options: string): void {
    mount('-o', `remount,${options}`, this.folder);
  }

  remove(): void {
    if (this.whyNot === undefined) execFileSync('umount', ['-l', this.folder], { stdio: 'ignore' });
    rmSync(this.folder, { recursive: true, force: true });
  }
}

function mount(...args: string[]): void {
  execFileSync('mount', args, { stdio: 'ignore' });
}

const probe = new SmallDisk('64k');
const skip = probe.whyNot ?? false;
probe.remove();

describe('A full disk', { skip }, () => {
  it('known before the first byte brings nothing and says how much is missing', async () => {
    const disk = new SmallDisk('4m');
    try {
      await withFixture({ room: join(disk.folder, 'room') }, async (fixture) => {
        fixture.tree.writeFile('/big.iso', { sizeBytes: 20_000_000, seed: 1 });
        const report = await fixture.run();
        assertFailed(report, 'disk-full');
        assert.ok(Number(report.cause?.facts['neededBytes']) >= 20_000_000);
        assert.ok(Number(report.cause?.facts['freeBytes']) < 4_200_000);
        assert.equal(fixture.server.count('RETR'), 0);
        disk.remount('size=64m');
        await makeGood(fixture);
      });
    } finally {
      disk.remove();
    }
  });

  it('in the middle of a run ends it, keeps what is whole, and the next run goes on', async () => {
    const disk = new SmallDisk('1m');
    const room = mkdtempSync(join(tmpdir(), 'site-backup-room-'));
    const targetFolder = join(disk.folder, 'target');
    const fixture = await BackupFixture.start({}, { room, targetFolder });
    try {
      // Each takes a page, so that the sum of their sizes says too little.
      makeSite(fixture.tree);
      assertFailed(await fixture.run(), 'disk-full');
      assert.ok(fixture.snapshot().size > 50, `${fixture.snapshot().size} files`);
      assert.ok(fixture.snapshot().size < FILES);
      assertFailed(await fixture.run(), 'disk-full');
      disk.remount('size=64m');
      await makeGood(fixture);
    } finally {
      await fixture.end();
      disk.remove();
    }
  });

  for (const [what, limit] of [
    ['without room', ({ blocks, bfree, bsize }: StatsFs) => `size=${(blocks - bfree + 40) * bsize}`],
    ['without inodes', ({ files, ffree }: StatsFs) => `nr_inodes=${files - ffree + 60}`],
  ] as const) {
    it(`${what} in the middle of replacing leaves each file with its old content or its new one, and no version behind`, async () => {
      const disk = new SmallDisk('64m');
      const fixture = await BackupFixture.start({}, { targetFolder: join(disk.folder, 'target') });
      const treeOfFirstRun = (): ReadonlyMap<string, string> => {
        const db = new Database(fixture.databasePath, { readonly: true });
        try {
          return readPastTree(new VersionTree(db), 1, fixture.targetFolder);
        } finally {
          db.close();
        }
      };
      try {
        for (let i = 0; i < REPLACED; i++) fixture.tree.writeFile(`/d${i % 10}/f${i}`, `file ${i}`);
        assert.equal((await fixture.run(ARCHIVE)).outcome, 'complete');
        const first = treeOfFirstRun();
        const old = fixture.snapshot();
        for (let i = 0; i < REPLACED; i++) fixture.tree.writeFile(`/d${i % 10}/f${i}`, `edited file ${i}`);
        disk.remount(limit(statfsSync(disk.folder)));
        for (const night of [1, 2]) {
          assertFailed(await fixture.run(ARCHIVE), 'disk-full');
          const here = fixture.snapshot();
          const isOld = (path: string): boolean => here.get(path)?.sha256 === old.get(path)?.sha256;
          const left = [...old.keys()].filter(isOld);
          assert.ok(left.length > 0, 'there was room for all');
          for (const file of fixture.tree.files()) {
            const path = file.path.slice(1);
            const sha256 = createHash('sha256').update(file.read()).digest('hex');
            assert.ok(isOld(path) || here.get(path)?.sha256 === sha256, `neither old nor new: ${path}`);
          }
          assert.deepEqual(treeOfFirstRun(), first, `after night ${night}`);
        }
        disk.remount('size=64m,nr_inodes=0');
        await fixture.runUntilEqual(ARCHIVE);
        assert.deepEqual(treeOfFirstRun(), first);
        assert.equal(fixture.versions().length, REPLACED);
      } finally {
        await fixture.end();
        disk.remove();
      }
    });
  }

  it('for the state as well leaves it sound, and the next run is complete', async () => {
    const disk = new SmallDisk('3m');
    try {
      await withFixture({ room: join(disk.folder, 'room') }, async (fixture) => {
        assert.equal(await endOf(fixture), 'disk-full');
        assert.equal(await endOf(fixture), 'disk-full');
        disk.remount('size=64m');
        await makeGood(fixture);
      });
    } finally {
      disk.remove();
    }
  });
});

describe('A target that may only be read', { skip }, () => {
  it('is told, changes nothing, and is written to again as soon as it can be', async () => {
    const disk = new SmallDisk('64m');
    const room = mkdtempSync(join(tmpdir(), 'site-backup-room-'));
    const fixture = await BackupFixture.start({}, { room, targetFolder: join(disk.folder, 'target') });
    try {
      makeSite(fixture.tree);
      disk.remount('ro');
      assertFailed(await fixture.run(), 'target-read-only');
      disk.remount('rw');
      await makeGood(fixture);

      const before = fixture.snapshot();
      fixture.tree.writeFile('/d1/f1', 'edited');
      disk.remount('ro');
      const report = await fixture.run();
      assertFailed(report, 'target-read-only');
      assert.equal(fixture.server.count('RETR'), 0);
      fixture.assertNothingLost(before);
      disk.remount('rw');
      await fixture.runUntilEqual();
    } finally {
      await fixture.end();
      disk.remove();
    }
  });
});

describe('A target that is not there', () => {
  it('because its volume is not mounted is target-missing, and nothing is made in its place', async () => {
    await withFixture({}, async (fixture) => {
      await fixture.runUntilEqual();
      const aside = join(fixture.stateDir, 'aside');
      renameSync(fixture.targetFolder, aside);
      assertFailed(await withoutIndexCheck(fixture), 'target-missing');
      assert.ok(!existsSync(fixture.targetFolder));

      mkdirSync(fixture.targetFolder);
      assertFailed(await withoutIndexCheck(fixture), 'target-missing');
      assert.deepEqual(readdirSync(fixture.targetFolder), []);

      rmSync(fixture.targetFolder, { recursive: true });
      renameSync(aside, fixture.targetFolder);
      fixture.server.clearLog();
      await fixture.runUntilEqual();
      assert.equal(fixture.server.count('RETR'), 0);
    });
  });

  it('any more in the middle of a run ends it, and it goes on when it is back', async () => {
    await withFixture({}, async (fixture) => {
      const aside = join(fixture.stateDir, 'aside');
      const run = (): void => {
        renameSync(fixture.targetFolder, aside);
        mkdirSync(fixture.targetFolder);
      };
      fixture.server.addFault({ command: 'RETR', nth: 150 }, { run });
      assertFailed(await withoutIndexCheck(fixture), 'target-missing');
      assert.deepEqual(readdirSync(fixture.targetFolder), [], 'nothing was made where the volume should be');
      rmSync(fixture.targetFolder, { recursive: true });
      renameSync(aside, fixture.targetFolder);
      fixture.assertInvariants();
      await makeGood(fixture);
    });
  });
});

describe('A target of somebody else', () => {
  it('is target-taken for another task, and stays as it is', async () => {
    await withFixture({}, async (fixture) => {
      await fixture.runUntilEqual();
      const before = fixture.snapshot();
      fixture.tree.writeFile('/d1/f1', 'edited');
      assertFailed(await fixture.run({ taskName: 'another' }), 'target-taken');
      fixture.assertNothingLost(before);
      await fixture.runUntilEqual();
    });
  });

  it('is target-taken for the same task whose state was lost: nothing is overwritten', async () => {
    await withFixture({}, async (fixture) => {
      await fixture.runUntilEqual();
      const before = fixture.snapshot();
      rmSync(fixture.stateDir, { recursive: true });
      fixture.tree.writeFile('/d1/f1', 'edited');
      assertFailed(await fixture.run(), 'target-taken');
      assert.deepEqual(fixture.snapshot(), before);
    });
  });

  it('is target-taken where files lie that no task has brought', async () => {
    await withFixture({}, async (fixture) => {
      mkdirSync(fixture.current, { recursive: true });
      writeFileSync(join(fixture.current, 'mine.txt'), 'mine');
      assertFailed(await fixture.run(), 'target-taken');
      assert.deepEqual([...fixture.snapshot().keys()], ['mine.txt']);
    });
  });
});

describe('A disk call that fails', () => {
  let disk: FailingDisk;

  before(() => {
    disk = new FailingDisk();
  });
  after(() => {
    disk.remove();
  });

  /** A run in which files come, change, and change places with folders. */
  function changeSite(tree: ScriptedTree): void {
    tree.writeFile('/a/0', 'edited');
    tree.remove('/b/1');
    tree.remove('/swap');
    tree.writeFile('/swap', 'a file now');
    tree.remove('/paws');
    tree.writeFile('/paws/in', 'a folder now');
    tree.writeFile('/new/deep/er', 'new');
    tree.rename('/r/from', '/r/to');
  }

  const archive = { deletion: { rule: 'archive' } } as const;

  async function firstRun(fixture: BackupFixture): Promise<void> {
    for (const folder of ['a', 'b'])
      for (let i = 0; i < 3; i++) fixture.tree.writeFile(`/${folder}/${i}`, `${folder}${i}`);
    fixture.tree.writeFile('/swap/in', 'a folder');
    fixture.tree.writeFile('/paws', 'a file');
    fixture.tree.writeFile('/r/from', 'renamed');
    assert.equal((await fixture.run()).outcome, 'complete');
    changeSite(fixture.tree);
  }

  for (const [what, lasts] of [
    ['once', false],
    ['and all later ones', true],
  ] as const) {
    it(`${what} never breaks an invariant, is told, and the next run makes it good`, async () => {
      const total = await callsOfSecondRun();
      for (let at = 1; at <= total; at += lasts ? 7 : 3) {
        const fixture = await BackupFixture.start();
        try {
          await firstRun(fixture);
          const whole = new Set([...fixture.snapshot().values()].map(({ sha256 }) => sha256));
          for (const file of fixture.tree.files()) whole.add(createHash('sha256').update(file.read()).digest('hex'));
          disk.failAt(at, lasts);
          const report = await fixture.run({ ...archive, attempts: 2 });
          const hasMet = disk.calls >= at;
          disk.failAt(undefined);
          for (const [path, { sha256 }] of fixture.snapshot()) assert.ok(whole.has(sha256), `not whole: ${path}`);
          if (hasMet && lasts) assert.notEqual(report.outcome, 'complete', `call ${at}`);
          const next = await fixture.run(archive);
          assert.equal(next.outcome, 'complete', `call ${at}: ${JSON.stringify([next.cause, next.failures])}`);
          const leftovers = ['b/1', 'r/from'].filter((path) => existsSync(join(fixture.current, path)));
          fixture.assertCurrentEquals({ leftovers });
        } catch (error) {
          throw new Error(`call ${at} of ${total}`, { cause: error });
        } finally {
          disk.failAt(undefined);
          await fixture.end();
        }
      }
      assert.ok(total > 50, `${total} calls`);
    });
  }

  async function callsOfSecondRun(): Promise<number> {
    const fixture = await BackupFixture.start();
    try {
      await firstRun(fixture);
      disk.failAt(undefined);
      await fixture.run(archive);
      return disk.calls;
    } finally {
      await fixture.end();
    }
  }
});

/** How a run ended, whether it could begin or not. */
async function endOf(fixture: BackupFixture): Promise<string | undefined> {
  try {
    return (await fixture.run()).cause?.code;
  } catch (error) {
    if (error instanceof BackupError) return error.code;
    throw error;
  }
}

/** For a run whose target is out of sight: what the index claims cannot be looked at then. */
function withoutIndexCheck(fixture: BackupFixture): Promise<RunReport> {
  return fixture.run({ isTargetAway: true });
}
