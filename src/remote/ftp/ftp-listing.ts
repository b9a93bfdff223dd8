import { BackupError } from '../../errors.ts';
import { LISTING_BATCH, REJECTED_SAMPLES_MAX } from '../remote.ts';
import type { RemoteEntry } from '../remote.ts';
import type { FtpControl } from './ftp-control.ts';
import type { FtpReply } from './ftp-errors.ts';
import { isNotImplemented, isPermissionDenied, replyDetail } from './ftp-errors.ts';
import type { FtpKnowledge, ListingCommand } from './ftp-knowledge.ts';
import { FtpLineSplitter } from './ftp-line-splitter.ts';
import type { ListingLine } from './ftp-listing-line.ts';
import { FtpNameSet } from './ftp-name-set.ts';
import { parseListLine } from './ftp-parse-list.ts';
import { parseMlsdLine } from './ftp-parse-mlsd.ts';
import { FtpTransfer, assertTransferEnd } from './ftp-transfer.ts';

/** What a folder's own listing is made by, or another order or part of it, for a second opinion. */
export type ListingRequest = ListingCommand | `LIST -a${string}`;

/** One listing as it came, every line accounted for: lines = entries + dots + ignored + rejectedCount. */
export interface RawListing {
  readonly lines: number;
  readonly entries: number;
  readonly dots: number;
  readonly ignored: number;
  readonly rejectedCount: number;
  readonly rejected: readonly { readonly line: string; readonly why: string }[];
  /** True where the last line did not end: the listing was cut there. */
  readonly isCut: boolean;
  readonly names: FtpNameSet;
  readonly reply: FtpReply;
}

/** A server that will not list by this command: `reply` says whether it knows it at all. */
export class ListingRefusal extends Error {
  readonly reply: FtpReply;

  constructor(reply: FtpReply) {
    super(reply.text);
    this.reply = reply;
  }

  get isNotImplemented(): boolean {
    return isNotImplemented(this.reply);
  }

  /** The refusal of `folder` as the port's error. */
  toBackupError(control: FtpControl, folder: string): BackupError {
    // After a positive CWD a 4xx is a passing trouble of the server, unless its words say otherwise.
    const isPassing = this.reply.code < 500 && !isPermissionDenied(this.reply.text, folder);
    return new BackupError(isPassing ? 'listing-aborted' : 'listing-refused', {
      facts: { ...control.facts, path: folder },
      detail: replyDetail(this.reply),
    });
  }
}

/**
 * Lists the current folder once. Throws ListingRefusal where the server refused before it sent anything,
 * `listing-aborted` where the listing broke off, what `onEntries` threw, or an error of the connection.
 */
export async function listCurrentFolder(
  control: FtpControl,
  knowledge: FtpKnowledge,
  request: ListingRequest,
  nowMs: number,
  onEntries: (entries: readonly RemoteEntry[]) => void,
): Promise<RawListing> {
  const collector = new ListingCollector(request === 'MLSD', nowMs, onEntries);
  const receiver = {
    push: (chunk: Buffer): boolean => {
      collector.push(chunk);
      return true;
    },
    onReady: (resume: () => void): void => {
      resume();
    },
  };
  const transfer = await FtpTransfer.start(control, knowledge, request, receiver, 'listing-aborted');
  const end = await transfer.end;
  // 425, 426 and 451 are about the data connection; any other refusal without data is about the folder or the command.
  if (
    end.reply.code >= 400 &&
    end.sizeBytes === 0 &&
    ![425, 426, 451].includes(end.reply.code) &&
    !isDataTls(end.reply)
  ) {
    throw new ListingRefusal(end.reply);
  }
  assertTransferEnd(control, end, 'listing-aborted');
  return collector.finish(end.reply);
}

function isDataTls(reply: FtpReply): boolean {
  return reply.code === 521 || reply.code === 522;
}

/** Makes entries of the bytes of one listing and hands them over in batches. */
export class ListingCollector {
  readonly #splitter: FtpLineSplitter;
  readonly #isMlsd: boolean;
  readonly #nowMs: number;
  readonly #onEntries: (entries: readonly RemoteEntry[]) => void;
  readonly #names = new FtpNameSet();
  readonly #rejected: { line: string; why: string }[] = [];
  #batch: RemoteEntry[] = [];
  #lines = 0;
  #entries = 0;
  #dots = 0;
  #ignored = 0;
  #rejectedCount = 0;

  constructor(isMlsd: boolean, nowMs: number, onEntries: (entries: readonly RemoteEntry[]) => void) {
    this.#isMlsd = isMlsd;
    this.#nowMs = nowMs;
    this.#onEntries = onEntries;
    this.#splitter = new FtpLineSplitter(
      (line) => {
        this.#onLine(line);
      },
      (beginning) => {
        this.#lines++;
        this.#reject(beginning, 'a line without end');
      },
    );
  }

  push(chunk: Buffer): void {
    this.#splitter.push(chunk);
  }

  finish(reply: FtpReply): RawListing {
    const remainder = this.#splitter.remainder;
    if (remainder !== undefined) {
      this.#lines++;
      this.#reject(remainder, 'the last line was cut short');
    }
    this.#flush();
    return {
      lines: this.#lines,
      entries: this.#entries,
      dots: this.#dots,
      ignored: this.#ignored,
      rejectedCount: this.#rejectedCount,
      rejected: this.#rejected,
      isCut: remainder !== undefined,
      names: this.#names,
      reply,
    };
  }

  #onLine(line: string): void {
    this.#lines++;
    const parsed = this.#parse(line);
    switch (parsed.kind) {
      case 'entry':
        this.#onEntry(line, parsed.entry);
        return;
      case 'dots':
        this.#dots++;
        return;
      case 'ignored':
        this.#ignored++;
        return;
      case 'rejected':
        this.#reject(line, parsed.why);
    }
  }

  #parse(line: string): ListingLine {
    return this.#isMlsd ? parseMlsdLine(line) : parseListLine(line, this.#lines === 1, this.#nowMs);
  }

  #onEntry(line: string, entry: RemoteEntry): void {
    if (!this.#names.add(entry.name)) {
      this.#reject(line, 'a name that came before');
      return;
    }
    this.#entries++;
    this.#batch.push(entry);
    if (this.#batch.length >= LISTING_BATCH) this.#flush();
  }

  #flush(): void {
    if (this.#batch.length === 0) return;
    const batch = this.#batch;
    this.#batch = [];
    this.#onEntries(batch);
  }

  #reject(line: string, why: string): void {
    this.#rejectedCount++;
    if (this.#rejected.length < REJECTED_SAMPLES_MAX) this.#rejected.push({ line, why });
  }
}
