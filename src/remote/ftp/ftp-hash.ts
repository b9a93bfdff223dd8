import type { HashAlgorithm, RemoteHash } from '../remote.ts';
import type { FtpControl } from './ftp-control.ts';
import { isNotImplemented } from './ftp-errors.ts';
import type { FtpReply } from './ftp-errors.ts';
import { claims } from './ftp-knowledge.ts';
import type { FtpKnowledge } from './ftp-knowledge.ts';

/** How a server is asked for the hash of a whole file. */
export interface HashWay {
  readonly algorithm: HashAlgorithm;
  /** HASH needs its algorithm chosen by OPTS on each connection (draft-bryan-ftpext-hash-02 §3.2, ProFTPD mod_digest). */
  readonly option: string | undefined;
  readonly command: string;
}

/** The best first. No CRC-32: who hides an edit behind an old time forges that, too. */
const WAYS: readonly HashWay[] = [
  { algorithm: 'sha256', option: 'SHA-256', command: 'HASH' },
  { algorithm: 'sha256', option: undefined, command: 'XSHA256' },
  { algorithm: 'sha512', option: 'SHA-512', command: 'HASH' },
  { algorithm: 'sha512', option: undefined, command: 'XSHA512' },
  { algorithm: 'sha1', option: 'SHA-1', command: 'HASH' },
  { algorithm: 'sha1', option: undefined, command: 'XSHA1' },
  { algorithm: 'sha1', option: undefined, command: 'XSHA' },
  { algorithm: 'md5', option: 'MD5', command: 'HASH' },
  { algorithm: 'md5', option: undefined, command: 'XMD5' },
];

const HEX_DIGITS: Readonly<Record<HashAlgorithm, number>> = { md5: 32, sha1: 40, sha256: 64, sha512: 128 };

/** The best way that FEAT names and that has not failed yet; undefined where there is none. */
export function hashWay(knowledge: FtpKnowledge): HashWay | undefined {
  return WAYS.find((way) => !knowledge.refusedHashes.has(nameOf(way)) && isOffered(way, knowledge));
}

/**
 * Asks for the hash of one whole file. undefined: not told, for this file or at all. `chosen` is what this connection has
 * set by OPTS HASH; the answer gives it anew.
 */
export async function hashFile(
  control: FtpControl,
  knowledge: FtpKnowledge,
  argument: string,
  chosen: { option: string | undefined },
): Promise<RemoteHash | undefined> {
  for (let way = hashWay(knowledge); way !== undefined; way = hashWay(knowledge)) {
    if (way.option !== undefined && chosen.option !== way.option) {
      const reply = await control.command(`OPTS HASH ${way.option}`);
      if (reply.code >= 300) {
        knowledge.refusedHashes.add(nameOf(way));
        continue;
      }
      chosen.option = way.option;
    }
    const reply = await control.command(`${way.command} ${argument}`);
    if (isNotImplemented(reply)) {
      knowledge.refusedHashes.add(nameOf(way));
      continue;
    }
    const hex = reply.code >= 300 ? undefined : readHash(reply, way.algorithm);
    return hex === undefined ? undefined : { algorithm: way.algorithm, hex };
  }
  return undefined;
}

function isOffered({ option, command }: HashWay, knowledge: FtpKnowledge): boolean {
  if (option === undefined) return claims(knowledge, command);
  const line = knowledge.features?.find((feature) => /^HASH /i.test(feature));
  const offered = (line ?? '').slice(5).split(';');
  return offered.some((name) => name.trim().replace('*', '').toUpperCase() === option);
}

function nameOf({ command, option }: HashWay): string {
  return `${command} ${option ?? ''}`;
}

/**
 * `213 SHA-256 0-49 6aa3… name`, `250 6aa3…`: the first word that is a hash of this length, before the name. ProFTPD 1.3.8 says
 * in a line before it that it is computing, so that only the last line counts.
 */
function readHash(reply: FtpReply, algorithm: HashAlgorithm): string | undefined {
  const line = reply.text.trimEnd().split('\n').at(-1) ?? '';
  const words = line.slice(0, 400).trim().split(/\s+/, 4);
  const isHash = new RegExp(`^[0-9a-f]{${HEX_DIGITS[algorithm]}}$`, 'i');
  return words.find((word) => isHash.test(word))?.toLowerCase();
}
