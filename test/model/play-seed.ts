import fc from 'fast-check';
import { histories } from './history.ts';
import { playHistory } from './play-history.ts';
import type { RunAndKill, Tally } from './play-history.ts';

/** A failing history is made smaller for no longer than this. */
const SHRINK_MS_MAX = 120_000;

/**
 * Plays the one history of a seed, of at most `stepsMax` steps. Where it breaks a promise: the sentence that says which, and
 * a history that breaks one: with `isShrunk`, the smallest that was found.
 */
export async function playSeed(
  seed: number,
  stepsMax: number,
  tally: Tally,
  how: { readonly isShrunk: boolean; readonly runAndKill?: RunAndKill | undefined },
): Promise<string | undefined> {
  const property = fc.asyncProperty(histories(stepsMax), (history) => playHistory(history, tally, how.runAndKill));
  const result = await fc.check(property, {
    seed,
    numRuns: 1,
    endOnFailure: !how.isShrunk,
    interruptAfterTimeLimit: SHRINK_MS_MAX,
  });
  if (!result.failed) return undefined;
  const why = result.errorInstance instanceof Error ? (result.errorInstance.stack ?? '') : String(result.errorInstance);
  return `${why}\n${JSON.stringify(result.counterexample?.[0] ?? 'no history ended in time')}`;
}
