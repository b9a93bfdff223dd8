/** The chapter of the truth suite on real servers, against the command line: see test/bench/truth/scenario.ts. */
import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import type { RunReport } from '../../src/engine/run-report.ts';
import { contest } from '../bench/truth/contest.ts';
import { REAL_SCENARIOS } from '../bench/truth/real-servers.ts';
import { siteBackup } from '../bench/truth/tools.ts';
import { describeFailures } from '../support/backup-fixture.ts';
import { compileCli } from '../support/compiled-cli.ts';
import type { CompiledCli } from '../support/compiled-cli.ts';
import { whyServerIsMissing } from '../support/debian-package-files.ts';

/** Each waits for its server and for its disk most of the time. */
const SCENARIOS_AT_ONCE = 3;

describe('The truth about real servers', { concurrency: SCENARIOS_AT_ONCE }, () => {
  let cli: CompiledCli;
  before(() => {
    cli = compileCli();
  });
  after(() => {
    cli.remove();
  });

  for (const scenario of REAL_SCENARIOS) {
    it(`${scenario.name}: ${scenario.about}`, { skip: whyServerIsMissing(scenario.software) ?? false }, async () => {
      const { hasKept, hasTold, hasEndedAsExpected, notes, told } = await contest(scenario, siteBackup(cli.cliFile));
      const what = `${notes.join('\n')}\n${told.printed}`;
      assert.ok(hasKept, what);
      assert.ok(hasTold, what);
      assert.ok(hasEndedAsExpected, what);
      const report = JSON.parse(told.printed) as RunReport;
      const expect = scenario.nights.at(-1)?.expect;
      assert.equal(report.outcome, expect?.outcome, what);
      assert.deepEqual(describeFailures(report), [...(expect?.failures ?? [])].sort(), what);
    });
  }
});
