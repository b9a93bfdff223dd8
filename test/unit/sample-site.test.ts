import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import { BIG_FILE_PATH, changeSampleSite, makeSampleSite } from '../support/sample-site.ts';
import { ScriptedTree, utf8Name } from '../support/scripted-ftp-tree.ts';

const NOW_MS = Date.UTC(2026, 10, 21, 12, 0, 0);

function newSite(bigFileBytes = 1000): ScriptedTree {
  const tree = new ScriptedTree(NOW_MS);
  makeSampleSite(tree, { bigFileBytes });
  return tree;
}

function snapshot(tree: ScriptedTree): Map<string, string> {
  const entries = [...tree.files()].map((file): [string, string] => {
    const hash = createHash('sha256').update(file.read()).digest('hex');
    return [file.path, `${file.sizeBytes} ${file.mtimeMs} ${hash}`];
  });
  return new Map(entries);
}

describe('the sample site', () => {
  it('is the same at every call, of believable size and age', () => {
    const files = snapshot(newSite());
    assert.deepEqual(files, snapshot(newSite()));
    assert.ok(files.size >= 60 && files.size <= 120, `${files.size} files`);
    for (const { path, mtimeMs } of newSite().files()) {
      assert.ok(mtimeMs < NOW_MS - 3 * 86_400_000 && mtimeMs > Date.UTC(2019, 0), path);
    }
    const big = [...newSite(50 * 1024 * 1024).files()].find((file) => file.path === BIG_FILE_PATH);
    assert.equal(big?.sizeBytes, 50 * 1024 * 1024);
  });

  it('has the names that break tools', () => {
    const paths = [...newSite().files()].map((file) => file.path);
    for (const path of ['/.htaccess', '/app/[slug]/page.tsx', '/old/caf\xe9.html', '/maintenance.flag']) {
      assert.ok(paths.includes(path), path);
    }
    assert.ok(paths.includes(utf8Name('/wp-content/uploads/2026/11/Été à Paris.jpg')));
  });

  it('changes exactly as it says', () => {
    const tree = newSite();
    const before = snapshot(tree);
    const changes = changeSampleSite(tree);
    const after = snapshot(tree);
    for (const { from, to } of changes.renamed) assert.equal(after.get(to), before.get(from));
    const gone = [...before.keys()].filter((path) => !after.has(path));
    assert.deepEqual(gone.sort(), [...changes.removed, ...changes.renamed.map(({ from }) => from)].sort());
    const come = [...after.keys()].filter((path) => !before.has(path));
    assert.deepEqual(come.sort(), [...changes.added, ...changes.renamed.map(({ to }) => to)].sort());
    const edited = [...after.keys()].filter((path) => before.has(path) && before.get(path) !== after.get(path));
    assert.deepEqual(edited.sort(), [...changes.edited, ...changes.editedSameSize].sort());
    for (const path of changes.editedSameSize) {
      assert.equal(after.get(path)?.split(' ')[0], before.get(path)?.split(' ')[0]);
    }
  });
});
