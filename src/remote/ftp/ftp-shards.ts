const DIGITS = '0123456789';
const UPPER = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ';
const LOWER = 'abcdefghijklmnopqrstuvwxyz';
/** `-` last: elsewhere in brackets it would mean a range. */
const MARKS = '._ -';

/** The part of a folder's names that begin with `prefix` and go on with one of `next`. */
export interface Shard {
  readonly prefix: string;
  /** Characters of one of the rows above, in their order; undefined: any character that is in none of them. */
  readonly next: string | undefined;
}

/** The parts, each apart from the others, of all names that begin with `prefix` and are longer. */
export function shardsOf(prefix: string): Shard[] {
  // A pattern matches a name with a leading dot only if it has that dot itself, not in brackets.
  const marks = prefix === '' ? ['.', MARKS.slice(1)] : [MARKS];
  return [...[DIGITS, UPPER, LOWER, ...marks], undefined].map((next) => ({ prefix, next }));
}

/**
 * The parts of a shard whose listing was itself cut; together they are the shard, but for a name that is nothing more
 * than the prefix of its parts, which comes first in any order of names and was shown. None where a shard cannot be
 * divided: names in another script than Latin.
 */
export function splitShard({ prefix, next }: Shard): Shard[] {
  if (next === undefined) return [];
  if (next.length === 1) return shardsOf(prefix + next);
  const middle = Math.ceil(next.length / 2);
  return [
    { prefix, next: next.slice(0, middle) },
    { prefix, next: next.slice(middle) },
  ];
}

/** The shard as a pattern of names (glob). It begins with no dash and no space, which servers would take for options. */
export function shardPattern({ prefix, next }: Shard): string {
  const pattern = `${prefix}${nextPattern(next)}*`;
  return /^[ -]/.test(pattern) ? `[${pattern.slice(0, 1)}]${pattern.slice(1)}` : pattern;
}

/** Whether a name belongs to a shard. Case makes no difference, as it makes none to some servers. */
export function isInShard(name: string, { prefix, next }: Shard): boolean {
  if (!name.toLowerCase().startsWith(prefix.toLowerCase()) || name.length === prefix.length) return false;
  const character = name.charAt(prefix.length);
  if (next === undefined) return !(DIGITS + UPPER + LOWER + MARKS).includes(character);
  return next.includes(character.toLowerCase()) || next.includes(character.toUpperCase());
}

function nextPattern(next: string | undefined): string {
  if (next === undefined) return `[!0-9A-Za-z${MARKS}]`;
  if (next.length === 1) return next;
  return MARKS.includes(next) ? `[${next}]` : `[${next.slice(0, 1)}-${next.slice(-1)}]`;
}
