import fc from 'fast-check';
import { histories } from './history.ts';
import type { History } from './history.ts';
import { playHistory } from './play-history.ts';
import type { RunAndKill, Tally } from './play-history.ts';
import { shrinkHistory } from './shrink-history.ts';

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
  const result = await fc.check(property, { seed, numRuns: 1, endOnFailure: true });
  const failing = result.counterexample?.[0];
  if (!result.failed || failing == null) return undefined;
  if (!how.isShrunk) return described(result.errorInstance, failing);
  const smallest = await shrinkHistory(failing, result.errorInstance, (history) =>
    playHistory(history, new Map(), how.runAndKill),
  );
  return described(smallest.error, smallest.history);
}

function described(error: unknown, history: History): string {
  const why = error instanceof Error ? (error.stack ?? '') : String(error);
  return `${why}\n${JSON.stringify(history)}`;
}
