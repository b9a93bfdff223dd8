/** What a run asks of its database must not take the square of the number of files. */
import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import Database from 'better-sqlite3';
import { HoldStore } from '../../src/state/hold-store.ts';
import { openTaskDatabase } from '../../src/state/task-database.ts';
import { BackupFixture } from '../support/backup-fixture.ts';
import type { RunOverrides } from '../support/backup-fixture.ts';

/** Tables that grow with the site, and the names that statements give them. */
const LARGE = new Set(
  'file folder link run_folder run_entry run_step version past_folder run_event place step entry other told seen below above child parent gone'.split(
    ' ',
  ),
);
const FILES = 30;

interface PlanRow {
  readonly id: number;
  readonly parent: number;
  readonly detail: string;
}

/** Lines of the plan that go through a whole large table again for each row of another. */
function repeatedScans(plan: readonly PlanRow[]): string[] {
  const byId = new Map(plan.map((row) => [row.id, row]));
  return plan
    .filter(({ detail }) => LARGE.has(/^SCAN (\w+)/.exec(detail)?.[1] ?? ''))
    .filter((row) => isInner(row, plan) || isRepeated(row, byId))
    .map(({ detail }) => detail);
}

function isInner(row: PlanRow, plan: readonly PlanRow[]): boolean {
  return plan.some(({ id, parent, detail }) => parent === row.parent && id < row.id && /^(SCAN|SEARCH) /.test(detail));
}

function isRepeated(row: PlanRow, byId: ReadonlyMap<number, PlanRow>): boolean {
  for (let above = byId.get(row.parent); above !== undefined; above = byId.get(above.parent)) {
    if (above.detail.startsWith('CORRELATED')) return true;
  }
  return false;
}

describe('A site of a million files', () => {
  const asked = new Set<string>();
  const prepare = Object.getOwnPropertyDescriptor(Database.prototype, 'prepare')?.value as Database.Database['prepare'];
  let fixture: BackupFixture;

  before(async () => {
    Database.prototype.prepare = function (this: Database.Database, sql: string) {
      asked.add(sql);
      return prepare.call(this, sql);
    } as typeof prepare;
    fixture = await BackupFixture.start();
  });
  after(async () => {
    Database.prototype.prepare = prepare;
    await fixture.end();
  });

  function accept(): void {
    const { db, close } = openTaskDatabase(fixture.stateDir, 'under test');
    const holds = new HoldStore(db);
    assert.ok(holds.decide(holds.open()?.runId ?? 0, 'accepted', Date.now(), 'test'));
    close();
  }

  /** undefined for a statement of another database. */
  function planOf(database: Database.Database, sql: string): PlanRow[] | undefined {
    const names = Array.from(sql.matchAll(/@(\w+)/g), ([, name = '']) => name);
    const placed: unknown[] = Array.from(sql.matchAll(/\?/g), () => 1);
    const values = names.length > 0 ? [...placed, Object.fromEntries(names.map((name) => [name, 1]))] : placed;
    try {
      const statement = prepare.call(database, `EXPLAIN QUERY PLAN ${sql}`) as Database.Statement;
      return statement.all(...values) as PlanRow[];
    } catch (error) {
      if (error instanceof Error && /no such (table|column)/.test(error.message)) return undefined;
      throw error;
    }
  }

  it('is never gone through whole for each of its files or folders', async () => {
    const { tree } = fixture;
    const options: RunOverrides = {
      deletion: { rule: 'delete', days: 1 },
      versions: { keep: 'last', count: 1, quotaBytes: 10 },
      verification: { sampleBytes: 1000, rehashDays: 1 },
      guards: { vanishedPercent: 10, changedPercent: 30, suffixPercent: 80, emptiedFolders: true, serverChanged: true },
    };
    for (let i = 0; i < FILES; i++) tree.writeFile(`/d${i % 3}/f${i}.txt`, `file ${i}`);
    tree.writeFile('/both/folder/file', 'a folder that becomes a file');
    assert.equal((await fixture.run(options)).outcome, 'complete');
    for (let i = 0; i < FILES; i += 3) tree.rename(`/d0/f${i}.txt`, `/d0/g${i}.txt`);
    for (let i = 1; i < FILES; i += 3) tree.writeFile(`/d1/f${i}.txt`, `changed ${i}`);
    tree.remove('/d2');
    tree.remove('/both/folder');
    tree.writeFile('/both/folder', 'a file');
    assert.equal((await fixture.run(options)).outcome, 'held');
    accept();
    for (const gone of [undefined, '/d1/f1.txt', undefined, undefined]) {
      if (gone !== undefined) tree.remove(gone);
      assert.equal((await fixture.run(options)).outcome, 'complete');
    }

    const database = new Database(fixture.databasePath);
    database.exec('CREATE TEMP TABLE taken_name (key PRIMARY KEY); CREATE TEMP TABLE blocked_folder (id PRIMARY KEY)');
    const planned: string[] = [];
    for (const sql of asked) {
      // Of another database, or none that has a plan.
      if (!/^\s*(SELECT|WITH|INSERT|UPDATE|DELETE)/i.test(sql)) continue;
      const plan = planOf(database, sql);
      if (plan === undefined) continue;
      planned.push(sql);
      assert.deepEqual(repeatedScans(plan), [], sql);
    }
    database.close();
    assert.ok(planned.length > 100, `only ${planned.length} statements were seen`);
  });
});
