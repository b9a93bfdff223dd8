import { limited, limitedMatches } from './scripted-ftp-limits.ts';
import type { ScriptedServerOptions } from './scripted-ftp-options.ts';
import { utf8Name, type TreeFile, type TreeFolder, type TreeLink } from './scripted-ftp-tree.ts';

type Shown = TreeFile | TreeFolder | TreeLink;
interface Line {
  readonly name: string;
  readonly node: Shown;
}

export interface ListFlags {
  readonly showsAll: boolean;
  readonly isReversed: boolean;
  readonly sortsByTime: boolean;
  readonly sortsBySize: boolean;
  readonly isRecursive: boolean;
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
// As glibc's fr_FR prints them.
const MONTHS_FR = 'janv. févr. mars avril mai juin juil. août sept. oct. nov. déc.'.split(' ').map(utf8Name);
const HALF_YEAR_MS = 182 * 86_400_000;
const MLST_FACTS = ['type', 'size', 'modify', 'unix.mode', 'unique'];

/** Splits `-la folder` as a server does that knows ls options: leading words with a dash, then a path with its spaces. */
export function splitListArgument(
  argument: string,
  how: ScriptedServerOptions['listOptions'],
): { flags: ListFlags; path: string } {
  let letters = '';
  let path = argument;
  while (how !== 'as-name' && path.startsWith('-')) {
    const end = path.indexOf(' ');
    if (how === 'honoured') letters += end === -1 ? path : path.slice(0, end);
    path = end === -1 ? '' : path.slice(end + 1);
  }
  const flags = {
    showsAll: letters.includes('a'),
    isReversed: letters.includes('r'),
    sortsByTime: letters.includes('t'),
    sortsBySize: letters.includes('S'),
    isRecursive: letters.includes('R'),
  };
  return { flags, path };
}

/** The lines of LIST for a folder, or for one file. */
export function listLines(
  node: Shown,
  name: string,
  parent: TreeFolder,
  flags: ListFlags,
  options: ScriptedServerOptions,
): string[] {
  if (node.kind !== 'folder') return [listLine({ name, node }, options)];
  const shown = limited(visible(node, flags, options), flags, options.listingLimit);
  const lines = shown.map((line) => listLine(line, options));
  const showsDots = flags.showsAll && options.listStyle !== 'dos' && options.showsHidden !== 'never';
  if (showsDots) {
    lines.unshift(listLine({ name: '.', node }, options), listLine({ name: '..', node: parent }, options));
  }
  if (options.showsTotal) lines.unshift(`total ${lines.length * 4}`);
  if (!flags.isRecursive) return lines;
  for (const child of shown) {
    if (child.node.kind !== 'folder') continue;
    const path = name === '' ? child.name : `${name}/${child.name}`;
    lines.push('', `${path}:`, ...listLines(child.node, path, node, flags, options));
  }
  return lines;
}

/** The lines of LIST -d by a pattern of names. */
export function matchLines(
  folder: TreeFolder,
  pattern: string,
  flags: ListFlags,
  options: ScriptedServerOptions,
): string[] {
  const { listingLimit: limit } = options;
  if (limit === undefined) return [];
  return limitedMatches(visible(folder, flags, options), pattern, limit).map((line) => listLine(line, options));
}

/** The lines of NLST. */
export function nameLines(node: Shown, name: string, flags: ListFlags, options: ScriptedServerOptions): string[] {
  return node.kind === 'folder' ? visible(node, flags, options).map((line) => line.name) : [name];
}

/** The lines of MLSD, in the order of the tree. `facts`: those that the client chose, in lower case. */
export function mlsdLines(
  folder: TreeFolder,
  parent: TreeFolder,
  facts: readonly string[] | undefined,
  options: ScriptedServerOptions,
): string[] {
  const showsHidden = options.mlsdShowsHidden ?? options.showsHidden !== 'never';
  const lines = childrenOf(folder)
    .filter(({ name }) => showsHidden || !name.startsWith('.'))
    .map(({ name, node }) => mlstLine(node, name, facts, options));
  const all = [mlstLine(folder, '.', facts, options, 'cdir'), mlstLine(parent, '..', facts, options, 'pdir'), ...lines];
  return options.listingLimit?.as === 'pure-ftpd' ? all.slice(0, options.listingLimit.lines) : all;
}

/** One line of MLSD or MLST: facts, a space, the name. */
export function mlstLine(
  node: Shown,
  name: string,
  facts: readonly string[] | undefined,
  options: ScriptedServerOptions,
  type: string = mlstType(node),
): string {
  const values: Record<string, string | undefined> = {
    type: `type=${type}`,
    size: node.kind === 'file' ? `size=${node.content.sizeBytes}` : undefined,
    modify: `modify=${mlstTime(node.mtimeMs)}`,
    'unix.mode': `UNIX.mode=${octal(node.mode)}`,
    unique: options.uniqueFacts ? `unique=801U${node.inode.toString(16)}` : undefined,
  };
  const wanted = MLST_FACTS.filter((fact) => facts === undefined || facts.includes(fact));
  const told = wanted.map((fact) => values[fact]).filter((value) => value !== undefined);
  return `${told.map((value) => `${value};`).join('')} ${name}`;
}

/** `20261121004300`, UTC (RFC 3659 §2.3). */
export function mlstTime(mtimeMs: number): string {
  return new Date(mtimeMs).toISOString().slice(0, 19).replace(/\D/g, '');
}

function mlstType(node: Shown): string {
  if (node.kind === 'link') return `OS.unix=slink:${node.target}`;
  return node.kind === 'folder' ? 'dir' : 'file';
}

function childrenOf(folder: TreeFolder): Line[] {
  return [...folder.children].map(([name, node]) => ({ name, node: node.kind === 'alias' ? node.folder : node }));
}

function visible(folder: TreeFolder, flags: ListFlags, options: ScriptedServerOptions): Line[] {
  const showsHidden = options.showsHidden === 'always' || (options.showsHidden === 'with-a' && flags.showsAll);
  const lines = childrenOf(folder).filter(({ name }) => showsHidden || !name.startsWith('.'));
  const first = (a: Line, b: Line): number => {
    if (flags.sortsByTime) return b.node.mtimeMs - a.node.mtimeMs;
    return flags.sortsBySize ? sizeOf(b.node) - sizeOf(a.node) : 0;
  };
  lines.sort((a, b) => first(a, b) || (a.name < b.name ? -1 : 1));
  return flags.isReversed ? lines.reverse() : lines;
}

function listLine(line: Line, options: ScriptedServerOptions): string {
  const { node, name } = line;
  const time = new Date(node.mtimeMs + options.listUtcOffsetMinutes * 60_000);
  if (options.listStyle === 'dos') return dosLine(node, name, time);
  const letter = { file: '-', folder: 'd', link: 'l' }[node.kind];
  const arrow = node.kind === 'link' ? ` -> ${node.target}` : '';
  const links = node.kind === 'folder' ? 2 : 1;
  const head = `${letter}${permissionLetters(node.mode)} ${pad(links, 4)} 1000     1000     ${pad(sizeOf(node), 12)}`;
  return `${head} ${unixTime(time, options)} ${name}${arrow}`;
}

function dosLine(node: Shown, name: string, time: Date): string {
  const iso = time.toISOString();
  const hours = time.getUTCHours();
  const clock = `${two(hours % 12 === 0 ? 12 : hours % 12)}:${iso.slice(14, 16)}${hours < 12 ? 'AM' : 'PM'}`;
  const size = node.kind === 'folder' ? '      <DIR>         ' : pad(sizeOf(node), 20);
  return `${iso.slice(5, 7)}-${iso.slice(8, 10)}-${iso.slice(2, 4)}  ${clock} ${size} ${name}`;
}

function unixTime(time: Date, options: ScriptedServerOptions): string {
  const iso = time.toISOString();
  if (options.listStyle === 'unix-iso') return `${iso.slice(0, 10)} ${iso.slice(11, 16)}`;
  const nowMs = (options.nowMs ?? Date.now()) + options.listUtcOffsetMinutes * 60_000;
  const isRecent = time.getTime() <= nowMs && time.getTime() > nowMs - HALF_YEAR_MS;
  const clock = isRecent ? iso.slice(11, 16) : ` ${iso.slice(0, 4)}`;
  const day = time.getUTCDate();
  if (options.listStyle === 'unix-fr-day-first') return `${pad(day, 2)} ${monthName(time, MONTHS_FR)} ${clock}`;
  const dayText = options.listStyle === 'unix' ? two(day) : pad(day, 2);
  return `${monthName(time, options.listStyle === 'unix' ? MONTHS : MONTHS_FR)} ${dayText} ${clock}`;
}

function monthName(time: Date, names: readonly string[]): string {
  return names[time.getUTCMonth()] ?? '';
}

function sizeOf(node: Shown): number {
  if (node.kind === 'folder') return 4096;
  return node.kind === 'link' ? node.target.length : node.content.sizeBytes;
}

function permissionLetters(mode: number): string {
  return 'rwxrwxrwx'.replace(/./g, (letter, index: number) => ((mode >> (8 - index)) & 1 ? letter : '-'));
}

function octal(mode: number): string {
  return mode.toString(8).padStart(4, '0');
}

function two(value: number): string {
  return String(value).padStart(2, '0');
}

function pad(value: number, width: number): string {
  return String(value).padStart(width);
}
