/** The index or the folder is put back from an older copy, without the other. */
import { cpSync, existsSync, readFileSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { BackupFixture } from '../support/backup-fixture.ts';
import type { RunOverrides } from '../support/backup-fixture.ts';

const ARCHIVE: RunOverrides = { deletion: { rule: 'archive' } };
const OLD_MS = Date.UTC(2025, 5, 1);

let fixture: BackupFixture;
let copies: string;

beforeEach(async () => {
  fixture = await BackupFixture.start({ uniqueFacts: false });
  copies = join(fixture.stateDir, 'copies');
  fixture.tree.writeFile('/page.html', 'first', { mtimeMs: OLD_MS });
  fixture.tree.writeFile('/docs/a.txt', 'a', { mtimeMs: OLD_MS });
  fixture.tree.writeFile('/docs/b.txt', 'b', { mtimeMs: OLD_MS });
  await complete();
});
afterEach(() => fixture.end());

async function complete(): Promise<void> {
  const report = await fixture.run(ARCHIVE);
  assert.equal(report.outcome, 'complete', JSON.stringify([report.cause, report.failures]));
}

/** Lays a copy of the folder aside, and gives the way to put it back. */
function copyOf(folder: string): () => void {
  const copy = join(copies, 'copy');
  cpSync(folder, copy, { recursive: true, preserveTimestamps: true });
  return () => {
    rmSync(folder, { recursive: true });
    renameSync(copy, folder);
  };
}

function textsBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'utf8'))
    .sort();
}

describe('A folder that was put back from an older copy', () => {
  it('is not taken for what the index says: what differs comes again, and what lay there is kept', async () => {
    const putBack = copyOf(fixture.targetFolder);
    fixture.tree.writeFile('/page.html', 'second', { mtimeMs: OLD_MS + 5000 });
    fixture.tree.writeFile('/new/c.txt', 'c', { mtimeMs: OLD_MS });
    fixture.tree.makeFolder('/empty');
    await complete();
    putBack();
    fixture.server.clearLog();
    await complete();
    fixture.assertCurrentEquals();
    assert.ok(existsSync(join(fixture.current, 'empty')));
    assert.deepEqual([...fixture.retrievals().keys()].sort(), ['/new/c.txt', '/page.html']);
    assert.ok(fixture.notices().includes('index-out-of-step'));
    assert.deepEqual(textsBelow(join(fixture.targetFolder, 'versions')), ['first']);
    fixture.server.clearLog();
    await complete();
    assert.equal(fixture.server.count('RETR'), 0);
    assert.ok(!fixture.notices().includes('index-out-of-step'));
  });
});

describe('An index that was put back from an older copy', () => {
  it('does not claim what has left current/ since', async () => {
    const putBack = copyOf(join(fixture.stateDir, 'tasks'));
    fixture.tree.remove('/docs/a.txt');
    await complete();
    await complete();
    assert.ok(!existsSync(join(fixture.current, 'docs/a.txt')));
    putBack();
    // Back on the server as it was: no listing shows that it is not here.
    fixture.tree.writeFile('/docs/a.txt', 'a', { mtimeMs: OLD_MS });
    fixture.server.clearLog();
    await complete();
    fixture.assertCurrentEquals();
    assert.deepEqual([...fixture.retrievals().keys()], ['/docs/a.txt']);
  });

  it('loses nothing of what came since, whatever the server has by now', async () => {
    const putBack = copyOf(join(fixture.stateDir, 'tasks'));
    fixture.tree.writeFile('/page.html', 'second', { mtimeMs: OLD_MS + 5000 });
    fixture.tree.writeFile('/docs/c.txt', 'c of yesterday', { mtimeMs: OLD_MS });
    await complete();
    putBack();
    fixture.tree.writeFile('/page.html', 'third', { mtimeMs: OLD_MS + 9000 });
    fixture.tree.writeFile('/docs/c.txt', 'c of today', { mtimeMs: OLD_MS + 9000 });
    await complete();
    fixture.assertCurrentEquals();
    assert.deepEqual(textsBelow(join(fixture.targetFolder, 'versions')), ['c of yesterday', 'first', 'second']);
  });
});
