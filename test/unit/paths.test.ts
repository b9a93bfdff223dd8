import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { folderOf, nameOf, pathIn, readablePath } from '../../src/paths.ts';

describe('A path', () => {
  const paths: readonly [path: string, folder: string, name: string][] = [
    ['/a', '/', 'a'],
    ['/a/b', '/a', 'b'],
    ['/a b/c\xff', '/a b', 'c\xff'],
    ['a', '', 'a'],
    ['a/b', 'a', 'b'],
  ];
  for (const [path, folder, name] of paths) {
    it(`is its folder and its name: ${JSON.stringify(path)}`, () => {
      assert.equal(folderOf(path), folder);
      assert.equal(nameOf(path), name);
      assert.equal(pathIn(folder, name), path);
    });
  }

  it('is read as UTF-8 where it is that, and letter by letter where it is not', () => {
    assert.equal(readablePath(Buffer.from('/été').toString('latin1')), '/été');
    assert.equal(readablePath('/\xe9t\xe9'), '/été');
  });
});
