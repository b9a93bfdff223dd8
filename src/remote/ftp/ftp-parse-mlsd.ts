import { asRemoteName, remoteNameFault } from '../remote.ts';
import type { RemoteEntry, RemoteEntryType, RemoteStat } from '../remote.ts';
import type { ListingLine } from './ftp-listing-line.ts';
import { DOTS, IGNORED, isDigits, parseSizeBytes, parseTimeVal, rejected } from './ftp-listing-line.ts';

/** One line of MLSD (RFC 3659 §7), without its line end. Never throws. */
export function parseMlsdLine(line: string): ListingLine {
  if (line === '') return IGNORED;
  const parts = splitFactsAndName(line);
  if (parts === undefined) return rejected('not a line of facts and a name');
  const facts = parseFacts(parts.facts);
  const typeText = facts.get('type');
  if (typeText === undefined) return rejected('no type');
  const lowerType = typeText.toLowerCase();
  // The name beside cdir and pdir may be a whole path (RFC 3659 §7.7.4), so it is not looked at.
  if (lowerType === 'cdir' || lowerType === 'pdir') return DOTS;
  if (parts.name === '.' || parts.name === '..') {
    return lowerType === 'dir' ? DOTS : rejected('a name for another folder');
  }
  const name = asRemoteName(parts.name);
  if (name === undefined) return rejected(remoteNameFault(parts.name) ?? 'unusable name');

  const type = entryType(lowerType);
  let sizeBytes = 0;
  if (type === 'file') {
    const size = parseSizeBytes(facts.get('size') ?? '');
    if (size === undefined) return rejected(facts.has('size') ? 'a size that is no number of bytes' : 'no size');
    sizeBytes = size;
  }
  const modify = facts.get('modify');
  const entry: RemoteEntry = {
    name,
    type,
    sizeBytes,
    modified: modify === undefined ? undefined : parseTimeVal(modify),
    unique: facts.get('unique'),
    mode: octalMode(facts.get('unix.mode')),
    linkTarget: type === 'link' ? linkTarget(typeText) : undefined,
  };
  return { kind: 'entry', entry };
}

/** The facts of an MLST answer's middle line about one object, whatever name or path it shows; undefined: no facts. */
export function parseMlstFacts(line: string): RemoteStat | undefined {
  const parts = splitFactsAndName(line);
  if (parts === undefined || parts.facts === '') return undefined;
  const facts = parseFacts(parts.facts);
  const type = facts.get('type')?.toLowerCase();
  const modify = facts.get('modify');
  return {
    sizeBytes: type === undefined || type === 'file' ? parseSizeBytes(facts.get('size') ?? '') : undefined,
    modified: modify === undefined ? undefined : parseTimeVal(modify),
    unique: facts.get('unique'),
  };
}

/**
 * A space ends the facts (RFC 3659 §7.2), everything behind it is the name, leading and trailing spaces included. Only
 * a link's target may bring spaces of its own into the facts (`type=OS.unix=slink:/a b;`); then the first `; ` ends them.
 */
function splitFactsAndName(line: string): { facts: string; name: string } | undefined {
  const space = line.indexOf(' ');
  if (space < 0) return undefined;
  const end = line.indexOf('; ');
  if (end >= space) {
    const facts = line.slice(0, end + 1);
    const hasLinkWithSpace = facts
      .slice(0, -1)
      .split(';')
      .every((fact) => fact.includes('=') && (!fact.includes(' ') || /^type=os\.unix=slink:/i.test(fact)));
    if (hasLinkWithSpace) return { facts, name: line.slice(end + 2) };
  }
  const facts = line.slice(0, space);
  if (facts !== '' && !facts.includes('=')) return undefined;
  return { facts, name: line.slice(space + 1) };
}

function parseFacts(text: string): Map<string, string> {
  const facts = new Map<string, string>();
  for (const fact of text.split(';')) {
    const equals = fact.indexOf('=');
    if (equals > 0) facts.set(fact.slice(0, equals).toLowerCase(), fact.slice(equals + 1));
  }
  return facts;
}

/** Types beyond RFC 3659 §7.5.1: `OS.unix=slink:TARGET`, `OS.unix=slink`, `OS.unix=symlink`, `OS.unix=chr-1/2`, … */
function entryType(lowerType: string): RemoteEntryType {
  if (lowerType === 'file') return 'file';
  if (lowerType === 'dir') return 'folder';
  return /^os\.[a-z]+=(slink|symlink)/.test(lowerType) ? 'link' : 'other';
}

function linkTarget(typeText: string): string | undefined {
  const colon = typeText.indexOf(':');
  return colon < 0 ? undefined : typeText.slice(colon + 1) || undefined;
}

function octalMode(text: string | undefined): string | undefined {
  if (text === undefined || !isDigits(text) || /[89]/.test(text) || text.length > 7) return undefined;
  return text.slice(-4).padStart(4, '0');
}
