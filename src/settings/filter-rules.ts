import picomatch from 'picomatch';
import { FILTER_SETS } from './filter-sets.ts';
import type { FilterSettings } from './task-settings.ts';

/**
 * Says what a task wants. Paths begin with `/`, are counted from the source folder and are text for people (UTF-8
 * where the bytes are that, Latin-1 otherwise).
 */
export interface Filter {
  /** True where the result depends on the time of the run: a listing that did not change may then still mean work. */
  readonly usesAge: boolean;
  /** False: neither the folder nor anything below it is wanted, and it need not be listed. `/` is always wanted. */
  wantsFolder(path: string): boolean;
  /** Sizes are inclusive bounds; a file whose time is unknown is wanted by every age limit. */
  wantsFile(path: string, sizeBytes: number, modifiedMs: number | undefined, nowMs: number): boolean;
}

/**
 * Patterns follow gitignore: without an inner slash they match at any depth, a leading `/` ties them to the source
 * folder, a trailing `/` means folders only, `*` and `?` stop at slashes, `**` does not, `[a-z]` is one character, a
 * backslash takes the next character as it is, `!` brings back what an earlier rule left out, and the last rule that
 * matches decides. Nothing can be brought back below a folder that is left out. Unlike gitignore, `#` is no comment
 * (`#recycle` is a name). The order is: ready-made sets, then `exclude`.
 */
export function compileFilter(filters: FilterSettings): Filter {
  const excludes = [...filters.sets.flatMap((name) => FILTER_SETS[name]?.patterns ?? []), ...filters.exclude].map(
    compilePattern,
  );
  const includes = filters.include.map(compilePattern);
  const { minSizeBytes, maxSizeBytes, newerThanDays, olderThanDays } = filters;

  let lastFolder = '/';
  let isLastFolderWanted = true;
  // Files come folder by folder: one remembered answer spares the walk up for all but the first of each folder.
  const wantsFolder = (path: string): boolean => {
    if (path === '/') return true;
    if (path === lastFolder) return isLastFolderWanted;
    const isWanted =
      wantsFolder(parentOf(path)) &&
      lastMatch(excludes, path, true) !== 'matched' &&
      (includes.length === 0 || includes.some((rule) => !rule.isNegated && rule.canHoldMatches(path)));
    lastFolder = path;
    isLastFolderWanted = isWanted;
    return isWanted;
  };

  return {
    usesAge: newerThanDays !== undefined || olderThanDays !== undefined,
    wantsFolder,
    wantsFile(path, sizeBytes, modifiedMs, nowMs) {
      if (minSizeBytes !== undefined && sizeBytes < minSizeBytes) return false;
      if (maxSizeBytes !== undefined && sizeBytes > maxSizeBytes) return false;
      if (modifiedMs !== undefined) {
        if (newerThanDays !== undefined && modifiedMs < nowMs - newerThanDays * DAY_MS) return false;
        if (olderThanDays !== undefined && modifiedMs > nowMs - olderThanDays * DAY_MS) return false;
      }
      if (!wantsFolder(parentOf(path)) || lastMatch(excludes, path, false) === 'matched') return false;
      return includes.length === 0 || isIncluded(includes, path);
    },
  };
}

/** Why `pattern` cannot be used, as a text key, or undefined where it can. */
export function patternFault(pattern: string): string | undefined {
  const { body } = splitPattern(pattern);
  if (body === '') return 'fault.pattern-empty';
  if (/^\.{1,2}(\/|$)|\/\.{1,2}(\/|$)/.test(body)) return 'fault.pattern-dots';
  try {
    compilePattern(pattern);
    return undefined;
  } catch {
    return 'fault.pattern-unreadable';
  }
}

const DAY_MS = 86_400_000;

interface Rule {
  readonly isNegated: boolean;
  readonly isForFoldersOnly: boolean;
  readonly matches: (path: string) => boolean;
  /** False where no object below the folder `path` can match. */
  readonly canHoldMatches: (path: string) => boolean;
}

function splitPattern(pattern: string): { isNegated: boolean; isForFoldersOnly: boolean; body: string } {
  const isNegated = pattern.startsWith('!');
  const rest = isNegated ? pattern.slice(1) : pattern;
  const isForFoldersOnly = rest.endsWith('/');
  return { isNegated, isForFoldersOnly, body: isForFoldersOnly ? rest.replace(/\/+$/, '') : rest };
}

function compilePattern(pattern: string): Rule {
  const { isNegated, isForFoldersOnly, body } = splitPattern(pattern);
  const isAnchored = body.includes('/');
  const segments = body
    .split('/')
    .filter((segment) => segment !== '')
    .map((segment) => (segment === '**' ? '**' : literalize(segment)));
  if (!isAnchored) segments.unshift('**');
  // In gitignore `a/**` is what lies in `a`; picomatch would count `a` itself.
  const glob = segments.at(-1) === '**' ? [...segments, '*'] : segments;
  const matcher = picomatch(glob.join('/'), GLOB_OPTIONS);
  const reach = segments.indexOf('**');
  const fixedDepth = reach === -1 ? segments.length : reach;
  const prefixes = segments
    .slice(0, fixedDepth)
    .map((_, index) => picomatch(segments.slice(0, index + 1).join('/'), GLOB_OPTIONS));
  return {
    isNegated,
    isForFoldersOnly,
    matches: (path) => matcher(path.slice(1)),
    canHoldMatches(path) {
      const parts = path.slice(1).split('/');
      const depth = Math.min(parts.length, fixedDepth);
      return depth === 0 || prefixes[depth - 1]?.(parts.slice(0, depth).join('/')) === true;
    },
  };
}

// `s`: a name may hold U+2028, which a dot in a regular expression would not match.
const GLOB_OPTIONS = {
  dot: true,
  nobrace: true,
  noextglob: true,
  nonegate: true,
  literalBrackets: false,
  flags: 's',
} as const;

/** Escapes what means something to picomatch and nothing to gitignore: `(group)`, `{slug}` and `a+b` are plain names. */
function literalize(segment: string): string {
  let result = '';
  for (let index = 0; index < segment.length; index++) {
    const character = segment.charAt(index);
    if (character === '\\') {
      index++;
      const next = segment.charAt(index);
      result += next === '' ? '\\\\' : quote(next);
    } else if (character === '*' || character === '?') {
      result += character;
    } else if (character === '[') {
      const end = classEnd(segment, index);
      if (end === -1) {
        result += '\\[';
      } else {
        const body = segment.slice(index + 1, end);
        const isInverted = body.startsWith('!') || body.startsWith('^');
        const members = (isInverted ? body.slice(1) : body).replace(/\\?([\][^])/g, '\\$1');
        result += `[${isInverted ? '^' : ''}${members}]`;
        index = end;
      }
    } else {
      result += quote(character);
    }
  }
  return result.replace(/\*{2,}/g, '*');
}

function classEnd(segment: string, start: number): number {
  let index = start + 1;
  if (segment.charAt(index) === '!' || segment.charAt(index) === '^') index++;
  // A `]` in first place is a member of the class.
  if (segment.charAt(index) === ']') index++;
  for (; index < segment.length; index++) {
    if (segment.charAt(index) === '\\') index++;
    else if (segment.charAt(index) === ']') return index;
  }
  return -1;
}

function quote(character: string): string {
  return /[\p{L}\p{N}\s_.-]|[\ud800-\udfff]/u.test(character) ? character : `\\${character}`;
}

function lastMatch(rules: readonly Rule[], path: string, isFolder: boolean): 'matched' | 'negated' | undefined {
  for (let index = rules.length - 1; index >= 0; index--) {
    const rule = rules[index];
    if (rule !== undefined && (isFolder || !rule.isForFoldersOnly) && rule.matches(path)) {
      return rule.isNegated ? 'negated' : 'matched';
    }
  }
  return undefined;
}

/** The file itself decides, else the nearest folder above it that a rule names. */
function isIncluded(rules: readonly Rule[], path: string): boolean {
  let decided = lastMatch(rules, path, false);
  for (let folder = parentOf(path); decided === undefined && folder !== '/'; folder = parentOf(folder)) {
    decided = lastMatch(rules, folder, true);
  }
  return decided === 'matched';
}

function parentOf(path: string): string {
  const slash = path.lastIndexOf('/');
  return slash <= 0 ? '/' : path.slice(0, slash);
}
