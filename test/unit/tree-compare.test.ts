import assert from 'node:assert/strict';
import { lstatSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { bytesOf, compareTrees, placeOf, snapshotFolder, TREE_TIME_MS, writeTree } from '../support/tree-compare.ts';

const folder = mkdtempSync(join(tmpdir(), 'site-backup-tree-'));
after(() => {
  rmSync(folder, { recursive: true, force: true });
});

describe('the comparison of two folders that whole-run tests rest on', () => {
  const there = join(folder, 'there');
  const here = join(folder, 'here');

  it('reads back what was written, names that are not UTF-8 included', () => {
    writeTree(there, {
      'a/b/index.html': 'hello',
      [bytesOf('Été à Paris.txt')]: { content: 'utf-8' },
      'caf\xe9/\xff.bin': { content: Buffer.alloc(3), mtimeMs: 1_000, mode: 0o600 },
      empty: { folder: true },
      'to-nowhere': { linkTo: '/etc/passwd' },
    });
    const found = snapshotFolder(there);
    assert.deepEqual([...found.keys()].sort(), ['a/b/index.html', 'caf\xe9/\xff.bin', bytesOf('Été à Paris.txt')]);
    assert.deepEqual(found.get('a/b/index.html'), {
      sizeBytes: 5,
      sha256: '2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824',
      mtimeMs: TREE_TIME_MS,
    });
    assert.equal(found.get('caf\xe9/\xff.bin')?.mtimeMs, 1_000);
    assert.equal(lstatSync(placeOf(there, 'caf\xe9/\xff.bin')).mode & 0o777, 0o600);
    assert.ok(lstatSync(placeOf(there, 'empty')).isDirectory());
  });

  it('finds equal trees equal', () => {
    assert.deepEqual(compareTrees(snapshotFolder(there), snapshotFolder(there), { timePrecisionMs: 1000 }), []);
  });

  it('tells a missing file, an extra one, another size, other bytes of the same size and another time apart', () => {
    writeTree(there, {
      'kept.txt': 'k',
      'size.txt': '1',
      'bytes.txt': 'ab',
      'time.txt': { content: 't', mtimeMs: 60_000 },
    });
    writeTree(here, {
      'size.txt': '22',
      'bytes.txt': 'cd',
      'time.txt': { content: 't', mtimeMs: 0 },
      'extra.txt': 'x',
    });
    const names = new Set(['kept.txt', 'size.txt', 'bytes.txt', 'time.txt']);
    const wanted = new Map([...snapshotFolder(there)].filter(([path]) => names.has(path)));
    assert.deepEqual(compareTrees(wanted, snapshotFolder(here), { timePrecisionMs: 1000 }).sort(), [
      'content of "bytes.txt": same size, other bytes',
      'missing here: "kept.txt"',
      'not on the server: "extra.txt"',
      'size of "size.txt": 1 on the server, 2 here',
      'time of "time.txt": 1970-01-01T00:01:00.000Z on the server, 1970-01-01T00:00:00.000Z here',
    ]);
  });

  it('compares times no more finely than it is told', () => {
    writeTree(join(folder, 'p'), { f: { content: '', mtimeMs: 60_000 } });
    writeTree(join(folder, 'q'), { f: { content: '', mtimeMs: 119_000 } });
    const [p, q] = [snapshotFolder(join(folder, 'p')), snapshotFolder(join(folder, 'q'))];
    assert.deepEqual(compareTrees(p, q, { timePrecisionMs: 60_000 }), []);
    assert.equal(compareTrees(p, q, { timePrecisionMs: 1000 }).length, 1);
  });

  it('looks for a file under the name that it must have here', () => {
    writeTree(join(folder, 'r'), { 'caf\xe9': 'x' });
    writeTree(join(folder, 's'), { [bytesOf('café')]: 'x' });
    const pathHere = (path: string): string => bytesOf(path);
    const [r, s] = [snapshotFolder(join(folder, 'r')), snapshotFolder(join(folder, 's'))];
    assert.deepEqual(compareTrees(r, s, { timePrecisionMs: 1000, pathHere }), []);
    assert.equal(compareTrees(r, s, { timePrecisionMs: 1000 }).length, 2);
  });
});
