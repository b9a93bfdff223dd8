import { describe, it } from 'node:test';
import { play } from './play.ts';
import { SCRIPTED_CHAPTERS } from './scenarios.ts';

/** Most of the time of a scenario is waiting: for a disk, or for a server that says nothing. */
const SCENARIOS_AT_ONCE = 4;

/** Declares the scenarios of one chapter as tests against this program. */
export function describeChapter(title: string): void {
  const chapter = SCRIPTED_CHAPTERS.find(([name]) => name === title);
  if (chapter === undefined) throw new Error(`no chapter ${title}`);
  describe(`The truth about ${title.toLowerCase()}`, { concurrency: SCENARIOS_AT_ONCE }, () => {
    for (const scenario of chapter[1]) {
      it(`${scenario.name}: ${scenario.about}`, async () => {
        await play(scenario);
      });
    }
  });
}
