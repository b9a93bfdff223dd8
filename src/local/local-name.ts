import { createHash } from 'node:crypto';
import { isUtf8 } from 'node:buffer';
import { BackupError } from '../errors.ts';

/** What one target's file system accepts as a name, found out by trying: see target-probe.ts. */
export interface NameLimits {
  /** The longest name in bytes of UTF-8: 255, or 143 on an encrypted shared folder. */
  readonly nameBytesMax: number;
  /** False where `README` and `readme` are the same file. */
  readonly isCaseSensitive: boolean;
}

/** What CP1252 has at 0x80 to 0x9F; the five places that it leaves undefined stay what Latin-1 has there. */
const CP1252_80_TO_9F = '€\u0081‚ƒ„…†‡ˆ‰Š‹Œ\u008dŽ\u008f\u0090‘’“”•–—˜™š›œ\u009džŸ';

/** Control characters, line separators and marks that turn the direction of writing: they make a name lie about itself. */
const INVISIBLE = /[\0-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]/g;

/** A `%` that would be taken for the start of one of our own escapes: `%20` and `100%` stay as they are. */
const AMBIGUOUS_PERCENT = /%(?=[01][0-9A-F]|2[35EF]|40|7F|C2|E2)/g;

/** Names with a meaning of their own to the system or to DSM, in lower case. */
const RESERVED = new Set(['.', '..', '@eadir', '#recycle', '#snapshot', '@tmp', '.synologyworkingdirectory']);

/** Whether the system or DSM uses this name for something of its own: no file of a task is ever kept under it. */
export function isSystemName(name: string): boolean {
  return RESERVED.has(name.toLowerCase());
}

/** A longer "extension" is part of the name. */
const EXTENSION_BYTES_MAX = 16;

/** How much of the SHA-256 tells names apart; more of it only where less is taken. */
const HASH_DIGITS = [8, 16, 32, 64];

/**
 * The name under which `remoteName` (bytes held as latin1 text) is kept in one local folder. `isTaken` tells whether
 * another name of that folder has this `nameKey`. Throws `name-unusable` where nothing is left that could stand for it.
 *
 * Bytes that are UTF-8 are read as UTF-8, others as CP1252. Control and direction characters, `/`, a `%` that would
 * read as an escape, and the first character of a reserved name become `%XX`, upper case, per byte of UTF-8: that can
 * be read back. What is too long or taken becomes `start~hash.ext`, hash being SHA-256 over the raw bytes: only the
 * index knows the way back. A space or period at the end and `: * ? " < > | \` are kept: Linux allows them.
 */
export function localNameFor(remoteName: string, limits: NameLimits, isTaken: (key: string) => boolean): string {
  const text = escapeForDisk(decodeBytes(remoteName));
  if (text === '') throw new BackupError('name-unusable', { detail: 'empty name' });
  if (Buffer.byteLength(text) <= limits.nameBytesMax && !isTaken(nameKey(text, limits))) return text;

  const hash = createHash('sha256').update(remoteName, 'latin1').digest('hex');
  for (const digits of HASH_DIGITS) {
    const name = tagName(text, hash.slice(0, digits), limits.nameBytesMax);
    if (name !== undefined && !isTaken(nameKey(name, limits))) return name;
  }
  throw new BackupError('name-unusable', {
    facts: { path: decodeRemoteName(remoteName) },
    detail: 'every name that could stand for it is taken',
  });
}

/** One of our own escapes, as AMBIGUOUS_PERCENT and escapeForDisk write them. */
const ESCAPED = /%([01][0-9A-F]|2[35EF]|40|7F|C2%[89][0-9A-F]|E2%8[01]%[89AB][0-9A-F])/g;

/**
 * The remote name that `localNameFor` keeps under `localName` where no other is in the way, read as UTF-8; undefined where it
 * keeps none under that name. For a file of which nothing else tells the name that it has on its server.
 */
export function remoteNameFor(localName: string, limits: NameLimits): string | undefined {
  const text = localName.replace(ESCAPED, (escape) => Buffer.from(escape.replaceAll('%', ''), 'hex').toString('utf8'));
  const remoteName = Buffer.from(text, 'utf8').toString('latin1');
  if (remoteName === '' || /[/\0\r\n]/.test(remoteName)) return undefined;
  try {
    return localNameFor(remoteName, limits, () => false) === localName ? remoteName : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Two names with the same key must not be in one folder: they are one file to the target, or one name to the eyes and
 * to other systems (NFC and NFD). May hold apart too little, never too much.
 */
export function nameKey(name: string, limits: NameLimits): string {
  const composed = name.normalize('NFC');
  // Lower before upper: ẞ becomes ß, and only then SS.
  return limits.isCaseSensitive ? composed : composed.toLowerCase().toUpperCase().normalize('NFC');
}

/**
 * A remote name or path as people read it: each part decoded by itself, as on disk, invisible characters as `%XX`.
 * For showing only: it cannot be read back.
 */
export function decodeRemoteName(remote: string): string {
  return remote
    .split('/')
    .map((part) => decodeBytes(part).replace(INVISIBLE, percentBytes))
    .join('/');
}

/** `name` as `stem~tag.ext`, the stem cut to fit `bytesMax`; undefined where tag and extension alone do not fit. */
export function tagName(name: string, tag: string, bytesMax: number): string | undefined {
  const dot = name.lastIndexOf('.');
  const extension = dot > 0 && Buffer.byteLength(name.slice(dot)) <= EXTENSION_BYTES_MAX ? name.slice(dot) : '';
  const end = `~${tag}${extension}`;
  const stemBytesMax = bytesMax - Buffer.byteLength(end);
  if (stemBytesMax < 0) return undefined;
  return cutToBytes(name.slice(0, name.length - extension.length), stemBytesMax) + end;
}

function decodeBytes(raw: string): string {
  if (/[^\0-\xff]/.test(raw)) throw new TypeError('A remote name must be bytes, held as latin1 text');
  if (!/[\x80-\xff]/.test(raw)) return raw;
  const bytes = Buffer.from(raw, 'latin1');
  if (isUtf8(bytes)) return bytes.toString('utf8');
  return raw.replace(/[\x80-\x9f]/g, (char) => CP1252_80_TO_9F.charAt(char.charCodeAt(0) - 0x80));
}

function escapeForDisk(text: string): string {
  const escaped = text.replace(AMBIGUOUS_PERCENT, '%25').replace(INVISIBLE, percentBytes).replaceAll('/', '%2F');
  if (!RESERVED.has(escaped.toLowerCase())) return escaped;
  return percentBytes(escaped.charAt(0)) + escaped.slice(1);
}

function percentBytes(char: string): string {
  let text = '';
  for (const byte of Buffer.from(char)) text += `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  return text;
}

/** The longest beginning of `text` within `bytesMax` bytes that does not cut a character in two. */
function cutToBytes(text: string, bytesMax: number): string {
  const bytes = Buffer.from(text);
  if (bytes.length <= bytesMax) return text;
  let end = bytesMax;
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  return bytes.toString('utf8', 0, end);
}
