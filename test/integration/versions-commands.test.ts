/** What the command line shows and does of versions. */
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import Database from 'better-sqlite3';
import type { CommandContext } from '../../src/cli/command-context.ts';
import { runDelete } from '../../src/cli/delete-command.ts';
import { runHistory } from '../../src/cli/history-command.ts';
import { readArguments } from '../../src/cli/options.ts';
import type { PastCommand } from '../../src/cli/options.ts';
import { runGet, runPin, runPrune, runTree, runVersions } from '../../src/cli/versions-commands.ts';
import { systemClock } from '../../src/clock.ts';
import { isBackupError } from '../../src/errors.ts';
import { holdTaskLock } from '../../src/state/task-database.ts';
import { parseTaskSettings } from '../../src/settings/parse-task.ts';
import { NO_SECRETS } from '../../src/settings/password-source.ts';
import type { TaskSettings } from '../../src/settings/task-settings.ts';
import { createText } from '../../src/text.ts';
import { BackupFixture } from '../support/backup-fixture.ts';

let fixture: BackupFixture;
let folder: string;
let shown = '';

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'site-backup-get-'));
  fixture = await BackupFixture.start();
  fixture.tree.writeFile('/sub/page.html', 'first');
  await fixture.run();
  fixture.tree.writeFile('/sub/page.html', 'second');
  fixture.tree.writeFile('/sub/new.html', 'new');
  await fixture.run();
});
afterEach(async () => {
  await fixture.end();
  rmSync(folder, { recursive: true, force: true });
});

function settings(versions: object = {}): TaskSettings {
  const task = JSON.parse(fixture.taskFileContent()) as object;
  const parsed = parseTaskSettings({ ...task, versions }, NO_SECRETS);
  assert.ok('settings' in parsed, JSON.stringify(parsed));
  return parsed.settings;
}

/** Runs one line of the command line; gives its exit code. */
async function command(line: string, versions: object = {}): Promise<number> {
  shown = '';
  const { invocation } = readArguments([...line.split(' '), '--state', fixture.stateDir], {});
  assert.ok(invocation.kind === 'command', JSON.stringify(invocation));
  const given = invocation.command as PastCommand;
  const write = (text: string): boolean => {
    shown += text;
    return true;
  };
  const stream = { write, isTTY: false, columns: 80, on: () => undefined } as unknown as CommandContext['stdout'];
  const signal = new AbortController().signal;
  const context: CommandContext = {
    text: createText('en'),
    clock: systemClock,
    stdout: stream,
    stderr: stream,
    signal,
  };
  const task = settings(versions);
  switch (given.name) {
    case 'versions':
      return runVersions(given, task, context);
    case 'tree':
      return runTree(given, task, context);
    case 'get':
      return runGet(given, task, context);
    case 'history':
      return runHistory(given, task, context);
    case 'delete':
      return runDelete(given, task, context);
    case 'prune':
      return runPrune(given, task, context);
    case 'pin':
    case 'unpin':
      return runPin(given, task, context);
  }
}

describe('The command line', () => {
  it('lists versions, and what lay in a folder at the end of a run', async () => {
    assert.equal(await command('versions t'), 0);
    assert.match(shown, /^ +2 {2}20.* complete\n +1 {2}20.* complete\n$/);
    assert.equal(await command('tree t --run 1'), 0);
    assert.match(shown, /^ +sub\/\n$/);
    assert.equal(await command('tree t /sub --run 1'), 0);
    assert.match(shown, /^ +5 B .* page\.html\n$/);
    assert.equal(await command('tree t /sub --run 2'), 0);
    assert.match(shown, /new\.html\n.*page\.html\n$/);
    assert.equal(await command('tree t /nowhere --run 2'), 2);
    assert.match(shown, /no folder \/nowhere/);
    assert.equal(await command('tree t --run 99'), 2);
    assert.match(shown, /99 is not known/);
  });

  it('writes a file of the past, and never over one that is there', async () => {
    const output = join(folder, 'page.html');
    assert.equal(await command(`get t /sub/page.html --run 1 -o ${output}`), 0);
    assert.equal(readFileSync(output, 'utf8'), 'first');
    assert.equal(await command(`get t /sub/page.html --run 2 -o ${output}`), 2);
    assert.match(shown, /EEXIST/);
    assert.equal(readFileSync(output, 'utf8'), 'first');
    assert.equal(await command(`get t /sub/new.html --run 1 -o ${output}2`), 2);
    assert.match(shown, /no file/);
    assert.deepEqual(readdirSync(folder), ['page.html']);
  });

  it('says of a version that somebody has spoilt that it cannot be read, and writes nothing', async () => {
    const [version] = fixture.versions();
    const place = join(fixture.targetFolder, 'versions', version ?? '');
    writeFileSync(place, 'firsT');
    await assert.rejects(command(`get t /sub/page.html --run 1 -o ${join(folder, 'x')}`), (error) =>
      isBackupError(error, 'version-unreadable'),
    );
    assert.deepEqual(readdirSync(folder), []);
  });

  it('lists every content of a file, and deletes one only when told so', async () => {
    fixture.tree.rename('/sub/page.html', '/sub/other.html');
    await fixture.run({ deletion: { rule: 'archive' } });
    assert.equal(await command('history t /sub/page.html'), 0);
    assert.match(shown, /^ +2 – 3 .* renamed to \/sub\/other\.html\n +1 – 2 .*replaced\n$/);
    assert.equal(await command('history t /sub/other.html'), 0);
    assert.match(shown, /^ +3 – .*renamed from \/sub\/page\.html\n$/);
    assert.equal(await command('history t /sub/nothing.html'), 2);

    assert.equal(await command('delete t /sub/page.html --run 1'), 3);
    assert.match(shown, /5 B, SHA-256 .*\n.*1 version .*\n[^]*--yes/);
    assert.equal(fixture.versions().length, 1);
    assert.equal(await command('delete t /sub/page.html --run 1 --yes'), 0);
    assert.deepEqual(fixture.versions(), []);
    assert.deepEqual(readdirSync(join(fixture.targetFolder, 'versions')), []);
    assert.equal(await command('tree t /sub --run 1'), 0);
    assert.match(shown, /page\.html {2}\(deleted by hand\)/);
    assert.equal(await command('delete t /sub/page.html --run 1 --yes'), 2);
    assert.match(shown, /no longer/);
    await assert.rejects(command(`get t /sub/page.html --run 1 -o ${join(folder, 'x')}`), (error) =>
      isBackupError(error, 'version-unreadable'),
    );
    fixture.assertInvariants();
  });

  it('deletes no file that lies in the copy of the site, under whatever name, and nothing that is pinned', async () => {
    assert.equal(await command('delete t /sub/page.html --run 2 --yes'), 2);
    assert.match(shown, /copy of the site/);
    fixture.tree.rename('/sub/page.html', '/sub/other.html');
    await fixture.run({ deletion: { rule: 'archive' } });
    assert.equal(await command('delete t /sub/page.html --run 2 --yes'), 2);
    assert.match(shown, /copy of the site/);
    assert.equal(await command('pin t --run 1'), 0);
    for (const what of ['/sub/page.html --run 1', '--run 1']) {
      assert.equal(await command(`delete t ${what} --yes`), 2);
      assert.match(shown, /pinned/);
    }
    assert.equal(await command('delete t --run 3 --yes'), 2);
    assert.match(shown, /latest/);
    assert.equal(fixture.versions().length, 1);
    assert.equal(readFileSync(join(fixture.current, 'sub/other.html'), 'utf8'), 'second');
  });

  it('deletes a whole version with what only that one needs, and no other', async () => {
    fixture.tree.writeFile('/sub/page.html', 'the third');
    fixture.tree.writeFile('/sub/new.html', 'newer');
    await fixture.run();
    assert.equal(await command('delete t --run 2'), 3);
    assert.match(shown, /2 files, 9 B/);
    assert.equal(await command('delete t --run 2 --yes'), 0);
    assert.equal(fixture.versions().length, 1);
    assert.equal(await command('tree t --run 2'), 2);
    assert.match(shown, /no longer kept/);
    assert.equal(await command(`get t /sub/page.html --run 1 -o ${join(folder, 'x')}`), 0);
    assert.equal(readFileSync(join(folder, 'x'), 'utf8'), 'first');
    assert.equal(await command('delete t --run 1 --yes'), 0);
    assert.deepEqual(fixture.versions(), []);
  });

  it('deletes nothing while a run is under way or held', async () => {
    const release = holdTaskLock(fixture.stateDir, settings().name);
    await assert.rejects(command('delete t /sub/page.html --run 1 --yes'), (error) =>
      isBackupError(error, 'already-running'),
    );
    release();
    for (let n = 0; n < 30; n++) fixture.tree.writeFile(`/many/${n}`, 'x');
    await fixture.run();
    fixture.tree.remove('/many');
    assert.equal((await fixture.run({ guards: { vanishedPercent: 25 } })).outcome, 'held');
    for (const what of ['/sub/page.html --run 1', '--run 1']) {
      assert.equal(await command(`delete t ${what} --yes`), 2);
      assert.match(shown, /held/);
    }
    assert.equal(fixture.versions().length, 1);
  });

  it('says of content whose deletion was cut short that it is being deleted, and the next run ends it', async () => {
    const db = new Database(fixture.databasePath);
    db.exec(`UPDATE version SET state = 'deleted'`);
    db.close();
    assert.equal(await command('tree t /sub --run 1'), 0);
    assert.match(shown, /being deleted/);
    await assert.rejects(command(`get t /sub/page.html --run 1 -o ${join(folder, 'x')}`));
    await fixture.run();
    assert.deepEqual(readdirSync(join(fixture.targetFolder, 'versions')), []);
    assert.equal(await command('tree t /sub --run 1'), 0);
    assert.match(shown, /deleted by hand/);
    fixture.assertInvariants();
  });

  it('says what would be pruned, prunes it, and leaves what is pinned', async () => {
    const last = { keep: 'last', count: 1 };
    assert.equal(await command('pin t --run 1', last), 0);
    assert.equal(await command('prune t --dry-run', last), 0);
    assert.match(shown, /would be deleted: 0/);
    assert.equal(await command('unpin t --run 1', last), 0);
    assert.equal(await command('prune t --dry-run', last), 0);
    assert.match(shown, /would be deleted: 1, with 1 file, 5 B/);
    assert.equal(fixture.versions().length, 1);
    assert.equal(await command('prune t', last), 0);
    assert.match(shown, /deleted: 1, with 1 file, 5 B/);
    assert.deepEqual(fixture.versions(), []);
    assert.equal(await command('tree t --run 1', last), 2);
    assert.match(shown, /no longer kept/);
    fixture.assertInvariants();
  });
});
