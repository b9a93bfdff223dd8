/** The truth suite against this program: see test/bench/truth/scenario.ts. */
import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { play } from '../bench/truth/play.ts';
import { SCRIPTED_CHAPTERS } from '../bench/truth/scenarios.ts';

const SCENARIOS_MIN = 60;

for (const [title, scenarios] of SCRIPTED_CHAPTERS) {
  // Most of the time of a scenario is waiting: for a disk, or for a server that says nothing.
  describe(`The truth about ${title.toLowerCase()}`, { concurrency: 4 }, () => {
    for (const scenario of scenarios) {
      it(`${scenario.name}: ${scenario.about}`, async () => {
        await play(scenario);
      });
    }
  });
}

describe('The truth suite', () => {
  it(`has at least ${SCENARIOS_MIN} scenarios, each with a name of its own`, () => {
    const names = SCRIPTED_CHAPTERS.flatMap(([, scenarios]) => scenarios.map(({ name }) => name));
    assert.equal(new Set(names).size, names.length);
    assert.ok(names.length >= SCENARIOS_MIN, `${names.length} scenarios`);
  });
});
