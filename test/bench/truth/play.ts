/** One scenario against this program, in this process: every expectation of every night, and the way back to peace. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import assert from 'node:assert/strict';
import type { RunReport } from '../../../src/engine/run-report.ts';
import { BackupFixture, describeFailures } from '../../support/backup-fixture.ts';
import { snapshotFolder } from '../../support/tree-compare.ts';
import { siteContents } from './folder-site.ts';
import { judge } from './judge.ts';
import type { Contents } from './judge.ts';
import type { Expected, Night, ScriptedScenario } from './scenario.ts';
import { PastTrees } from './past-trees.ts';
import { editSite, makeSite } from './site.ts';

/** Runs that a task may need, once all is well again, until nothing is left to do. */
const RUNS_TO_PEACE_MAX = 3;

export async function play(scenario: ScriptedScenario): Promise<void> {
  const fixture = await BackupFixture.start({ ...scenario.server });
  const past = new PastTrees(fixture);
  try {
    (scenario.site ?? makeSite)(fixture.tree);
    if (scenario.isFirstRun !== true) {
      const first = await fixture.run(scenario.run);
      assert.deepEqual(describeFailures(first), [], 'the good run before');
      assert.equal(first.outcome, 'complete', JSON.stringify(first.cause));
      past.remember();
    }
    for (const [index, night] of scenario.nights.entries()) {
      await spendNight(fixture, scenario, night, `night ${index + 1}`);
      past.remember();
    }
    if (scenario.isLasting !== true) await findPeace(fixture, scenario);
    past.assertReadable();
  } finally {
    await fixture.end();
  }
}

async function spendNight(
  fixture: BackupFixture,
  scenario: ScriptedScenario,
  night: Night,
  when: string,
): Promise<void> {
  const { server, tree } = fixture;
  (night.change ?? editSite)(tree);
  const options = { ...server.options };
  const asideBefore = versionsOf(fixture);
  const undo = await night.trouble?.(server);
  server.clearLog();
  const beforeTrouble = contentsOf(fixture.current);
  const mendTarget = night.targetTrouble?.(fixture.targetFolder);
  const before = new Map([...beforeTrouble, ...contentsOf(fixture.current)]);
  const isTargetAway = mendTarget !== undefined;
  const report = await fixture.run({ ...scenario.run, clockOffsetMs: night.nasClockMs ?? 0, isTargetAway });
  mendTarget?.();
  fixture.assertInvariants();
  assertReport(report, night.expect, when);

  const after = contentsOf(fixture.current);
  const aside = versionsOf(fixture);
  const site = siteContents(tree);
  const { lost, behind, hasTold } = judge({
    before,
    after,
    aside,
    server: site,
    saidWhole: report.outcome === 'complete',
    hasWarned: false,
    canBeWhole: night.expect.outcome === 'complete',
    isDisaster: scenario.isDisaster === true,
  });
  // Some names must be written otherwise here: that is no leftover.
  const renamed = new Set([...site].flatMap(([path, content]) => (after.has(path) ? [] : [content])));
  const leftovers = [...after].flatMap(([path, content]) => (site.has(path) || renamed.has(content) ? [] : [path]));
  assert.deepEqual([...behind].sort(), paths(night.expect.behind), `${when}: not here as on the server`);
  assert.deepEqual(leftovers.sort(), paths(night.expect.leftovers), `${when}: here and not on the server`);
  assert.deepEqual(lost, [], `${when}: lost`);
  assert.ok(hasTold, `${when}: said ${report.outcome}, behind by ${behind.join(' ')}`);
  assertNothingDropped(before, after, asideBefore, aside, when);
  const notices = fixture.notices();
  for (const notice of night.expect.notices ?? []) {
    assert.ok(notices.includes(notice), `${when}: no ${notice} in ${notices.join(', ')}`);
  }

  server.faults.length = 0;
  Object.assign(server.options, options);
  undo?.();
}

function assertReport(report: RunReport, expect: Expected, when: string): void {
  // A line that cannot be believed is told as it is: only its folder is compared.
  const told = describeFailures(report).map((failure) => failure.replace(/^(name-unusable .*?)\/?[^/]*$/, '$1'));
  const failures = told.map((failure) => (failure === 'name-unusable ' ? 'name-unusable /' : failure)).sort();
  assert.deepEqual(failures, [...(expect.failures ?? [])].sort(), `${when}: failures`);
  assert.equal(report.cause?.code, expect.cause, `${when}: cause, ${report.cause?.detail ?? ''}`);
  assert.equal(report.outcome, expect.outcome, when);
  if (expect.downloaded !== undefined) assert.equal(report.counts.downloaded, expect.downloaded, `${when}: downloaded`);
  assert.equal(report.counts.vanished, expect.vanished ?? 0, `${when}: vanished`);
}

/** What left `current/`, by whatever way, lies among the versions; and nothing comes to lie there that was not here. */
function assertNothingDropped(
  before: Contents,
  after: Contents,
  asideBefore: Contents,
  aside: Contents,
  when: string,
): void {
  const here = new Set([...after.values(), ...aside.values()]);
  const dropped = [...before].flatMap(([path, content]) => (here.has(content) ? [] : [path]));
  assert.deepEqual(dropped, [], `${when}: neither in current/ nor among the versions`);
  const wasHere = new Set(before.values());
  for (const [path, content] of aside) {
    if (asideBefore.get(path) === content) continue;
    assert.ok(wasHere.has(content), `${when}: a version that never was in current/: ${path}`);
  }
}

/** With all trouble gone the task becomes whole by itself, and then is at rest. */
async function findPeace(fixture: BackupFixture, scenario: ScriptedScenario): Promise<void> {
  for (let run = 1; ; run++) {
    const report = await fixture.run(scenario.run);
    if (report.outcome === 'complete') break;
    const told = `${report.outcome} ${report.cause?.code ?? ''} ${describeFailures(report).join(', ')}`;
    assert.ok(run < RUNS_TO_PEACE_MAX, `not whole again: ${told}`);
  }
  const site = siteContents(fixture.tree);
  const here = contentsOf(fixture.current);
  const anywhere = new Set(here.values());
  for (const [path, content] of site) assert.ok(anywhere.has(content), `not made good: ${path}`);
  fixture.server.clearLog();
  assert.equal((await fixture.run(scenario.run)).outcome, 'complete');
  assert.equal(fixture.server.count('RETR'), 0, 'a run at rest transfers nothing');
}

function contentsOf(folder: string): Contents {
  if (!existsSync(folder)) return new Map();
  return new Map([...snapshotFolder(folder)].map(([path, { sha256 }]) => [path, sha256]));
}

/** What lies below versions/, by run folder and path. */
function versionsOf(fixture: BackupFixture): Contents {
  const folder = join(fixture.targetFolder, 'versions');
  return existsSync(folder) && readdirSync(folder).length > 0 ? contentsOf(folder) : new Map();
}

/** As in the index of a folder: without the leading slash. */
function paths(given: readonly string[] | undefined): string[] {
  return (given ?? []).map((path) => path.slice(1)).sort();
}
