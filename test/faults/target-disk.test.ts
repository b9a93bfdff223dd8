import { execFileSync } from 'node:child_process';
import { promises as fs, readdirSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { finished } from 'node:stream/promises';
import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { BackupError, isBackupError } from '../../src/errors.ts';
import type { ErrorCode } from '../../src/errors.ts';
import { errnoName, localError } from '../../src/local/local-errors.ts';
import type { LocalPath } from '../../src/local/local-path.ts';
import { systemFs } from '../../src/local/target-fs.ts';
import type { TargetFile, TargetFs } from '../../src/local/target-fs.ts';
import { Target } from '../../src/local/target.ts';

const RUN = '2026-11-21T02-00-00';
const OLD = Buffer.alloc(300_000, 'old ');
const NEW = Buffer.alloc(500_000, 'new! ');
const SMALL = Buffer.from('small');

type FaultName = 'ENOSPC' | 'EDQUOT' | 'EIO' | 'EACCES' | 'EROFS';

function systemError(name: FaultName): Error {
  return Object.assign(new Error(`${name}: injected`), { errno: -constants.errno[name], syscall: 'test' });
}

/** The real disk, but call number `failAt` (from 1) fails, half done where it is a write, and all later ones too with `lasts`. */
function failingFs(
  failAt: number,
  name: FaultName,
  lasts: boolean,
): { fs: TargetFs; calls: () => number; open: () => number } {
  let calls = 0;
  let openFiles = 0;
  const meets = (): boolean => {
    calls += 1;
    return calls === failAt || (lasts && calls > failAt);
  };
  const check = (): void => {
    if (meets()) throw systemError(name);
  };
  const wrapFile = (file: TargetFile): TargetFile => ({
    read: async (...args) => (check(), file.read(...args)),
    write: async (buffer, offset, length, position) => {
      if (!meets()) return file.write(buffer, offset, length, position);
      await file.write(buffer, offset, Math.floor(length / 2), position);
      throw systemError(name);
    },
    truncate: async (size) => (check(), file.truncate(size)),
    utimes: async (...args) => (check(), file.utimes(...args)),
    sync: async () => (check(), file.sync()),
    close: async () => {
      openFiles -= 1;
      await file.close();
      check();
    },
  });
  const wrapped: TargetFs = {
    open: async (...args) => {
      check();
      const file = await systemFs.open(...args);
      openFiles += 1;
      return wrapFile(file);
    },
    link: async (...args) => (check(), systemFs.link(...args)),
    mkdir: async (...args) => (check(), systemFs.mkdir(...args)),
    lstat: async (...args) => (check(), systemFs.lstat(...args)),
    readdir: async (...args) => (check(), systemFs.readdir(...args)),
    realpath: async (...args) => (check(), systemFs.realpath(...args)),
    rename: async (...args) => (check(), systemFs.rename(...args)),
    rmdir: async (...args) => (check(), systemFs.rmdir(...args)),
    statfs: async (...args) => (check(), systemFs.statfs(...args)),
    unlink: async (...args) => (check(), systemFs.unlink(...args)),
  };
  return { fs: wrapped, calls: () => calls, open: () => openFiles };
}

async function store(target: Target, id: string, path: string, content: Buffer): Promise<void> {
  const part = await target.openPart(id);
  try {
    const startAt = part.resumeAt;
    const sink = await part.sink({ startAt, maxBytes: content.length });
    const end = finished(sink);
    for (let at = startAt; at < content.length; at += 65_536) sink.write(content.subarray(at, at + 65_536));
    sink.end();
    await end;
    await part.finish({ sizeBytes: content.length, modifiedMs: 1_700_000_000_000 });
    await part.moveTo(path as LocalPath);
  } catch (error) {
    await part.close();
    throw error;
  }
}

/** A run as the engine makes it: what `flush` has confirmed may be recorded. */
async function run(folder: string, targetFs: TargetFs, confirmed: Map<string, Buffer>): Promise<void> {
  const target = await Target.open({ folder, marker: 'm1', isKnown: false, fs: targetFs });
  await target.removePartsExcept(new Set(['big', 'small']));
  await target.freeBytes();
  await store(target, 'big', 'a/big', NEW);
  await store(target, 'small', 'a/b/small', SMALL);
  await target.retire('gone' as LocalPath, RUN);
  await target.flush();
  confirmed.set('a/big', NEW).set('a/b/small', SMALL);
}

/** Every visible file, by its path below current/. */
async function visibleFiles(folder: string): Promise<Map<string, Buffer>> {
  const files = new Map<string, Buffer>();
  const current = join(folder, 'current');
  for (const entry of readdirSync(current, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    files.set(path.slice(current.length + 1), await fs.readFile(path));
  }
  return files;
}

describe('a disk that fails', () => {
  let temporary: string;
  before(async () => {
    // In memory where that is possible: thousands of fsyncs of a real disk prove nothing more here.
    const base = await fs.access('/dev/shm', fs.constants.W_OK).then(
      () => '/dev/shm',
      () => tmpdir(),
    );
    temporary = await fs.mkdtemp(join(base, 'target-faults-'));
  });
  after(() => fs.rm(temporary, { recursive: true }));

  async function folderWithOldFiles(): Promise<string> {
    const folder = await fs.mkdtemp(join(temporary, 'task-'));
    const target = await Target.open({ folder, marker: 'm1', isKnown: false });
    await store(target, 'x', 'a/big', OLD);
    await store(target, 'x', 'gone', OLD);
    return folder;
  }

  const whole = (path: string, content: Buffer): boolean => {
    if (path === 'a/big') return content.equals(OLD) || content.equals(NEW);
    if (path === 'gone') return content.equals(OLD);
    return path === 'a/b/small' && content.equals(SMALL);
  };

  for (const [lasts, name, codes] of [
    [false, 'ENOSPC', ['disk-full']],
    [true, 'ENOSPC', ['disk-full']],
    [false, 'EIO', ['target-unwritable']],
    [false, 'EACCES', ['target-unwritable', 'target-read-only']],
    [true, 'EROFS', ['target-read-only']],
  ] as const satisfies [boolean, FaultName, ErrorCode[]][]) {
    it(`at any call${lasts ? ' and ever after' : ''} with ${name} shows no half file, and the next run is right`, async () => {
      const count = failingFs(Infinity, name, lasts);
      await run(await folderWithOldFiles(), count.fs, new Map());
      assert.ok(count.calls() > 50, `${count.calls()} calls`);
      let failures = 0;
      for (let failAt = 1; failAt <= count.calls(); failAt++) {
        const folder = await folderWithOldFiles();
        const confirmed = new Map<string, Buffer>();
        const faulty = failingFs(failAt, name, lasts);
        const error: unknown = await run(folder, faulty.fs, confirmed).catch((reason: unknown) => reason);
        const where = `call ${failAt} of ${count.calls()}`;
        if (error !== undefined) {
          failures += 1;
          assert.ok(error instanceof BackupError, `${where}: not a BackupError`);
          assert.ok((codes as readonly string[]).includes(error.code), `${where}: ${error.code}`);
        }
        assert.equal(faulty.open(), 0, `${where}: a file was left open`);
        const visible = await visibleFiles(folder);
        for (const [path, content] of visible) assert.ok(whole(path, content), `${where}: ${path} is not whole`);
        assert.ok(visible.has('a/big'), `${where}: the earlier file is gone`);
        for (const [path, content] of confirmed)
          assert.ok(visible.get(path)?.equals(content), `${where}: ${path} lost`);

        await run(folder, systemFs, new Map());
        const again = await visibleFiles(folder);
        assert.deepEqual([...again.keys()].sort(), ['a/b/small', 'a/big'], where);
        assert.ok(again.get('a/big')?.equals(NEW), where);
        const retired = await fs.readFile(join(folder, 'versions', RUN, 'gone'));
        assert.ok(retired.equals(OLD), `${where}: the retired file is lost`);
        assert.deepEqual(await fs.readdir(join(folder, '.site-backup', 'parts')), [], where);
        await fs.rm(folder, { recursive: true });
      }
      assert.ok(failures > 40, `${failures} failures seen`);
    });
  }

  it('at an fsync leaves nothing that a later transfer could go on from', async () => {
    const folder = await fs.mkdtemp(join(temporary, 'task-'));
    const fsyncFails: TargetFs = {
      ...systemFs,
      open: async (...args) => {
        const file = await systemFs.open(...args);
        if (args[0].endsWith('/big')) file.sync = () => Promise.reject(systemError('EIO'));
        return file;
      },
    };
    const target = await Target.open({ folder, marker: 'm1', isKnown: false, fs: fsyncFails });
    await assert.rejects(store(target, 'big', 'big', NEW), (error) => isBackupError(error, 'target-unwritable'));
    assert.equal(await target.partBytes('big'), 0);
    assert.deepEqual(await fs.readdir(join(folder, '.site-backup', 'parts')), []);
  });

  it('at the fsync of a folder fails every flush until it has succeeded', async () => {
    const folder = await fs.mkdtemp(join(temporary, 'task-'));
    let isBroken = false;
    const folderFails: TargetFs = {
      ...systemFs,
      open: async (...args) => {
        if (isBroken && args[0].endsWith('/current/a')) throw systemError('EIO');
        return systemFs.open(...args);
      },
    };
    const target = await Target.open({ folder, marker: 'm1', isKnown: false, fs: folderFails });
    await store(target, 'x', 'a/b', SMALL);
    isBroken = true;
    const results = await Promise.allSettled([target.flush(), target.flush(), target.flush()]);
    assert.deepEqual(
      results.map((result) => result.status),
      ['rejected', 'rejected', 'rejected'],
    );
    isBroken = false;
    await target.flush();
  });

  it('and is really full says so, keeps what is whole, and goes on once there is room', async (context) => {
    const folder = await mountTmpfs(temporary, 'size=600k');
    if (folder === undefined) {
      context.skip('needs to be root and to be allowed to mount a tmpfs');
      return;
    }
    try {
      const target = await Target.open({ folder, marker: 'm1', isKnown: false });
      await store(target, 'x', 'a/big', OLD);
      assert.ok((await target.freeBytes()) < 400_000, 'free bytes are those of the volume');
      const isFull = (error: unknown): boolean => isBackupError(error, 'disk-full') && error.detail === 'ENOSPC';
      await assert.rejects(store(target, 'big', 'a/big', NEW), isFull);
      assert.ok((await fs.readFile(join(folder, 'current/a/big'))).equals(OLD), 'the earlier file is whole');
      await assert.rejects(Target.open({ folder, marker: 'm1', isKnown: true }), isFull);

      execFileSync('mount', ['-o', 'remount,size=2m', folder]);
      const again = await Target.open({ folder, marker: 'm1', isKnown: true });
      assert.ok((await again.partBytes('big')) > 0, 'what arrived is still there to go on from');
      await store(again, 'big', 'a/big', NEW);
      await again.flush();
      assert.ok((await fs.readFile(join(folder, 'current/a/big'))).equals(NEW), 'the new file is whole');
    } finally {
      execFileSync('umount', [folder]);
    }
  });

  it('and is read-only says so, before and during a run', async (context) => {
    const folder = await mountTmpfs(temporary, 'size=4m');
    if (folder === undefined) {
      context.skip('needs to be root and to be allowed to mount a tmpfs');
      return;
    }
    const isReadOnly = (error: unknown): boolean => isBackupError(error, 'target-read-only');
    try {
      execFileSync('mount', ['-o', 'remount,ro', folder]);
      await assert.rejects(Target.open({ folder, marker: 'm1', isKnown: false }), isReadOnly);
      assert.deepEqual(await fs.readdir(folder), []);
      execFileSync('mount', ['-o', 'remount,rw', folder]);
      const target = await Target.open({ folder, marker: 'm1', isKnown: false });
      await store(target, 'x', 'a/big', OLD);
      execFileSync('mount', ['-o', 'remount,ro', folder]);
      await assert.rejects(Target.open({ folder, marker: 'm1', isKnown: true }), isReadOnly);
      await assert.rejects(store(target, 'big', 'a/big', NEW), isReadOnly);
      await assert.rejects(target.retire('a/big' as LocalPath, RUN), isReadOnly);
      assert.ok((await fs.readFile(join(folder, 'current/a/big'))).equals(OLD), 'the earlier file is whole');
    } finally {
      execFileSync('umount', [folder]);
    }
  });

  it('and is unmounted during a run is missing, and its empty place stays empty', async (context) => {
    const folder = await mountTmpfs(temporary, 'size=4m');
    if (folder === undefined) {
      context.skip('needs to be root and to be allowed to mount a tmpfs');
      return;
    }
    let isMounted = true;
    try {
      const target = await Target.open({ folder, marker: 'm1', isKnown: false });
      await store(target, 'x', 'a/big', OLD);
      execFileSync('umount', [folder]);
      isMounted = false;
      const isMissing = (error: unknown): boolean => isBackupError(error, 'target-missing');
      await assert.rejects(store(target, 'big', 'a/big', NEW), isMissing);
      await assert.rejects(target.statFile('a/big' as LocalPath), isMissing);
      await assert.rejects(Target.open({ folder, marker: 'm1', isKnown: true }), isMissing);
      assert.deepEqual(await fs.readdir(folder), []);
    } finally {
      if (isMounted) execFileSync('umount', [folder]);
    }
  });
});

/** A small volume of its own; undefined where that is not permitted. */
async function mountTmpfs(parent: string, options: string): Promise<string | undefined> {
  const folder = await fs.mkdtemp(join(parent, 'volume-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'none', folder], { stdio: 'ignore' });
    return folder;
  } catch {
    return undefined;
  }
}

describe('a failed call to the system', () => {
  it('is told by its number, also where Node has no name for it', () => {
    const quota = Object.assign(new Error('Unknown system error -122'), { errno: -constants.errno.EDQUOT });
    assert.equal(errnoName(quota), 'EDQUOT');
    assert.equal(isBackupError(localError(quota, '/x'), 'disk-full'), true);
  });

  it('about the target itself concerns the whole run', () => {
    assert.equal(isBackupError(localError(systemError('EACCES'), '/x', true), 'target-read-only'), true);
    assert.equal(isBackupError(localError(systemError('EACCES'), '/x'), 'target-unwritable'), true);
  });

  it('names the path and keeps the cause', () => {
    const cause = systemError('EIO');
    const error = localError(cause, '/volume1/x');
    assert.ok(isBackupError(error), 'a BackupError');
    assert.deepEqual([error.facts, error.detail, error.cause], [{ path: '/volume1/x' }, 'EIO', cause]);
  });

  it('is not what a mistake in the program is taken for', () => {
    const mistakes = [
      new TypeError('x is not a function'),
      Object.assign(new Error('bad'), { errno: -constants.errno.EBADF }),
      Object.assign(new Error('bad argument'), { code: 'ERR_INVALID_ARG_TYPE' }),
      new BackupError('cancelled'),
    ];
    for (const mistake of mistakes) assert.equal(localError(mistake, '/x'), mistake);
  });
});
