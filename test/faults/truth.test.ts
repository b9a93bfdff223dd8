/** The truth suite as a whole; its chapters are the files truth-*.test.ts beside this one. */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { CHAPTERS, SCRIPTED_CHAPTERS } from '../bench/truth/scenarios.ts';

const SCENARIOS_MIN = 60;

describe('The truth suite', () => {
  it(`has at least ${SCENARIOS_MIN} scenarios, each with a name of its own`, () => {
    const names = CHAPTERS.flatMap(([, scenarios]) => scenarios.map(({ name }) => name));
    assert.equal(new Set(names).size, names.length);
    assert.ok(names.length >= SCENARIOS_MIN, `${names.length} scenarios`);
  });

  it('leaves no chapter unplayed', () => {
    const files = readdirSync(import.meta.dirname).filter((name) => /^truth-.*\.test\.ts$/.test(name));
    const text = files.map((name) => readFileSync(join(import.meta.dirname, name), 'utf8')).join('');
    for (const [title] of SCRIPTED_CHAPTERS) assert.ok(text.includes(`describeChapter('${title}')`), title);
  });
});
