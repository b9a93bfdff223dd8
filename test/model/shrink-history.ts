import type { History, Step } from './history.ts';

/** A failing history is made smaller for no longer than this. */
const SHRINK_MS_MAX = 240_000;

export interface Failing {
  readonly history: History;
  readonly error: unknown;
}

/**
 * The smallest history found that `play` throws for: without halves, quarters and so on of its steps, then without what a
 * run meets.
 */
export async function shrinkHistory(
  history: History,
  error: unknown,
  play: (history: History) => Promise<void>,
): Promise<Failing> {
  let smallest: Failing = { history, error };
  const endMs = performance.now() + SHRINK_MS_MAX;
  const kind = kindOf(error);
  const fails = async (steps: readonly Step[]): Promise<boolean> => {
    if (performance.now() > endMs) return false;
    const candidate = { ...smallest.history, steps };
    try {
      await play(candidate);
      return false;
    } catch (thrown) {
      if (kindOf(thrown) !== kind) return false;
      smallest = { history: candidate, error: thrown };
      return true;
    }
  };
  for (let size = Math.ceil(history.steps.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let at = 0; at < smallest.history.steps.length;) {
      const { steps } = smallest.history;
      if (!(await fails(steps.toSpliced(at, size)))) at += size;
    }
  }
  for (const [at, step] of smallest.history.steps.entries()) {
    if (step.do !== 'run') continue;
    for (const less of [{ faults: [] }, { meanwhile: [] }, { how: 'plain' as const }, { connections: 1 as const }]) {
      const now = smallest.history.steps[at];
      if (now?.do === 'run') await fails(smallest.history.steps.with(at, { ...now, ...less }));
    }
  }
  return smallest;
}

/** The first line of what was thrown, without the path and the numbers that it names. */
function kindOf(error: unknown): string {
  const [line = ''] = String(error).split('\n');
  return line
    .replace(/: \/.*? (?=left|holds|is |was |should|cannot)/, ': ')
    .replace(/\d+/g, '0')
    .slice(0, 120);
}
