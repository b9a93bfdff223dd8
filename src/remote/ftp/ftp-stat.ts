import type { RemoteStat } from '../remote.ts';
import type { FtpControl } from './ftp-control.ts';
import type { FtpReply } from './ftp-errors.ts';
import { isNotImplemented } from './ftp-errors.ts';
import { claims } from './ftp-knowledge.ts';
import type { FtpKnowledge } from './ftp-knowledge.ts';
import { parseSizeBytes, parseTimeVal } from './ftp-listing-line.ts';
import { parseMlstFacts } from './ftp-parse-mlsd.ts';

/** Asks for one file by MLST, else by MDTM and SIZE, and remembers what the server knows. `argument` as for RETR. */
export async function statFile(
  control: FtpControl,
  knowledge: FtpKnowledge,
  argument: string,
): Promise<RemoteStat | undefined> {
  const answer = await askForFile(control, knowledge, argument);
  return answer === undefined || 'code' in answer ? undefined : answer;
}

/** The same, and the server's refusal where it says no; undefined where it cannot be asked, or has said nothing of use. */
export async function askForFile(
  control: FtpControl,
  knowledge: FtpKnowledge,
  argument: string,
): Promise<RemoteStat | FtpReply | undefined> {
  if (knowledge.stat === 'none') return undefined;
  if (knowledge.stat === 'MDTM' || (knowledge.stat === 'untried' && !mayHaveMlst(knowledge))) {
    return askByMdtm(control, knowledge, argument);
  }
  const reply = await control.command(`MLST ${argument}`);
  if (reply.code === 250) {
    const line = reply.text.split('\n')[1];
    // A space begins the line (RFC 3659 §7.2); some servers leave it out.
    const stat = line === undefined ? undefined : parseMlstFacts(line.startsWith(' ') ? line.slice(1) : line);
    if (stat !== undefined) knowledge.stat = 'MLST';
    return stat;
  }
  if (knowledge.stat === 'untried' && isNotImplemented(reply)) {
    knowledge.stat = 'MDTM';
    return askByMdtm(control, knowledge, argument);
  }
  return reply;
}

/** Whether a file can probably be asked for, where that has not been tried. */
export function hasStat(knowledge: FtpKnowledge): boolean {
  if (knowledge.stat !== 'untried') return knowledge.stat !== 'none';
  return mayHaveMlst(knowledge) || claims(knowledge, 'MDTM') || claims(knowledge, 'SIZE');
}

function mayHaveMlst(knowledge: FtpKnowledge): boolean {
  return knowledge.listing === 'MLSD' || claims(knowledge, 'MLST');
}

async function askByMdtm(
  control: FtpControl,
  knowledge: FtpKnowledge,
  argument: string,
): Promise<RemoteStat | FtpReply | undefined> {
  const time = await control.command(`MDTM ${argument}`);
  const size = await control.command(`SIZE ${argument}`);
  if (isNotImplemented(time) && isNotImplemented(size)) {
    knowledge.stat = 'none';
    return undefined;
  }
  if (time.code !== 213 && size.code !== 213) return isNotImplemented(size) ? time : size;
  knowledge.stat = 'MDTM';
  return {
    modified: time.code === 213 ? parseTimeVal(firstWord(time.text)) : undefined,
    sizeBytes: size.code === 213 ? parseSizeBytes(firstWord(size.text)) : undefined,
    unique: undefined,
  };
}

/** The first word behind the code: some servers append a commentary. */
function firstWord(text: string): string {
  return text.slice(4).trim().split(/[\s,]/, 1)[0] ?? '';
}
