import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import assert from 'node:assert/strict';
import type { VersionTree } from '../../src/state/version-tree.ts';

/**
 * The whole tree as of a run: SHA-256 of what is read from the disk, by remote path, `expired` or `deleted`. Pages are of `pageSize`,
 * so that what comes after a page is seen as well. Contents of `damaged` need not be what they were.
 */
export function readPastTree(
  tree: VersionTree,
  runId: number,
  targetFolder: string,
  pageSize = 7,
  damaged: ReadonlySet<string> = new Set(),
): Map<string, string> {
  const files = new Map<string, string>();
  const folders = ['/'];
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    for (let after = ''; ;) {
      const page = tree.folders(runId, folder, after, pageSize);
      folders.push(...page);
      after = page.at(-1) ?? '';
      if (page.length < pageSize) break;
    }
    for (let after = ''; ;) {
      const page = tree.files(runId, folder, after, pageSize);
      for (const file of page) {
        const name = `run ${runId}: ${file.path}`;
        assert.ok(!files.has(file.path), `${name} is there twice`);
        if (file.state === 'expired' || file.state === 'deleted') {
          files.set(file.path, file.state);
          continue;
        }
        if (damaged.has(file.sha256.toString('hex'))) {
          files.set(file.path, file.sha256.toString('hex'));
          continue;
        }
        assert.equal(file.state, 'there', name);
        const place = file.places.map((one) => join(targetFolder, one.folder, one.path)).find(existsSync);
        assert.ok(place !== undefined, `${name} lies nowhere`);
        const sha256 = createHash('sha256').update(readFileSync(place)).digest('hex');
        assert.equal(sha256, file.sha256.toString('hex'), name);
        files.set(file.path, sha256);
      }
      after = page.at(-1)?.path.slice(folder.length + (folder === '/' ? 0 : 1)) ?? '';
      if (page.length < pageSize) break;
    }
  }
  return files;
}
