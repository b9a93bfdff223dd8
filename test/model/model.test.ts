/** A few of the histories that `npm run model` plays by the thousand. */
import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { KilledRuns } from './killed-runs.ts';
import type { Tally } from './play-history.ts';
import { playSeed } from './play-seed.ts';

const STEPS = 90;
/** Always the same ones, so that a change of the program and not of the dice makes this fail. */
const FIRST_SEED = 9;
/** So many meet each thing that is asked for below more than once. */
const HISTORIES_MIN = 12;
const HISTORIES_MAX = 40;
/** On a slow machine fewer histories are played, but never fewer than the minimum. */
const BUDGET_MS = 35_000;

describe('Any history of a site and of its backup', () => {
  it('ends with the copy equal to the server, every earlier version readable, and nothing lost', async (t) => {
    const tally: Tally = new Map();
    const killed = new KilledRuns();
    const runAndKill = killed.run.bind(killed);
    t.after(() => {
      killed.remove();
    });
    const endMs = performance.now() + BUDGET_MS;
    let played = 0;
    while (played < HISTORIES_MAX && (played < HISTORIES_MIN || performance.now() < endMs)) {
      const seed = FIRST_SEED + played++;
      const failure = await playSeed(seed, STEPS, tally, { isShrunk: false, runAndKill });
      assert.equal(failure, undefined, `npm run model -- --seed ${seed} --steps ${STEPS} --shrink`);
    }
    t.diagnostic(`${played} histories: ${[...tally].map(([what, count]) => `${count} ${what}`).join(', ')}`);
    for (const met of ['complete', 'incomplete', 'cancelled', 'resumed', 'left', 'disk-once', 'killed', 'damaged']) {
      assert.ok(tally.has(met), `no history has met: ${met}`);
    }
  });
});
