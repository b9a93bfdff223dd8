/** How servers that limit their listings choose what they show, as seen on the real ones. */
import type { ListFlags } from './scripted-ftp-listing.ts';

export interface ListingLimit {
  /** `.` and `..` among them. */
  readonly lines: number;
  /**
   * `pure-ftpd` (1.0.50, `-L`): LIST sorts all and shows the first, MLSD shows the first as they lie; both say so, and
   * a pattern is refused, with an empty success, in a folder of more entries than the limit. `proftpd` (1.3.8,
   * `ListOptions maxfiles`): LIST shows the first by name, then sorts those, without a word; of a pattern only the
   * matches count; MLSD has no limit.
   */
  readonly as: 'pure-ftpd' | 'proftpd';
}

export function saysCut(limit: ListingLimit): string {
  return `226 Output truncated to ${limit.lines} matches`;
}

/** What is left of `sorted`, which `reorder` has sorted as the client wished, of a folder listed by LIST. */
export function limited<T extends { readonly name: string }>(
  sorted: readonly T[],
  flags: ListFlags,
  limit: ListingLimit | undefined,
): readonly T[] {
  if (limit === undefined) return sorted;
  const lines = limit.lines - (flags.showsAll ? 2 : 0);
  if (limit.as === 'pure-ftpd' || sorted.length <= lines) return sorted.slice(0, lines);
  const first = new Set([...sorted].sort(byName).slice(0, lines));
  const shown = sorted.filter((line) => first.has(line));
  return flags.sortsByTime || flags.sortsBySize ? shown : shown.sort(byName);
}

/** What LIST -d shows of a folder's entries by a pattern. */
export function limitedMatches<T extends { readonly name: string }>(
  sorted: readonly T[],
  pattern: string,
  limit: ListingLimit,
): readonly T[] {
  if (limit.as === 'pure-ftpd' && sorted.length > limit.lines) return [];
  const expression = patternExpression(pattern);
  return sorted.filter(({ name }) => expression.test(name)).slice(0, limit.lines);
}

export function isPattern(text: string): boolean {
  return /[*?[]/.test(text);
}

/** A pattern of the shell, without braces and backslashes: a leading dot must be met by a dot. */
export function patternExpression(pattern: string): RegExp {
  const body = pattern.replace(/\[(!?)([^\]]+)\]|[^]/g, (part, not: string | undefined, set: string | undefined) => {
    if (set !== undefined) return `[${not === '!' ? '^' : ''}${set.replace(/[\\^]/g, '\\$&')}]`;
    if (part === '*') return '[^]*';
    return part === '?' ? '[^]' : part.replace(/[.+(){}|^$\\[\]/]/g, '\\$&');
  });
  return new RegExp(`^${pattern.startsWith('.') ? '' : '(?!\\.)'}${body}$`);
}

function byName(a: { readonly name: string }, b: { readonly name: string }): number {
  return a.name < b.name ? -1 : 1;
}
