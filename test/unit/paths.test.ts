import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { folderOf, nameOf, pathIn } from '../../src/paths.ts';

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
});
