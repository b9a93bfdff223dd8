import { createHash } from 'node:crypto';
import { promises as fs } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { finished } from 'node:stream/promises';
import type { Writable } from 'node:stream';
import { after, before, beforeEach, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { isBackupError } from '../../src/errors.ts';
import type { ErrorCode } from '../../src/errors.ts';
import { LOCAL_ROOT } from '../../src/local/local-path.ts';
import type { LocalPath } from '../../src/local/local-path.ts';
import { OVERLAP_BYTES } from '../../src/local/part.ts';
import type { FinishedPart, Part } from '../../src/local/part.ts';
import { FOLDERS_VERIFIED_MAX } from '../../src/local/target-folders.ts';
import { systemFs } from '../../src/local/target-fs.ts';
import { Target } from '../../src/local/target.ts';

const RUN = '2026-11-21T02-00-00';
const MODIFIED_MS = Date.UTC(2026, 10, 21, 2, 3, 4);

const local = (path: string): LocalPath => path as LocalPath;
const sha256 = (content: Buffer): string => createHash('sha256').update(content).digest('hex');
const isCode =
  (code: ErrorCode, detail?: RegExp) =>
  (error: unknown): boolean =>
    isBackupError(error, code) && (detail === undefined || detail.test(error.detail ?? ''));

/** Bytes that do not repeat, so that a shifted or mixed content is seen. */
function contentOf(sizeBytes: number, seed = 1): Buffer {
  const content = Buffer.alloc(sizeBytes);
  let state = seed;
  for (let at = 0; at < sizeBytes; at++) {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    content[at] = state >>> 16;
  }
  return content;
}

/** Feeds a sink as a server would, in chunks. */
async function feed(sink: Writable, content: Buffer, chunkBytes = 64 * 1024): Promise<void> {
  const end = finished(sink);
  for (let at = 0; at < content.length; at += chunkBytes) sink.write(content.subarray(at, at + chunkBytes));
  sink.end();
  await end;
}

async function fill(part: Part, content: Buffer, modifiedMs: number | undefined = MODIFIED_MS): Promise<FinishedPart> {
  await feed(await part.sink({ startAt: 0, maxBytes: content.length }), content);
  return part.finish({ sizeBytes: content.length, modifiedMs });
}

async function store(target: Target, path: string, content: Buffer): Promise<FinishedPart> {
  const part = await target.openPart('p1');
  const done = await fill(part, content);
  await part.moveTo(local(path));
  return done;
}

describe("a task's folder", () => {
  let temporary: string;
  let folder: string;
  const open = (isKnown = false, marker = 'm1'): Promise<Target> => Target.open({ folder, marker, isKnown });
  const current = (path: string): string => join(folder, 'current', path);

  before(async () => {
    temporary = await fs.mkdtemp(join(tmpdir(), 'target-test-'));
  });
  after(() => fs.rm(temporary, { recursive: true }));
  beforeEach(async () => {
    folder = await fs.mkdtemp(join(temporary, 'task-'));
  });

  describe('when it is opened', () => {
    it('is made with its parents where it was never used', async () => {
      folder = join(folder, 'a', 'b');
      const target = await open();
      assert.deepEqual((await fs.readdir(folder)).sort(), ['.site-backup', 'current', 'versions']);
      assert.deepEqual(await fs.readdir(join(folder, '.site-backup')), ['marker.json', 'parts']);
      assert.deepEqual(await fs.readdir(join(folder, '.site-backup', 'parts')), []);
      assert.equal((await fs.stat(folder)).mode & 0o777, 0o750);
      assert.equal(target.isCurrentNew, true);
      assert.deepEqual(target.limits, { nameBytesMax: 255, isCaseSensitive: true });
      assert.ok((await target.freeBytes()) > 0, 'room is left');
    });

    it('is opened again by its own task, before and after its first run', async () => {
      await store(await open(), 'a.txt', contentOf(10));
      assert.equal((await open(false)).isCurrentNew, false);
      const again = await open(true);
      assert.equal(again.isCurrentNew, false);
      assert.deepEqual(await again.statFile(local('a.txt')), { sizeBytes: 10, modifiedMs: MODIFIED_MS });
    });

    it('is missing, and nothing is made, where its volume is not mounted: folder gone', async () => {
      await fs.rmdir(folder);
      await assert.rejects(open(true), isCode('target-missing'));
      await assert.rejects(fs.lstat(folder), { code: 'ENOENT' });
    });

    it('is missing, and nothing is made, where its volume is not mounted: an empty mount point', async () => {
      await assert.rejects(open(true), isCode('target-missing', /marker/));
      assert.deepEqual(await fs.readdir(folder), []);
    });

    it('is not made right below /', async () => {
      folder = '/site-backup-test-volume/task';
      await assert.rejects(open(), isCode('target-missing'));
      await assert.rejects(fs.lstat('/site-backup-test-volume'), { code: 'ENOENT' });
    });

    it('is missing where a file lies in its place or above it', async () => {
      await fs.writeFile(join(folder, 'file'), '');
      const above = folder;
      for (const path of ['file', 'file/task']) {
        folder = join(above, path);
        await assert.rejects(open(), isCode('target-missing'));
      }
    });

    it('is refused to another task, and left as it is', async () => {
      await open();
      for (const isKnown of [false, true]) await assert.rejects(open(isKnown, 'm2'), isCode('target-taken'));
      assert.match(await fs.readFile(join(folder, '.site-backup', 'marker.json'), 'utf8'), /"m1"/);
    });

    it('is refused where current/ holds files of unknown origin', async () => {
      await fs.mkdir(current(''));
      await fs.writeFile(current('mine.txt'), 'x');
      await assert.rejects(open(), isCode('target-taken'));
      assert.deepEqual(await fs.readdir(folder), ['current']);
    });

    it('is refused where its marker cannot be read', async () => {
      await open();
      for (const text of ['', '{"marker":', '{"marker":7}', 'null']) {
        await fs.writeFile(join(folder, '.site-backup', 'marker.json'), text);
        await assert.rejects(open(true), isCode('target-taken'));
      }
    });

    it('says that current/ is new where somebody has removed it', async () => {
      await store(await open(), 'a.txt', contentOf(10));
      await fs.rm(current(''), { recursive: true });
      assert.equal((await open(true)).isCurrentNew, true);
    });

    for (const name of ['current', 'versions', '.site-backup']) {
      it(`is refused where ${name} is a symbolic link`, async () => {
        const elsewhere = await fs.mkdtemp(join(temporary, 'elsewhere-'));
        await fs.symlink(elsewhere, join(folder, name));
        await assert.rejects(open(), isCode('target-unwritable', /symbolic link/));
        assert.deepEqual(await fs.readdir(elsewhere), []);
      });
    }

    it('may itself be reached through a symbolic link: that is the administrator who decides', async () => {
      const link = join(temporary, 'link');
      await fs.symlink(folder, link);
      await store(await Target.open({ folder: join(link, 'task'), marker: 'm1', isKnown: false }), 'a', contentOf(1));
      assert.deepEqual(await fs.readdir(join(folder, 'task', 'current')), ['a']);
    });

    it('finds out the longest name by trying', async () => {
      const ecryptfs = {
        ...systemFs,
        open: async (path: string, flags: number, mode: number) => {
          if (path.length - path.lastIndexOf('/') - 1 <= 143) return systemFs.open(path, flags, mode);
          throw Object.assign(new Error('too long'), { errno: -36, code: 'ENAMETOOLONG' });
        },
      };
      const target = await Target.open({ folder, marker: 'm1', isKnown: false, fs: ecryptfs });
      assert.equal(target.limits.nameBytesMax, 143);
    });
  });

  describe('when a file arrives', () => {
    it('shows it whole, with the time of the server, its own mode and the right hash', async () => {
      const target = await open();
      for (const sizeBytes of [0, 1, 65_536, 262_144, 262_145, 1_000_000]) {
        const content = contentOf(sizeBytes);
        const { sizeBytes: size, sha256: hash } = await store(target, `a/b/${sizeBytes}`, content);
        assert.equal(size, sizeBytes);
        assert.equal(hash.toString('hex'), sha256(content));
        assert.ok((await fs.readFile(current(`a/b/${sizeBytes}`))).equals(content), 'the same bytes');
        assert.deepEqual(await target.statFile(local(`a/b/${sizeBytes}`)), { sizeBytes, modifiedMs: MODIFIED_MS });
        assert.equal((await fs.stat(current(`a/b/${sizeBytes}`))).mode & 0o777, 0o640);
      }
      assert.equal((await fs.stat(current('a/b'))).mode & 0o777, 0o750);
      assert.deepEqual(await fs.readdir(join(folder, '.site-backup', 'parts')), []);
      await target.flush();
    });

    it('keeps every time that a server can tell, at least to the millisecond', async () => {
      const target = await open();
      for (const modifiedMs of [0, 1, 1_763_690_000_123, 1_763_690_000_999, -86_400_000, Date.UTC(2037, 0)]) {
        const part = await target.openPart('p1');
        await fill(part, contentOf(3), modifiedMs);
        await part.moveTo(local('a'));
        assert.equal((await target.statFile(local('a')))?.modifiedMs, modifiedMs);
      }
    });

    it('does not show or write a small file before it is finished', async () => {
      const target = await open();
      const part = await target.openPart('p1');
      await feed(await part.sink({ startAt: 0, maxBytes: 100 }), contentOf(100));
      assert.deepEqual(await fs.readdir(join(folder, '.site-backup', 'parts')), []);
      await assert.rejects(part.moveTo(local('a')), /not finished/);
      await part.finish({ sizeBytes: 100, modifiedMs: undefined });
      assert.deepEqual(await fs.readdir(current('')), []);
    });

    it('replaces the earlier file in one step', async () => {
      const target = await open();
      await store(target, 'a', contentOf(100, 1));
      const reader = await fs.open(current('a'));
      await store(target, 'a', contentOf(50, 2));
      assert.ok((await reader.readFile()).equals(contentOf(100, 1)), 'the same bytes');
      await reader.close();
      assert.ok((await fs.readFile(current('a'))).equals(contentOf(50, 2)), 'the same bytes');
    });

    it('does not finish with another size than the one it must have', async () => {
      const target = await open();
      const part = await target.openPart('p1');
      await feed(await part.sink({ startAt: 0, maxBytes: 100 }), contentOf(40));
      await assert.rejects(
        part.finish({ sizeBytes: 100, modifiedMs: undefined }),
        isCode('size-mismatch', /40 of 100/),
      );
      await assert.rejects(part.moveTo(local('a')), /not finished/);
      await part.discard();
      assert.deepEqual(await fs.readdir(current('')), []);
    });

    it('stops at the first byte more than announced', async () => {
      const target = await open();
      for (const sizeBytes of [100, 600_000]) {
        const part = await target.openPart('p1');
        const sink = await part.sink({ startAt: 0, maxBytes: sizeBytes });
        const content = contentOf(sizeBytes + 1);
        await assert.rejects(feed(sink, content), isCode('size-mismatch', /more bytes/));
        await assert.rejects(part.finish({ sizeBytes, modifiedMs: undefined }), isCode('size-mismatch'));
        await part.discard();
      }
      assert.deepEqual(await fs.readdir(join(folder, '.site-backup', 'parts')), []);
    });

    it('can be finished when the server never confirmed the end, and only with the whole size', async () => {
      const target = await open();
      const part = await target.openPart('p1');
      const sink = await part.sink({ startAt: 0, maxBytes: 1000 });
      sink.write(contentOf(1000));
      sink.destroy(new Error('no 226'));
      assert.equal(part.sizeBytes, 1000);
      const { sha256: hash } = await part.finish({ sizeBytes: 1000, modifiedMs: undefined });
      assert.equal(hash.toString('hex'), sha256(contentOf(1000)));
    });

    it('is refused where a folder lies, and the folder stays', async () => {
      const target = await open();
      await store(target, 'a/b', contentOf(10));
      const part = await target.openPart('p2');
      await fill(part, contentOf(20));
      await assert.rejects(part.moveTo(local('a')), isCode('target-unwritable', /folder/));
      await fs.mkdir(current('empty'));
      await assert.rejects(part.moveTo(local('empty')), isCode('target-unwritable', /folder/));
      await part.moveTo(local('c'));
      assert.deepEqual((await fs.readdir(current(''))).sort(), ['a', 'c', 'empty']);
    });

    it('is refused where a file lies in place of its folder', async () => {
      const target = await open();
      await store(target, 'a', contentOf(10));
      const part = await target.openPart('p2');
      await fill(part, contentOf(20));
      await assert.rejects(part.moveTo(local('a/b')), isCode('target-unwritable', /a file lies there/));
      assert.equal((await fs.stat(current('a'))).size, 10);
    });

    it('makes its folder again where somebody removed it meanwhile', async () => {
      const target = await open();
      await store(target, 'a/b/c', contentOf(10));
      await fs.rm(current('a'), { recursive: true });
      await store(target, 'a/b/c', contentOf(20));
      assert.equal((await fs.stat(current('a/b/c'))).size, 20);
    });

    it('takes the whole target for missing where its volume goes away meanwhile', async () => {
      const target = await open();
      await store(target, 'a/b', contentOf(10));
      const part = await target.openPart('p2');
      await fill(part, contentOf(20));
      await fs.rename(folder, `${folder}-away`);
      await fs.mkdir(folder);
      await assert.rejects(part.moveTo(local('c')), isCode('target-missing'));
      await assert.rejects(target.statFile(local('a/b')), isCode('target-missing'));
      await assert.rejects(target.statFile(local('x/y')), isCode('target-missing'));
      await assert.rejects(target.retire(local('a'), RUN), isCode('target-missing'));
      await assert.rejects(target.makeFolder(local('d')), isCode('target-missing'));
      await assert.rejects(target.flush(), isCode('target-missing'));
      const other = await target.openPart('p3');
      await assert.rejects(fill(other, contentOf(1)), isCode('target-missing'));
      assert.deepEqual(await fs.readdir(folder), []);
    });

    it('says which name the disk cannot hold', async () => {
      const target = await open();
      const part = await target.openPart('p2');
      await fill(part, contentOf(20));
      await assert.rejects(part.moveTo(local('n'.repeat(256))), isCode('name-unusable', /ENAMETOOLONG/));
      const deep = Array.from({ length: 20 }, () => 'n'.repeat(200)).join('/');
      await assert.rejects(part.moveTo(local(deep)), isCode('name-unusable', /path of \d+ bytes/));
      assert.deepEqual(await fs.readdir(current('')), []);
    });
  });

  describe('when a transfer goes on', () => {
    const size = 700_000;
    const content = contentOf(size);

    /** A part of which some came, by a program that is gone. */
    async function leave(bytes: number): Promise<{ target: Target; part: Part }> {
      const target = await open();
      const part = await target.openPart('big');
      const sink = await part.sink({ startAt: 0, maxBytes: size });
      sink.write(content.subarray(0, bytes));
      await part.close();
      const again = await open(true);
      return { target: again, part: await again.openPart('big') };
    }

    it('asks again for the last bytes, and ends with the hash of the whole', async () => {
      const { target, part } = await leave(300_000);
      assert.equal(part.haveBytes, 300_000);
      assert.equal(await target.partBytes('big'), 300_000);
      assert.equal(part.resumeAt, 300_000 - OVERLAP_BYTES);
      await feed(await part.sink({ startAt: part.resumeAt, maxBytes: size }), content.subarray(part.resumeAt), 1000);
      const done = await part.finish({ sizeBytes: size, modifiedMs: undefined });
      assert.equal(done.sha256.toString('hex'), sha256(content));
      await part.moveTo(local('big.mp4'));
      assert.ok((await fs.readFile(current('big.mp4'))).equals(content), 'the same bytes');
    });

    it('goes on in the same program after a connection was lost', async () => {
      const target = await open();
      const part = await target.openPart('big');
      const first = await part.sink({ startAt: 0, maxBytes: size });
      first.write(content.subarray(0, 400_000));
      first.destroy(new Error('lost'));
      const startAt = part.resumeAt;
      const second = await part.sink({ startAt, maxBytes: size });
      await feed(second, content.subarray(startAt));
      const done = await part.finish({ sizeBytes: size, modifiedMs: undefined });
      assert.equal(done.sha256.toString('hex'), sha256(content));
    });

    it('does not go on where the server sends other bytes, and empties the part', async () => {
      const { target, part } = await leave(300_000);
      const sink = await part.sink({ startAt: part.resumeAt, maxBytes: size });
      await assert.rejects(feed(sink, content), isCode('transfer-aborted', /restart not proven/));
      assert.equal(part.resumeAt, 0);
      assert.equal(await target.partBytes('big'), 0);
      await assert.rejects(part.finish({ sizeBytes: size, modifiedMs: undefined }), isCode('transfer-aborted'));
      const done = await fill(part, content);
      assert.equal(done.sha256.toString('hex'), sha256(content));
    });

    it('does not go on where the server ends before it has proven anything', async () => {
      const { part } = await leave(300_000);
      const sink = await part.sink({ startAt: part.resumeAt, maxBytes: size });
      await assert.rejects(
        feed(sink, content.subarray(part.resumeAt, part.resumeAt + 100)),
        isCode('transfer-aborted', /restart not proven/),
      );
      await assert.rejects(part.finish({ sizeBytes: 300_000, modifiedMs: undefined }), isCode('transfer-aborted'));
    });

    it('never leaves old bytes to resume from once it began anew', async () => {
      const { target, part } = await leave(300_000);
      const sink = await part.sink({ startAt: 0, maxBytes: size });
      sink.write(Buffer.from('other content'));
      await part.close();
      assert.equal(await target.partBytes('big'), 0);
    });

    it('cannot be resumed where nothing would prove it', async () => {
      const { part } = await leave(300_000);
      for (const startAt of [300_000, 300_001, -1]) {
        await assert.rejects(part.sink({ startAt, maxBytes: size }), RangeError);
      }
    });

    it('goes on from where the caller chose, whatever was written since', async () => {
      const { part } = await leave(300_000);
      const sink = await part.sink({ startAt: 1000, maxBytes: size });
      assert.equal(part.haveBytes, 1000 + OVERLAP_BYTES);
      await feed(sink, content.subarray(1000));
      const done = await part.finish({ sizeBytes: size, modifiedMs: undefined });
      assert.equal(done.sha256.toString('hex'), sha256(content));
    });

    it('can be cancelled while it reads what is there', async () => {
      const { part } = await leave(300_000);
      const signal = AbortSignal.abort(new Error('stop'));
      await assert.rejects(part.sink({ startAt: part.resumeAt, maxBytes: size, signal }), /stop/);
    });

    it('is whole however the connection breaks', async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.integer({ min: 0, max: size }),
          fc.array(fc.integer({ min: 1, max: 400_000 }), { maxLength: 3 }),
          fc.integer({ min: 500, max: 300_000 }),
          async (bytes, breaks, chunkBytes) => {
            const { part } = await leave(bytes);
            for (const breakAfter of breaks) {
              const startAt = part.resumeAt;
              const sink = await part.sink({ startAt, maxBytes: size });
              sink.write(content.subarray(startAt, startAt + breakAfter));
              sink.destroy();
              if (breakAfter % 2 === 0) await part.close();
            }
            const startAt = part.resumeAt;
            await feed(await part.sink({ startAt, maxBytes: size }), content.subarray(startAt), chunkBytes);
            const done = await part.finish({ sizeBytes: size, modifiedMs: undefined });
            assert.equal(done.sha256.toString('hex'), sha256(content));
            await part.moveTo(local('big.mp4'));
            assert.ok((await fs.readFile(current('big.mp4'))).equals(content), 'the same bytes');
          },
        ),
        { numRuns: 15 },
      );
    });

    it('forgets the parts that nobody waits for', async () => {
      const { target } = await leave(300_000);
      const parts = join(folder, '.site-backup', 'parts');
      for (const name of ['old1', 'old2']) await fs.writeFile(join(parts, name), 'x');
      await fs.mkdir(join(parts, 'folder'));
      await (await open(true)).removePartsExcept(new Set(['big']));
      assert.deepEqual((await fs.readdir(parts)).sort(), ['big', 'folder']);
      assert.equal(await target.partBytes('big'), 300_000);
    });
  });

  describe('when something is retired', () => {
    it('moves a file to the version of the run, parents made', async () => {
      const target = await open();
      await store(target, 'a/b/c.txt', contentOf(10));
      assert.equal(await target.retire(local('a/b/c.txt'), RUN), true);
      assert.equal(await target.statFile(local('a/b/c.txt')), undefined);
      assert.ok(
        (await fs.readFile(join(folder, 'versions', RUN, 'a/b/c.txt'))).equals(contentOf(10)),
        'the same bytes',
      );
      await target.flush();
    });

    it('has a place for whatever it took in, be its path the longest that it takes', async () => {
      const target = await open();
      const roomBytes = 4095 - Buffer.byteLength(`${folder}/versions/`) - 65;
      const start = `${'n'.repeat(200)}/`.repeat(Math.floor((roomBytes - 1) / 201));
      const path = local(start.padEnd(roomBytes, 'x'));
      const content = await store(target, path, contentOf(10));
      await assert.rejects(store(target, `${path}x`, contentOf(10)), isCode('name-unusable'));
      const place = await target.versions.findPlace(path, RUN);
      const known = { ...content, modifiedMs: MODIFIED_MS };
      assert.equal(await target.versions.keep(path, place, known, 'move'), 'kept');
      await target.flush();
      assert.ok(await target.versions.holds(place, content));
      await target.versions.remove(place);
      assert.deepEqual(await fs.readdir(join(folder, 'versions')), []);
    });

    it('goes on beside what lies in the place of the whole run, and finds it again', async () => {
      const target = await open();
      const content = await store(target, 'a/b.txt', contentOf(10));
      await fs.writeFile(join(folder, 'versions', RUN), 'in the way');
      const place = await target.versions.findPlace(local('a/b.txt'), RUN);
      assert.deepEqual(place, { folder: `${RUN}~2`, localPath: 'a/b.txt' });
      assert.equal(await target.versions.keep(local('a/b.txt'), place, { ...content, modifiedMs: 0 }, 'move'), 'kept');
      await target.flush();
      assert.ok(await target.versions.holds(place, content));
    });

    it('moves a whole folder, and a file may then take its place', async () => {
      const target = await open();
      await store(target, 'a/b/c', contentOf(10));
      assert.equal(await target.retire(local('a'), RUN), true);
      await store(target, 'a', contentOf(20));
      assert.equal(await target.retire(local('a'), 'run-2'), true);
      await store(target, 'a/b/c', contentOf(30));
      assert.equal((await fs.stat(join(folder, 'versions', RUN, 'a/b/c'))).size, 10);
      assert.equal((await fs.stat(join(folder, 'versions', 'run-2', 'a'))).size, 20);
      assert.equal((await fs.stat(current('a/b/c'))).size, 30);
      await target.flush();
    });

    it('says where there was nothing, and makes nothing', async () => {
      const target = await open();
      await store(target, 'file', contentOf(1));
      for (const path of ['x', 'x/y/z', 'file/below']) assert.equal(await target.retire(local(path), RUN), false);
      assert.deepEqual(await fs.readdir(join(folder, 'versions')), []);
    });

    it('never overwrites what an earlier part of the run retired', async () => {
      const target = await open();
      for (const size of [1, 2, 3]) {
        await store(target, 'a/photo.jpg', contentOf(size));
        await target.retire(local('a/photo.jpg'), RUN);
      }
      await target.retire(local('a'), RUN);
      await store(target, 'a', contentOf(4));
      await target.retire(local('a'), RUN);
      const version = join(folder, 'versions', RUN);
      assert.deepEqual((await fs.readdir(version)).sort(), ['a', 'a~2', 'a~3']);
      assert.deepEqual((await fs.readdir(join(version, 'a'))).sort(), ['photo.jpg', 'photo~2.jpg', 'photo~3.jpg']);
      assert.equal((await fs.stat(join(version, 'a', 'photo~3.jpg'))).size, 3);
    });

    it('finds a folder for a file whose parent was retired as a file', async () => {
      const target = await open();
      await store(target, 'a', contentOf(1));
      await target.retire(local('a'), RUN);
      await store(target, 'a/b', contentOf(2));
      await target.retire(local('a/b'), RUN);
      assert.equal((await fs.stat(join(folder, 'versions', RUN, 'a'))).size, 1);
      assert.equal((await fs.stat(join(folder, 'versions', RUN, 'a~2', 'b'))).size, 2);
    });

    it('takes no name for a run that could lead elsewhere', async () => {
      const target = await open();
      for (const run of ['', '.', '..', '../x', 'a/b', '-x', '.hidden']) {
        await assert.rejects(target.retire(local('a'), run), /Not the name of a run/);
      }
    });
  });

  describe('under attack', () => {
    it('follows no symbolic link below current/', async () => {
      const elsewhere = await fs.mkdtemp(join(temporary, 'elsewhere-'));
      await fs.writeFile(join(elsewhere, 'secret'), 'x');
      const target = await open();
      await fs.symlink(elsewhere, current('link'));
      await fs.symlink(join(elsewhere, 'secret'), current('link-to-file'));
      const part = await target.openPart('p1');
      await fill(part, contentOf(10));
      const isLink = isCode('target-unwritable', /symbolic link/);
      await assert.rejects(part.moveTo(local('link/secret')), isLink);
      await assert.rejects(part.moveTo(local('link/sub/secret')), isLink);
      await assert.rejects(target.makeFolder(local('link')), isLink);
      await assert.rejects(target.statFile(local('link/secret')), isLink);
      await assert.rejects(target.retire(local('link/secret'), RUN), isLink);
      assert.equal(await target.statFile(local('link-to-file')), undefined);
      await part.moveTo(local('link-to-file'));
      assert.equal((await fs.lstat(current('link-to-file'))).isFile(), true);
      assert.equal(await fs.readFile(join(elsewhere, 'secret'), 'utf8'), 'x');
      assert.deepEqual(await fs.readdir(elsewhere), ['secret']);
    });

    it('writes through no symbolic link in place of a part', async () => {
      const elsewhere = join(temporary, 'victim');
      await fs.writeFile(elsewhere, 'x');
      await open();
      await fs.symlink(elsewhere, join(folder, '.site-backup', 'parts', 'p1'));
      const target = await open(true);
      const part = await target.openPart('p1');
      assert.equal(part.haveBytes, 0);
      await assert.rejects(fill(part, contentOf(10)), isCode('target-unwritable', /ELOOP/));
      assert.equal(await fs.readFile(elsewhere, 'utf8'), 'x');
    });

    it('takes no path that leads out of current/, wherever it comes from', async () => {
      const target = await open();
      const part = await target.openPart('p1');
      await fill(part, contentOf(10));
      for (const path of ['..', '../x', 'a/../../x', '/etc/passwd', 'a//b', 'a/', './a', 'a/.', 'a\0b', '/']) {
        const isRefused = /Not a path below current/;
        await assert.rejects(part.moveTo(local(path)), isRefused);
        await assert.rejects(target.makeFolder(local(path)), isRefused);
        await assert.rejects(target.retire(local(path), RUN), isRefused);
        await assert.rejects(target.statFile(local(path)), isRefused);
      }
      await assert.rejects(part.moveTo(LOCAL_ROOT), /cannot be replaced/);
      await assert.rejects(target.retire(LOCAL_ROOT, RUN), /cannot be retired/);
      for (const id of ['', '..', 'a/b', 'a.b', 'x'.repeat(65)]) {
        await assert.rejects(target.openPart(id), /Not the id of a part/);
      }
    });

    it('remembers a bounded number of folders', async () => {
      const target = await open();
      let lstats = 0;
      const counting = { ...systemFs, lstat: (path: string) => ((lstats += 1), systemFs.lstat(path)) };
      const counted = await Target.open({ folder, marker: 'm1', isKnown: true, fs: counting });
      await target.makeFolder(local('first'));
      await counted.makeFolder(local('first'));
      const once = lstats;
      await counted.makeFolder(local('first'));
      assert.equal(lstats, once, 'looked at once');
      for (let n = 0; n < FOLDERS_VERIFIED_MAX; n++) await counted.makeFolder(local(`f${n}`));
      await counted.makeFolder(local('first'));
      assert.equal(lstats, once + 1, 'forgotten in its turn');
    });
  });
});
