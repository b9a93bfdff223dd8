import type { FolderListing } from '../remote.ts';
import { readable } from './ftp-errors.ts';
import type { FtpReply } from './ftp-errors.ts';
import type { FtpKnowledge, ListingCommand, ReplyHabit } from './ftp-knowledge.ts';
import type { RawListing } from './ftp-listing.ts';

export type Incomplete = NonNullable<FolderListing['incomplete']>;

/** What one listing says of itself. `suspicious`: by its number of lines it may have been cut without a word. */
export type Verdict =
  | { readonly kind: 'complete' }
  | { readonly kind: 'incomplete'; readonly incomplete: Incomplete }
  | { readonly kind: 'suspicious'; readonly detail: string };

/** Servers that stop without saying so do it after a number of thousands of lines, with or without `.` and `..`. */
const SILENT_LIMIT_STEP = 1000;

/** Below this, an unusual closing reply says nothing: servers have special words for empty and short folders. */
const ODD_REPLY_ENTRIES_MIN = 100;
const USUAL_REPLIES_MIN = 3;
const REPLY_HABITS_MAX = 32;

/**
 * How Pure-FTPd 1.0.50 says that it stopped at its limit, in the languages it can be built with (`messages_*.h`, most
 * of them in 8-bit encodings, so that a letter may be any one or two bytes), and words of other servers.
 */
const TRUNCATION_WORDS = new RegExp(
  [
    'trunc|trunk|tronqu|tronc|troncat|abgeschn|beschr.{1,2}nkt|beschraenkt|zkr.{1,2}cen|skr.{1,2}ten|afrundet|csonk',
    'afgekort|avkortet|obci.{1,2}t|shkurtuar|k.{1,2}saltmas|je t.en file|incomplete|too many (files|entries|matches)',
    '(list|output|match|entr|file|result)[a-z]* (is |was |are |were |has been |have been )?(limit|restricted|cut)',
    'limit(ed)? (to|of) \\d+ (file|entr|match|item|line|object)|(listing|display) limit',
  ].join('|'),
  'i',
);

/** A success that is none: vsftpd 3.0.3 closes the listing of a folder it may not read with 226 and these words. */
const UNREADABLE_WORDS = /failed to open|(cannot|could not|unable to|can't) (open|read|access)|permission denied/i;

export function saysTruncated(reply: FtpReply): boolean {
  return TRUNCATION_WORDS.test(reply.text);
}

/** Judges a listing made by `command`, and learns from it what this server's closing replies are like. */
export function judge(raw: RawListing, command: ListingCommand, knowledge: FtpKnowledge): Verdict {
  const replyText = readable(raw.reply.text);
  if (saysTruncated(raw.reply)) return truncated(replyText);
  if (raw.isCut) return truncated(`the last line was cut short: ${raw.rejected.at(-1)?.line ?? ''}`);
  const doubt = doubtOfReply(raw, command, knowledge);
  if (doubt !== undefined) return truncated(`${doubt}: ${replyText}`);
  if (raw.rejectedCount > 0) {
    const sample = raw.rejected[0];
    const detail = `${raw.rejectedCount} of ${raw.lines} lines, such as "${readable(sample?.line ?? '')}": ${sample?.why ?? ''}`;
    return { kind: 'incomplete', incomplete: { reason: 'listing-unparsed', detail } };
  }
  if (raw.entries === 0 && UNREADABLE_WORDS.test(replyText)) return suspiciouslyEmpty(replyText);
  if (raw.lines === 0 && knowledge.alwaysHasLines.has(command)) {
    return suspiciouslyEmpty('not even the lines that this server shows of an empty folder');
  }
  if (isRound(raw) && !isBelowProvenSize(raw, command, knowledge)) {
    return { kind: 'suspicious', detail: `exactly ${raw.entries} entries` };
  }
  learn(raw, command, knowledge);
  return { kind: 'complete' };
}

function suspiciouslyEmpty(detail: string): Verdict {
  return { kind: 'incomplete', incomplete: { reason: 'listing-suspiciously-empty', detail } };
}

export function truncated(detail: string): Verdict {
  return { kind: 'incomplete', incomplete: { reason: 'listing-truncated', detail } };
}

/** Whether `second`, made in reverse order, shows that nothing was cut: the same names, really in another order. */
export function confirms(first: RawListing, second: RawListing): boolean {
  return (
    first.names.contents === second.names.contents &&
    first.names.order !== second.names.order &&
    !second.isCut &&
    second.rejectedCount === 0 &&
    !saysTruncated(second.reply)
  );
}

function isRound({ entries, dots }: RawListing): boolean {
  const isThousands = (lines: number): boolean => lines > 0 && lines % SILENT_LIMIT_STEP === 0;
  return isThousands(entries) || isThousands(entries + 2) || isThousands(entries + dots);
}

/** A server that has shown more by the same command does not stop here. */
function isBelowProvenSize(raw: RawListing, command: ListingCommand, knowledge: FtpKnowledge): boolean {
  return (knowledge.largestListing.get(command) ?? 0) > raw.entries + raw.dots;
}

/** What is wrong with the closing reply, seen against this server's earlier ones. */
function doubtOfReply(raw: RawListing, command: ListingCommand, knowledge: FtpKnowledge): string | undefined {
  const line = lastLine(raw.reply);
  const key = habitKey(command, line);
  const habit = knowledge.replyHabits.get(key);
  const count = theNumber(line);
  if (count !== undefined && !isCountOf(raw, count)) {
    const isKnownCount = habit !== undefined && habit.countMatches >= 2 && habit.countMismatches === 0;
    if (isKnownCount || /\bmatch(es)?\b/i.test(line)) return `the server counts ${count}, sent ${raw.lines} lines`;
  }
  if (habit === undefined && raw.entries >= ODD_REPLY_ENTRIES_MIN && hasUsualReply(command, knowledge)) {
    return 'an unusual closing reply';
  }
  return undefined;
}

function learn(raw: RawListing, command: ListingCommand, knowledge: FtpKnowledge): void {
  const line = lastLine(raw.reply);
  const key = habitKey(command, line);
  const habit = knowledge.replyHabits.get(key) ?? { seen: 0, countMatches: 0, countMismatches: 0 };
  habit.seen++;
  const count = theNumber(line);
  // An empty folder's 0 proves little: a server may always say 0.
  if (count !== undefined && raw.entries > 0) {
    if (isCountOf(raw, count)) habit.countMatches++;
    else habit.countMismatches++;
  }
  if (knowledge.replyHabits.size < REPLY_HABITS_MAX || knowledge.replyHabits.has(key)) {
    knowledge.replyHabits.set(key, habit);
  }
  const largest = knowledge.largestListing.get(command) ?? 0;
  if (raw.entries > largest) knowledge.largestListing.set(command, raw.entries);
  learnLines(raw, command, knowledge);
}

/** Remembers that this command shows lines of every folder: one without any was not really shown. */
export function learnLines(raw: RawListing, command: ListingCommand, knowledge: FtpKnowledge): void {
  if (raw.dots > 0 || raw.ignored > 0) knowledge.alwaysHasLines.add(command);
}

function hasUsualReply(command: ListingCommand, knowledge: FtpKnowledge): boolean {
  return [...knowledge.replyHabits].some(
    ([key, habit]: [string, ReplyHabit]) => key.startsWith(`${command}:`) && habit.seen >= USUAL_REPLIES_MIN,
  );
}

function isCountOf(raw: RawListing, count: number): boolean {
  return count === raw.lines || count === raw.entries || count === raw.entries + raw.dots;
}

function lastLine(reply: FtpReply): string {
  const line = reply.text.slice(reply.text.lastIndexOf('\n') + 1);
  return line.slice(4, 300);
}

/** The one number in a text; undefined where there is none or more than one. */
function theNumber(text: string): number | undefined {
  const numbers = text.match(/\d+/g);
  return numbers?.length === 1 ? Number(numbers[0]) : undefined;
}

/** The text without what differs from one good listing to the next: numbers and their units of size and time. */
function habitKey(command: ListingCommand, line: string): string {
  const words = line
    .toLowerCase()
    .replace(/\d+/g, '#')
    .replace(/#[#.,:]*/g, '#')
    .replace(/\b(bytes?|[kmg]?i?b|[kmg]bytes?|m?s|msec|sec|secs|seconds?|minutes?)\b/g, '');
  return `${command}:${words.replace(/\s+/g, ' ').trim()}`;
}
