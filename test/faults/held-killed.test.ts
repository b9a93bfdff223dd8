import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import assert from 'node:assert/strict';
import { readNewestHold } from '../../src/state/task-hold.ts';
import { BackupFixture } from '../support/backup-fixture.ts';
import { compileCli } from '../support/compiled-cli.ts';
import type { CompiledCli } from '../support/compiled-cli.ts';

const PHOTOS = 150;
const PAGES = 250;
const NEW = 120;
/** Commands of the server after which a life ends: from the log-in to the last files. */
const MOMENTS = [3, 12, 25, 60, 110, 170];
const COMMANDS = ['USER', 'CWD', 'EPSV', 'MLSD', 'MLST', 'RETR'];

describe('A process that is killed while a run is held', () => {
  let cli: CompiledCli;
  let fixture: BackupFixture;
  let commandsLeft = Infinity;
  let kill: () => void = () => undefined;

  before(async () => {
    cli = compileCli();
    fixture = await BackupFixture.start();
    for (let i = 0; i < PHOTOS; i++) fixture.tree.writeFile(`/photos/p${i}.jpg`, `photo ${i}`);
    for (let i = 0; i < PAGES; i++) fixture.tree.writeFile(`/f${i % 20}/page ${i}.html`, `page ${i}`);
    mkdirSync(fixture.stateDir, { recursive: true });
    writeFileSync(join(fixture.stateDir, 'task.json'), fixture.taskFileContent(), { mode: 0o600 });
    fixture.server.addFault(
      { command: COMMANDS },
      {
        run: () => {
          if (--commandsLeft === 0) kill();
        },
      },
    );
  });
  after(async () => {
    cli.remove();
    await fixture.end();
  });

  /** The exit code; undefined where the process was killed at that many commands. */
  async function command(words: readonly string[], killedAt = Infinity): Promise<number | undefined> {
    const [name = '', ...more] = words;
    const args = [name, join(fixture.stateDir, 'task.json'), ...more, '--state', fixture.stateDir];
    const child = spawn(process.execPath, [cli.cliFile, ...args], { stdio: 'ignore' });
    kill = () => child.kill('SIGKILL');
    commandsLeft = killedAt;
    const [code] = (await once(child, 'close')) as [number | null];
    commandsLeft = Infinity;
    while (fixture.server.connectionsOpen > 0) await sleep(2);
    fixture.assertInvariants();
    return code ?? undefined;
  }

  it('loses nothing, asks all the same, and does what was accepted exactly once', async () => {
    assert.equal(await command(['run']), 0);
    const before = fixture.snapshot();
    fixture.tree.remove('/photos');
    for (let i = 0; i < 30; i++) fixture.tree.writeFile(`/f${i % 20}/page ${i}.html`, `edited page ${i}`);
    for (let i = 0; i < NEW; i++) fixture.tree.writeFile(`/news/n${i}.html`, `news ${i}`);

    const codes = [];
    for (const moment of MOMENTS) codes.push(await command(['run'], moment));
    assert.ok(codes.filter((code) => code === undefined).length >= MOMENTS.length - 1, codes.join(', '));
    fixture.assertNothingLost(before);
    assert.equal(await command(['run']), 3);
    fixture.assertNothingLost(before);
    const held = readNewestHold(fixture.stateDir, 'under test');
    assert.deepEqual(
      { decision: held?.decision, vanished: held?.vanished, replaced: held?.replaced },
      { decision: 'open', vanished: PHOTOS, replaced: 30 },
    );
    assert.equal([...fixture.snapshot().keys()].filter((path) => path.startsWith('news/')).length, NEW);

    assert.equal(await command(['decide', 'accept']), 0);
    const accepted = [];
    for (const moment of [2, 5, 9, 20]) accepted.push(await command(['run'], moment));
    assert.ok(accepted.includes(undefined), accepted.join(', '));
    assert.equal(await command(['run']), 0);
    assert.equal(await command(['held']), 0, 'nothing is open');
    for (let i = 0; i < 30; i++) {
      assert.equal(readFileSync(join(fixture.current, `f${i % 20}/page ${i}.html`), 'utf8'), `edited page ${i}`);
    }

    for (let i = 30; i < PAGES; i++) fixture.tree.remove(`/f${i % 20}/page ${i}.html`);
    assert.equal(await command(['run']), 3, 'the acceptance is spent');
  });
});
