import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { isBackupError } from '../../src/errors.ts';
import { countVersions, ownerOfFolder, removeTaskFiles } from '../../src/tasks/task-files.ts';

const room = mkdtempSync(join(tmpdir(), 'site-backup-files-'));
const never = new AbortController().signal;
let made = 0;

after(() => {
  rmSync(room, { recursive: true, force: true });
});

/** A task's folder as a run leaves it. */
function taskFolder(marker: string): string {
  const folder = join(room, `task-${++made}`);
  for (const name of ['current/wp-content', 'versions/2026-11-21T02-00-00', '.site-backup/parts']) {
    mkdirSync(join(folder, name), { recursive: true });
  }
  writeFileSync(join(folder, 'current', 'index.php'), 'x');
  writeFileSync(join(folder, '.site-backup', 'parts', 'zz'), 'x');
  writeFileSync(join(folder, '.site-backup', 'marker.json'), JSON.stringify({ format: 1, marker }));
  return folder;
}

describe('the files of a task', () => {
  it('go with the folder where nothing else lies in it', async () => {
    const folder = taskFolder('mine');
    assert.equal(await countVersions(folder), 1);
    await removeTaskFiles(folder, 'mine', never);
    assert.equal(existsSync(folder), false);
    assert.equal(await ownerOfFolder(folder, 'mine'), 'absent');
    await removeTaskFiles(folder, 'mine', never);
  });

  it('are all that goes: what somebody else put beside them stays', async () => {
    const folder = taskFolder('mine');
    writeFileSync(join(folder, 'notes.txt'), 'keep');
    mkdirSync(join(folder, 'archives'));
    await removeTaskFiles(folder, 'mine', never);
    assert.deepEqual(readdirSync(folder).sort(), ['archives', 'notes.txt']);
  });

  it('are not touched where the folder bears another mark, or none', async () => {
    for (const [marker, content] of [
      ['mine', JSON.stringify({ marker: 'other' })],
      ['mine', 'not json'],
      [undefined, JSON.stringify({ marker: 'mine' })],
    ] as const) {
      const folder = taskFolder('mine');
      writeFileSync(join(folder, '.site-backup', 'marker.json'), content);
      await assert.rejects(removeTaskFiles(folder, marker, never), (error) => isBackupError(error, 'target-taken'));
      assert.ok(existsSync(join(folder, 'current', 'index.php')), 'a file went');
    }
    const bare = join(room, 'bare');
    mkdirSync(join(bare, 'current'), { recursive: true });
    await assert.rejects(removeTaskFiles(bare, 'mine', never), (error) => isBackupError(error, 'target-taken'));
  });

  it('are not followed where a link lies among them', async () => {
    const folder = taskFolder('mine');
    const outside = join(room, 'outside');
    mkdirSync(outside, { recursive: true });
    writeFileSync(join(outside, 'precious'), 'x');
    symlinkSync(outside, join(folder, 'current', 'link'));
    rmSync(join(folder, 'versions'), { recursive: true });
    symlinkSync(outside, join(folder, 'versions'));
    await removeTaskFiles(folder, 'mine', never);
    assert.equal(readFileSync(join(outside, 'precious'), 'utf8'), 'x');
    assert.equal(existsSync(folder), false);
  });

  it('still bear their mark when the deletion is cut short', async () => {
    const folder = taskFolder('mine');
    await assert.rejects(removeTaskFiles(folder, 'mine', AbortSignal.abort()), (error) =>
      isBackupError(error, 'cancelled'),
    );
    assert.equal(await ownerOfFolder(folder, 'mine'), 'own');
    await removeTaskFiles(folder, 'mine', never);
    assert.equal(existsSync(folder), false);
  });
});
