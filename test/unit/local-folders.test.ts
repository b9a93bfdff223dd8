import assert from 'node:assert/strict';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import fc from 'fast-check';
import {
  LOCAL_FOLDERS_MAX,
  folderRoots,
  freeBytesFor,
  listLocalFolder,
  makeLocalFolder,
  probeLocalFolder,
} from '../../src/tasks/local-folders.ts';
import type { FolderRoot } from '../../src/tasks/local-folders.ts';

const room = realpathSync(mkdtempSync(join(tmpdir(), 'site-backup-folders-')));
const share = join(room, 'volume1', 'web-backup');
const outside = join(room, 'outside');
const isRoot = process.getuid?.() === 0;
const NOBODY = 65_534;

for (const folder of [
  join(share, 'sites', 'garage'),
  join(share, '@eaDir'),
  join(share, '.git'),
  join(share, '#recycle'),
  outside,
]) {
  mkdirSync(folder, { recursive: true });
}
writeFileSync(join(share, 'a file'), '');
symlinkSync(outside, join(share, 'way-out'));
symlinkSync(join(share, 'sites'), join(share, 'way-in'));

after(() => {
  rmSync(room, { recursive: true, force: true });
});

const roots = (): Promise<FolderRoot[]> => folderRoots([share]);

describe('the tops of the folder picker', () => {
  it('are the shared folders of all volumes, without those of DSM itself and of Web Station', async () => {
    for (const name of ['web', 'web_packages', '@appdata', '#recycle', 'homes']) mkdirSync(join(room, 'volume1', name));
    mkdirSync(join(room, 'volume10', 'far'), { recursive: true });
    mkdirSync(join(room, 'volumes', 'none'), { recursive: true });
    const found = await folderRoots([], room);
    assert.deepEqual(
      found.map((root) => root.path.slice(room.length)),
      ['/volume1/homes', '/volume1/web-backup', '/volume10/far'],
    );
    assert.ok(
      found.every((root) => root.isWritable && (root.freeBytes ?? 0) > 0),
      JSON.stringify(found),
    );
  });

  it('are those of the settings where there are some, as far as they are there', async () => {
    const found = await folderRoots([share, join(room, 'gone'), join(share, 'a file')]);
    assert.deepEqual(
      found.map((root) => root.path),
      [share],
    );
  });
});

describe('a folder of the NAS', () => {
  it('shows its subfolders by name, without hidden ones, links and files', async () => {
    const listing = await listLocalFolder(share, await roots());
    assert.deepEqual(listing, { path: share, root: share, folders: ['sites'], isComplete: true });
  });

  it('shows no more than the bound', async () => {
    const many = join(share, 'many');
    mkdirSync(many);
    for (let n = 0; n <= LOCAL_FOLDERS_MAX; n++) mkdirSync(join(many, `f${n}`));
    const listing = await listLocalFolder(many, await roots());
    assert.ok('folders' in listing, JSON.stringify(listing));
    assert.equal(listing.folders.length, LOCAL_FOLDERS_MAX);
    assert.equal(listing.isComplete, false);
    rmSync(many, { recursive: true });
  });

  it('is refused where it lies outside, however that is written', async () => {
    const cases: readonly (readonly [string, string])[] = [
      ['/etc', 'outside'],
      [`${share}-other`, 'outside'],
      [join(room, 'volume1'), 'outside'],
      [`${share}/../../outside`, 'path-bad'],
      [`${share}/sites/./garage`, 'path-bad'],
      [`${share}/sites\0/garage`, 'path-bad'],
      [`${share}/sites\n`, 'path-bad'],
      ['volume1/web-backup', 'path-bad'],
      ['', 'path-bad'],
      [`${share}/way-out`, 'outside'],
      [`${share}/way-out/deeper`, 'outside'],
      [`${share}/@eaDir`, 'name-bad'],
      [`${share}/.git/hooks`, 'name-bad'],
      [`${share}/${'x'.repeat(300)}`, 'name-bad'],
      [`${share}/${'x/'.repeat(3000)}`, 'path-bad'],
      [`${share}/a file`, 'not-a-folder'],
      [`${share}/a file/below`, 'not-a-folder'],
      [`${share}/gone`, 'missing'],
    ];
    for (const [path, fault] of cases) {
      assert.deepEqual(await listLocalFolder(path, await roots()), { fault }, JSON.stringify(path));
    }
  });

  it('may be reached by a link that stays inside', async () => {
    const listing = await listLocalFolder(join(share, 'way-in'), await roots());
    assert.ok('folders' in listing && listing.folders.includes('garage'), JSON.stringify(listing));
  });

  it('never lets a path out of its top, whatever the path', async () => {
    const part = fc.constantFrom('..', '.', '', 'sites', 'way-out', 'way-in', '/', '\0', '@eaDir', '//', 'x');
    const known = await roots();
    await fc.assert(
      fc.asyncProperty(fc.array(part, { maxLength: 6 }), async (parts) => {
        const listing = await listLocalFolder(`${share}/${parts.join('/')}`, known);
        if ('fault' in listing) return;
        const real = realpathSync(listing.path);
        assert.ok(real === share || real.startsWith(`${share}/`), real);
      }),
    );
  });
});

describe('trying a folder', () => {
  it('writes, renames and deletes a file, and leaves nothing', async () => {
    const before = readdirSync(share).sort();
    assert.equal(await probeLocalFolder(share, await roots()), undefined);
    assert.equal(await probeLocalFolder(join(share, 'new', 'deeper'), await roots()), undefined);
    assert.deepEqual(readdirSync(share).sort(), before);
  });

  it('says what stands in the way', async () => {
    assert.equal(await probeLocalFolder('/etc/x', await roots()), 'outside');
    assert.equal(await probeLocalFolder(join(share, 'way-out', 'x'), await roots()), 'outside');
    assert.equal(await probeLocalFolder(join(share, 'a file', 'x'), await roots()), 'not-a-folder');
  });

  it('says that it may not write', async () => {
    const closed = join(share, 'closed');
    mkdirSync(closed);
    chmodSync(room, 0o755);
    chmodSync(closed, 0o555);
    const known = await roots();
    // The superuser may write anywhere: for this test it is somebody else.
    if (isRoot) process.seteuid?.(NOBODY);
    try {
      assert.equal(await probeLocalFolder(closed, known), 'denied');
    } finally {
      if (isRoot) process.seteuid?.(0);
    }
    chmodSync(closed, 0o755);
    assert.equal(await probeLocalFolder(closed, known), undefined);
    rmSync(closed, { recursive: true });
  });
});

describe('making a folder', () => {
  it('makes it once, and takes it as it is the second time', async () => {
    assert.equal(await makeLocalFolder(share, 'Boutique Lumière', await roots()), undefined);
    assert.ok(existsSync(join(share, 'Boutique Lumière')), 'not made');
    assert.equal(await makeLocalFolder(share, 'Boutique Lumière', await roots()), undefined);
  });

  it('refuses names that are a way, hidden, or taken by a file', async () => {
    for (const name of ['', '..', '../x', 'a/b', '.x', '@x', '#x', 'a\0b', ' x', 'x'.repeat(256)]) {
      assert.equal(await makeLocalFolder(share, name, await roots()), 'name-bad', JSON.stringify(name));
    }
    assert.equal(await makeLocalFolder(share, 'a file', await roots()), 'not-a-folder');
    assert.equal(await makeLocalFolder(join(share, 'way-out'), 'x', await roots()), 'outside');
    assert.equal(existsSync(join(outside, 'x')), false);
  });

  it('knows the free space of a folder that is not there yet', async () => {
    assert.ok((await freeBytesFor(join(share, 'not', 'yet'))) !== undefined, 'unknown');
  });
});
