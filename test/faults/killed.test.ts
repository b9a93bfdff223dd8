import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import assert from 'node:assert/strict';
import type { RunReport } from '../../src/engine/run-report.ts';
import { BackupFixture } from '../support/backup-fixture.ts';
import { compileCli } from '../support/compiled-cli.ts';
import type { CompiledCli } from '../support/compiled-cli.ts';

const FILES = 2000;
const FOLDERS = 80;
const KILLS = 20;
/** Commands that one life may at most give to the server: 20 lives get through most of the work, none through all of it. */
const COMMANDS_OF_A_LIFE_MAX = 480;
const DELAY_MS_MAX = 40;
const CONNECTIONS = 6;

const COMMANDS = ['USER', 'CWD', 'EPSV', 'MLSD', 'MLST', 'RETR', 'SIZE', 'MDTM'];

/** Small and good enough: the same seed gives the same moments. */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** What the last process has printed. */
let output = '';

/** A process of the command line; `ended` tells its exit code, or undefined where it was killed. */
function startRun(cli: CompiledCli, fixture: BackupFixture): { kill: () => void; ended: Promise<number | undefined> } {
  const args = ['run', join(fixture.room, 'state', 'task.json'), '--state', fixture.stateDir, '--json'];
  const child = spawn(process.execPath, [cli.cliFile, ...args, '--connections', String(CONNECTIONS)], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  output = '';
  const keep = (chunk: Buffer): void => {
    output += chunk.toString();
  };
  child.stdout.on('data', keep);
  child.stderr.on('data', keep);
  return {
    kill: () => child.kill('SIGKILL'),
    ended: once(child, 'close').then(([code]) => (code as number | null) ?? undefined),
  };
}

describe('A process that is killed', () => {
  let cli: CompiledCli;
  let fixture: BackupFixture;

  before(async () => {
    cli = compileCli();
    fixture = await BackupFixture.start();
    for (let i = 0; i < FILES; i++) {
      const folder = `/f${i % FOLDERS}${i % 3 === 0 ? '/sub' : ''}`;
      fixture.tree.writeFile(`${folder}/file ${i}.txt`, `content of ${i}\n`.repeat(1 + (i % 40)));
    }
  });
  after(async () => {
    cli.remove();
    await fixture.end();
  });

  it(`${KILLS} times at random moments of a first run leaves only whole files and true records, and brings none twice`, async (t) => {
    const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000);
    t.diagnostic(`SEED=${seed}`);
    const random = randomFrom(seed);
    const contents = new Map<string, string>();
    for (const file of fixture.tree.files()) {
      contents.set(file.path.slice(1), createHash('sha256').update(file.read()).digest('hex'));
    }
    mkdirSync(fixture.stateDir, { recursive: true });
    writeFileSync(join(fixture.stateDir, 'task.json'), fixture.taskFileContent(), { mode: 0o600 });

    let commandsLeft = Infinity;
    let kill: () => void = () => undefined;
    const run = (): void => {
      if (--commandsLeft !== 0) return;
      setTimeout(kill, random() * DELAY_MS_MAX);
    };
    fixture.server.addFault({ command: COMMANDS }, { run });

    const visible = new Set<string>();
    let retrieved = 0;
    const checkRetrievals = (): void => {
      for (const [path, times] of fixture.retrievals()) {
        assert.ok(!visible.has(path.slice(1)), `SEED=${seed}: lay there already and was brought again: ${path}`);
        assert.equal(times, 1, `SEED=${seed}: twice in one life: ${path}`);
        retrieved++;
      }
      fixture.server.clearLog();
    };
    let killed = 0;
    for (let life = 1; life <= KILLS; life++) {
      commandsLeft = 1 + Math.floor(random() * COMMANDS_OF_A_LIFE_MAX);
      const child = startRun(cli, fixture);
      kill = child.kill;
      if ((await child.ended) === undefined) killed++;
      commandsLeft = Infinity;
      while (fixture.server.connectionsOpen > 0) await sleep(2);
      checkRetrievals();
      if (!existsSync(fixture.current)) continue;
      for (const [path, { sha256 }] of fixture.snapshot()) {
        assert.equal(sha256, contents.get(path), `SEED=${seed}, life ${life}: not whole: ${path}`);
        visible.add(path);
      }
      fixture.assertInvariants();
    }
    assert.ok(killed >= KILLS - 2, `${killed} of ${KILLS} lives ended by the kill\n${output}`);
    t.diagnostic(`${killed} kills, ${visible.size} of ${FILES} files there after the last`);
    assert.ok(visible.size > 0);

    const last = startRun(cli, fixture);
    assert.equal(await last.ended, 0, output);
    const report = JSON.parse(output) as RunReport;
    assert.equal(report.outcome, 'complete');
    checkRetrievals();
    t.diagnostic(`${retrieved - FILES} transfers were begun and lost in ${killed} kills`);
    assert.ok(retrieved - FILES <= killed * CONNECTIONS, 'only those under way at a kill');
    fixture.assertCurrentEquals();
    fixture.assertInvariants();

    const quiet = startRun(cli, fixture);
    assert.equal(await quiet.ended, 0, output);
    assert.equal(fixture.server.count('RETR'), 0);
  });
});
