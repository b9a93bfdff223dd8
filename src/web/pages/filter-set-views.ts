import { FILTER_SETS } from '../../settings/filter-sets.ts';
import type { Text } from '../../text.ts';

/** A ready-made exclusion set with its box. */
export interface FilterSetView {
  readonly name: string;
  readonly title: string;
  readonly words: string;
  readonly patterns: string;
  readonly isTicked: boolean;
}

export function filterSetViews(ticked: readonly string[], text: Text): FilterSetView[] {
  return Object.entries(FILTER_SETS).map(([name, set]) => ({
    name,
    title: text.t(`set.${name}`),
    words: text.t(set.descriptionKey),
    patterns: set.patterns.join('  '),
    isTicked: ticked.includes(name),
  }));
}
