/**
 * SIGKILL at every effect that outlives the process, in a run that does all that a run can do to what is here already.
 * A few of these moments by themselves; `KILL=all` for all of them (some minutes), `KILL=17,40` for some, each with a second
 * kill in the run that goes on.
 */
import { execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readFileSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import assert from 'node:assert/strict';
import Database from 'better-sqlite3';
import { RestorePoints } from '../../src/state/restore-points.ts';
import { VersionTree } from '../../src/state/version-tree.ts';
import { BackupFixture } from '../support/backup-fixture.ts';
import { compileCli } from '../support/compiled-cli.ts';
import type { CompiledCli } from '../support/compiled-cli.ts';
import { snapshotFolder } from '../support/tree-compare.ts';

const DELETE = { deletion: { rule: 'delete', days: 90 } } as const;
/** Of the run that is killed, and of those that go on. */
const THOROUGH = {
  ...DELETE,
  versions: { keep: 'last', count: 1 },
  verification: { sampleBytes: 10_000, sampleSeconds: 60, rehashDays: 30 },
} as const;
const LARGE_BYTES = 600_000;
const ROWS_MAX = 1000;
/** Vanishes in the run that is killed: only a second complete run may take it away. */
const LATE = 'docs/late.txt';
const ROTTEN = 'docs/rotten.txt';

interface Moment {
  /** Which effects are counted, and after which of them the run is killed; then perhaps the one that goes on. */
  readonly on: RegExp;
  readonly first: number;
  readonly second: number | undefined;
}

/** Effects of such a run, one of each kind; with true, the run that goes on is killed as well. */
const MOMENTS: readonly (readonly [at: 'first' | 'last', on: RegExp, twice?: true])[] = [
  ['last', /^rename \S+\/rotten\.txt \S+\/rotten\.txt$/],
  ['first', /^rename \S+\/moved \S+\/renamed$/, true],
  ['first', /^rename parts\/\S+ \S+\/large$/],
  ['last', /^commit \S+ UPDATE file SET verified_ms/],
  ['first', /^rename \S+\/gone\.txt \S+\/gone\.txt$/, true],
  ['last', /^unlink /],
  ['first', /^rename \S+\/manifest\.jsonl\.new /],
];

describe('A process that is killed in a run that replaces, renames, retires, prunes and proves', () => {
  let cli: CompiledCli;
  let killer: string;
  let fixture: BackupFixture;
  /** Target and state as they are before the run. */
  let aside: string;
  let effects: string[];
  let reference: string[];
  let treesBefore: Map<number, Record<string, string>>;
  let pathsBefore: Set<string>;
  const whole = new Set<string>();

  before(async () => {
    cli = compileCli();
    killer = cli.add(join(import.meta.dirname, '../support/kill-at-effect.ts'));
    fixture = await BackupFixture.start();
    aside = `${fixture.room}-aside`;
    await makeHistory();
    treesBefore = readTrees();
    pathsBefore = new Set(fixture.snapshot().keys());
    execFileSync('cp', ['-a', fixture.room, aside]);
    effects = await effectsOfWholeRun();
    reference = versionRows();
  });
  after(async () => {
    cli.remove();
    await fixture.end();
    rmSync(aside, { recursive: true, force: true });
  });

  function remember(): void {
    for (const file of fixture.tree.files()) whole.add(sha256(file.read()));
  }

  async function completeRun(): Promise<void> {
    const report = await fixture.run(DELETE);
    assert.equal(report.outcome, 'complete', JSON.stringify([report.cause, report.failures]));
    remember();
  }

  /** Three runs, and a day's work that leaves nothing as it was. */
  async function makeHistory(): Promise<void> {
    const { tree } = fixture;
    for (let i = 0; i < 3; i++) tree.writeFile(`/docs/${i}.txt`, `first ${i}`);
    for (const name of ['early', 'gone', 'late', 'rotten']) tree.writeFile(`/docs/${name}.txt`, `${name} for a while`);
    tree.writeFile('/media/large', { sizeBytes: LARGE_BYTES, seed: 1 });
    tree.writeFile('/r/moved', 'moved within the site');
    tree.writeFile('/swap/in/deep.txt', 'in a folder');
    tree.writeFile('/paws', 'a file');
    tree.writeFile('/old/page.html', 'of a folder that goes');
    await completeRun();
    tree.writeFile('/docs/1.txt', 'second 1');
    tree.remove('/docs/early.txt');
    await completeRun();
    tree.writeFile('/docs/1.txt', 'third 1');
    tree.remove('/docs/gone.txt');
    tree.remove('/old');
    await completeRun();

    const db = new Database(fixture.databasePath);
    // What went in the last run went long ago, and the disk has forgotten a copy.
    db.exec(
      `UPDATE version SET retired_ms = 1 WHERE reason = 'vanished'; UPDATE file SET doubt = 'copy' WHERE name = 'rotten.txt'`,
    );
    db.close();
    const rotten = join(fixture.current, ROTTEN);
    const { atime, mtime } = statSync(rotten);
    writeFileSync(rotten, 'ROTTEN for a while');
    utimesSync(rotten, atime, mtime);
    whole.add(sha256(readFileSync(rotten)));

    for (const i of [0, 1]) tree.writeFile(`/docs/${i}.txt`, `fourth ${i}`);
    tree.writeFile('/docs/new/one.txt', 'new');
    tree.writeFile('/media/large', { sizeBytes: LARGE_BYTES, seed: 2 });
    tree.rename('/r/moved', '/r/renamed');
    tree.remove(`/${LATE}`);
    tree.remove('/swap');
    tree.writeFile('/swap', 'a file now');
    tree.remove('/paws');
    tree.writeFile('/paws/in.txt', 'in a folder now');
    remember();

    const task = JSON.parse(fixture.taskFileContent()) as object;
    writeFileSync(join(fixture.stateDir, 'task.json'), JSON.stringify({ ...task, ...THOROUGH }), { mode: 0o600 });
  }

  function putBack(): void {
    rmSync(fixture.room, { recursive: true });
    execFileSync('cp', ['-a', aside, fixture.room]);
  }

  /** The exit code; undefined where the process was killed. */
  async function command(environment: NodeJS.ProcessEnv): Promise<number | undefined> {
    const args = ['run', join(fixture.stateDir, 'task.json'), '--state', fixture.stateDir, '--connections', '1'];
    const child = spawn(process.execPath, ['--import', killer, cli.cliFile, ...args], {
      stdio: 'ignore',
      env: { ...process.env, ...environment },
    });
    const [code] = (await once(child, 'close')) as [number | null];
    while (fixture.server.connectionsOpen > 0) await sleep(2);
    return code ?? undefined;
  }

  async function effectsOfWholeRun(): Promise<string[]> {
    const list = `${aside}-effects`;
    try {
      assert.equal(await command({ KILL_LIST: list }), 0);
      return readFileSync(list, 'utf8').trim().split('\n');
    } finally {
      rmSync(list, { force: true });
    }
  }

  function momentsOf(choice: string | undefined): Moment[] {
    const second = (first: number): number => 1 + ((first * 7) % 23);
    const numbers = choice === 'all' ? effects.map((_effect, index) => index + 1) : choice?.split(',').map(Number);
    if (numbers !== undefined) return numbers.map((first) => ({ on: /^/, first, second: second(first) }));
    return MOMENTS.map(([at, on, twice]) => {
      const count = effects.filter((effect) => on.test(effect)).length;
      assert.ok(count > 0, `no effect is ${String(on)}:\n${effects.join('\n')}`);
      return { on, first: at === 'first' ? 1 : count, second: twice && second(count) };
    });
  }

  it('leaves only whole files, true records and readable trees, and the next run ends as if nothing had been', async (t) => {
    const choice = process.env['KILL'];
    const moments = momentsOf(choice);
    t.diagnostic(`${moments.length} of ${effects.length} moments`);
    for (const { on, first, second } of moments) {
      const name = `${on.source} ${first}${second === undefined ? '' : `, then at ${second}`}`;
      await t.test(name, async () => {
        putBack();
        const isKilled = (await command({ KILL_ON: on.source, KILL_AT: String(first) })) === undefined;
        // The number of commits depends on how the time falls upon the batches.
        assert.ok(isKilled || choice !== undefined, 'the process has come to its end');
        assertSound();
        if (second !== undefined) {
          await command({ KILL_AT: String(second) });
          assertSound();
        }
        const next = await fixture.run(THOROUGH);
        assert.equal(next.outcome, 'complete', JSON.stringify([next.cause, next.failures]));
        assertSound();
        assertAsReference();
        fixture.server.clearLog();
        assert.equal((await fixture.run({ deletion: { rule: 'keep' } })).outcome, 'complete');
        assert.equal(fixture.server.count('RETR'), 0);
      });
    }
  });

  /** What must be true whenever anybody looks: with no process running, at any moment. */
  function assertSound(): void {
    fixture.assertInvariants();
    const here = snapshotFolder(fixture.current);
    for (const [path, { sha256: content }] of here) assert.ok(whole.has(content), `not whole: ${path}`);
    for (const file of fixture.tree.files()) {
      const path = file.path.slice(1);
      if (pathsBefore.has(path) && path !== ROTTEN) assert.ok(here.has(path), `its name is without content: ${path}`);
    }
    assert.ok(here.has(LATE) || completeRuns() > 4, 'taken away after one complete run');
    for (const [run, tree] of readTrees()) {
      const before = treesBefore.get(run);
      if (before !== undefined) assert.deepEqual(tree, before, `the tree of run ${run}`);
    }
  }

  function assertAsReference(): void {
    // Killed after its end: then this was another one, which took the late file away and gave up all older points.
    const isAnother = completeRuns() > 4;
    fixture.assertCurrentEquals({ leftovers: isAnother ? [] : [LATE] });
    const rows = versionRows();
    assert.deepEqual(rows, isAnother ? reference.filter((row) => rows.includes(row)) : reference);
    const claimed = database(
      (db) =>
        db
          .prepare(`SELECT folder || '/' || local_path FROM version WHERE folder IS NOT NULL`)
          .pluck()
          .all() as string[],
    );
    const lies = [...snapshotFolder(join(fixture.targetFolder, 'versions')).keys()];
    assert.deepEqual(lies.sort(), claimed.sort(), 'what lies in the versions, and what rows claim');
    assert.deepEqual(readdirSync(join(fixture.targetFolder, '.site-backup/parts')), []);
    execFileSync('sha256sum', ['--check', '--strict', '--quiet', 'SHA256SUMS'], { cwd: fixture.targetFolder });
  }

  function completeRuns(): number {
    return database((db) => db.prepare(`SELECT count(*) FROM run WHERE outcome = 'complete'`).pluck().get() as number);
  }

  /** What has left its path and why, without the runs' numbers, and without what only one more run takes away. */
  function versionRows(): string[] {
    return database((db) =>
      db
        .prepare(
          `SELECT reason || ' ' || state || ' ' || path || ' ' || lower(hex(sha256)) || coalesce(' to ' || moved_to, '')
           FROM version WHERE path <> '/${LATE}' ORDER BY 1`,
        )
        .pluck()
        .all(),
    ) as string[];
  }

  /** What can be read of each restore point, by path: the hash of the bytes, or why there are none. */
  function readTrees(): Map<number, Record<string, string>> {
    return database((db) => {
      const tree = new VersionTree(db);
      return new Map(
        new RestorePoints(db).all().map(({ runId }) => {
          const files: Record<string, string> = {};
          const folders = ['/'];
          for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
            folders.push(...tree.folders(runId, folder, '', ROWS_MAX));
            for (const { path, state, places } of tree.files(runId, folder, '', ROWS_MAX)) {
              const place = places.map((one) => join(fixture.targetFolder, one.folder, one.path)).find(existsSync);
              const content = place === undefined ? 'nowhere' : sha256(readFileSync(place));
              // Its turn comes at any time, and damage has been before.
              if (path !== '/docs/early.txt' && path !== `/${ROTTEN}`) files[path] = `${state} ${content}`;
            }
          }
          return [runId, files];
        }),
      );
    });
  }

  function database<T>(read: (db: Database.Database) => T): T {
    const db = new Database(fixture.databasePath, { readonly: true });
    try {
      return read(db);
    } finally {
      db.close();
    }
  }
});

function sha256(content: Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}
