/** Whether the tests would notice: `npm run mutants` tries every fault, this one as many as there is time for. */
import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { MUTANTS } from './mutants.ts';
import { MutantRoom, compileFaults, mutated } from './run-mutants.ts';

/** The first ones come always; on a slow machine the others are left to `npm run mutants`. */
const MUTANTS_MIN = 3;
const BUDGET_MS = 60_000;

describe('A fault that would make the backup lie', () => {
  it('still fits the program, and compiles', () => {
    for (const mutant of MUTANTS) assert.notEqual(mutated(mutant), '');
    assert.deepEqual(compileFaults(MUTANTS), []);
    assert.equal(new Set(MUTANTS.map(({ name }) => name)).size, MUTANTS.length);
  });

  it('is noticed by a test', (t) => {
    const room = new MutantRoom();
    const endMs = performance.now() + BUDGET_MS;
    let tried = 0;
    try {
      for (const mutant of MUTANTS) {
        if (tried >= MUTANTS_MIN && performance.now() > endMs) break;
        assert.equal(room.verdictOn(mutant), 'killed', mutant.name);
        tried++;
      }
    } finally {
      room.remove();
    }
    t.diagnostic(`${tried} of ${MUTANTS.length} mutants tried`);
  });
});
