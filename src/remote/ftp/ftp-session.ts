import type { Writable } from 'node:stream';
import type { Clock } from '../../clock.ts';
import { BackupError, isBackupError } from '../../errors.ts';
import { folderOf, nameOf } from '../../paths.ts';
import type {
  FolderListing,
  RemoteCapabilities,
  RemoteEntry,
  RemoteHash,
  RemotePath,
  RemoteSession,
  RemoteStat,
} from '../remote.ts';
import { REMOTE_ROOT } from '../remote.ts';
import type { FtpControl } from './ftp-control.ts';
import type { FtpReply } from './ftp-errors.ts';
import { isPermissionDenied, replyDetail, saysGone, withFacts } from './ftp-errors.ts';
import type { FtpFolder } from './ftp-folder.ts';
import { gatherHidden } from './ftp-gather.ts';
import { hashFile, hashWay } from './ftp-hash.ts';
import type { FtpKnowledge, ListingCommand } from './ftp-knowledge.ts';
import { ListingRefusal, listCurrentFolder } from './ftp-listing.ts';
import type { ListingRequest, RawListing } from './ftp-listing.ts';
import { FIRST_PAUSE_MS, LISTING_TRIES_MAX } from './ftp-probe.ts';
import { FtpSink } from './ftp-sink.ts';
import { askForFile, hasStat } from './ftp-stat.ts';
import { FtpTransfer, assertTransferEnd } from './ftp-transfer.ts';
import { confirms, judge, truncated } from './ftp-verdict.ts';
import type { Incomplete, Verdict } from './ftp-verdict.ts';

/** One FTP connection, logged in, on a server of which `probe` has found out the ways. */
export class FtpSession implements RemoteSession {
  readonly #control: FtpControl;
  readonly #knowledge: FtpKnowledge;
  readonly #folder: FtpFolder;
  readonly #clock: Clock;
  /** What this connection has set by OPTS HASH. */
  readonly #hashChosen: { option: string | undefined } = { option: undefined };

  constructor(control: FtpControl, knowledge: FtpKnowledge, folder: FtpFolder, clock: Clock) {
    this.#control = control;
    this.#knowledge = knowledge;
    this.#folder = folder;
    this.#clock = clock;
  }

  get capabilities(): RemoteCapabilities {
    const knowledge = this.#knowledge;
    return {
      listing: this.#listing,
      timePrecision: this.#listing === 'MLSD' ? 'second' : 'minute',
      hasStat: hasStat(knowledge),
      hasRestart: knowledge.hasRestart,
      showsHidden: knowledge.showsHidden,
      isEncrypted: this.#control.dataTls !== undefined,
      hash: hashWay(knowledge)?.algorithm,
      features: knowledge.features ?? [],
    };
  }

  get identity(): Readonly<Record<string, string>> {
    return this.#control.identity;
  }

  async list(
    folder: RemotePath,
    onEntries: (entries: readonly RemoteEntry[]) => void,
    effort: 'once' | 'thorough' = 'once',
  ): Promise<FolderListing> {
    const path = this.#serverPath(folder);
    const refusal = await this.#folder.change(path);
    if (refusal !== undefined) throw this.#folderRefused(folder, path, refusal);
    const raw = await this.#listPatiently(path, onEntries).catch((error: unknown) => {
      if (effort === 'thorough' && isBackupError(error, 'listing-refused')) return error;
      throw error;
    });
    if (raw instanceof BackupError) return unlisted(raw);
    const listing = { entryCount: raw.entries, rejected: raw.rejected, reply: raw.reply.text };
    const incomplete = await this.#verdict(raw, path);
    if (incomplete?.reason !== 'listing-truncated' || effort === 'once') return { ...listing, incomplete };
    const gathered = await gatherHidden(raw, this.#listing, (...look) => this.#lookAgain(...look), onEntries);
    const detail = `${incomplete.detail}; ${gathered.listings} other listings showed ${gathered.entries} more`;
    const entryCount = raw.entries + gathered.entries;
    return { ...listing, entryCount, gathered: gathered.entries, incomplete: { ...incomplete, detail } };
  }

  async stat(path: RemotePath): Promise<RemoteStat | undefined> {
    const answer = await this.#askFor(path);
    return answer === undefined || 'code' in answer ? undefined : answer;
  }

  async isGone(path: RemotePath, kind: 'file' | 'folder'): Promise<boolean> {
    const serverPath = this.#serverPath(path);
    const answer = kind === 'file' ? await this.#askFor(path) : ((await this.#folder.change(serverPath)) ?? 'entered');
    if (answer === 'entered' || (answer !== undefined && !('code' in answer))) return false;
    if (answer !== undefined && saysGone(answer, serverPath)) return true;
    throw new BackupError(answer !== undefined && answer.code < 500 ? 'listing-aborted' : 'listing-refused', {
      facts: { ...this.#control.facts, path: serverPath },
      ...(answer === undefined ? {} : { detail: replyDetail(answer) }),
    });
  }

  async hash(path: RemotePath): Promise<RemoteHash | undefined> {
    if (hashWay(this.#knowledge) === undefined) return undefined;
    const argument = await this.#fileArgument(path);
    if (typeof argument !== 'string') return undefined;
    return hashFile(this.#control, this.#knowledge, argument, this.#hashChosen);
  }

  async download(path: RemotePath, sink: Writable, startAt: number): Promise<number> {
    const receiver = new FtpSink(sink);
    try {
      if (receiver.failure !== undefined) throw receiver.failure;
      const sizeBytes = await this.#retrieve(path, receiver, startAt);
      await receiver.finish();
      return sizeBytes;
    } catch (error) {
      await receiver.drained();
      receiver.destroy();
      throw error;
    }
  }

  close(): void {
    this.#control.close();
  }

  get #listing(): ListingCommand {
    return this.#knowledge.listing ?? 'LIST';
  }

  #serverPath(path: RemotePath): string {
    const base = this.#knowledge.base ?? '/';
    if (path === REMOTE_ROOT) return base;
    return base === '/' ? path : base + path;
  }

  #folderRefused(folder: RemotePath, path: string, refusal: FtpReply): BackupError {
    if (refusal.code >= 500 && folder === REMOTE_ROOT) {
      const facts = { ...this.#control.facts, path };
      return this.#control.fail(new BackupError('remote-folder-missing', { facts, detail: replyDetail(refusal) }));
    }
    return new ListingRefusal(refusal).toBackupError(this.#control, path);
  }

  /** Asks again where the server refuses for the moment. Nothing has been handed over then. */
  async #listPatiently(path: string, onEntries: (entries: readonly RemoteEntry[]) => void): Promise<RawListing> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await listCurrentFolder(this.#control, this.#knowledge, this.#listing, this.#clock.nowMs(), onEntries);
      } catch (error) {
        if (isBackupError(error, 'listing-aborted')) throw withFacts(error, { path });
        if (!(error instanceof ListingRefusal)) throw error;
        const refusal = error.toBackupError(this.#control, path);
        if (!refusal.isRetried || attempt >= LISTING_TRIES_MAX) throw refusal;
      }
      await this.#clock.sleep(FIRST_PAUSE_MS * 2 ** (attempt - 1));
    }
  }

  async #verdict(raw: RawListing, path: string): Promise<Incomplete | undefined> {
    let verdict = judge(raw, this.#listing, this.#knowledge);
    if (verdict.kind === 'suspicious') verdict = await this.#secondOpinion(raw, path, verdict.detail);
    return verdict.kind === 'incomplete' ? verdict.incomplete : undefined;
  }

  /**
   * A cap that is not told shows in the reverse order: another part of the folder, or the same order because the server
   * does not know -r. The same number from another command would prove nothing, as one cap may hold for both.
   */
  async #secondOpinion(first: RawListing, path: string, detail: string): Promise<Verdict> {
    try {
      const second = await listCurrentFolder(
        this.#control,
        this.#knowledge,
        'LIST -ar',
        this.#clock.nowMs(),
        () => undefined,
      );
      if (confirms(first, second)) return { kind: 'complete' };
      return truncated(`${detail}; a listing in reverse order gave ${second.entries} and did not confirm it`);
    } catch (error) {
      if (error instanceof ListingRefusal) return truncated(`${detail}; ${replyDetail(error.reply)}`);
      if (isBackupError(error, 'listing-aborted')) throw withFacts(error, { path });
      throw error;
    }
  }

  /** One more listing of the current folder; what fails of it alone is no loss. */
  async #lookAgain(
    request: ListingRequest,
    onEntries: (entries: readonly RemoteEntry[]) => void,
  ): Promise<RawListing | undefined> {
    try {
      return await listCurrentFolder(this.#control, this.#knowledge, request, this.#clock.nowMs(), onEntries);
    } catch (error) {
      if (error instanceof ListingRefusal || isBackupError(error, 'listing-aborted')) return undefined;
      throw error;
    }
  }

  async #askFor(path: RemotePath): Promise<RemoteStat | FtpReply | undefined> {
    const argument = await this.#fileArgument(path);
    return typeof argument === 'string' ? askForFile(this.#control, this.#knowledge, argument) : argument;
  }

  /** What stands behind RETR, MLST, MDTM, SIZE: the absolute path, or the name in its folder; or a refusal of the folder. */
  async #fileArgument(path: RemotePath): Promise<string | FtpReply> {
    const absolute = this.#serverPath(path);
    if (!this.#knowledge.needsStepwiseCwd) return absolute;
    const refusal = await this.#folder.change(folderOf(absolute));
    return refusal ?? nameOf(absolute);
  }

  async #retrieve(path: RemotePath, receiver: FtpSink, startAt: number): Promise<number> {
    const argument = await this.#fileArgument(path);
    const facts = { ...this.#control.facts, path: this.#serverPath(path) };
    if (typeof argument !== 'string') {
      throw new BackupError('file-refused', { facts, detail: replyDetail(argument) });
    }
    try {
      const command = `RETR ${argument}`;
      const transfer = await FtpTransfer.start(
        this.#control,
        this.#knowledge,
        command,
        receiver,
        'transfer-aborted',
        startAt,
      );
      receiver.onFailure((error) => {
        transfer.abort(error);
      });
      const end = await transfer.end;
      if (end.reply.code >= 550 && end.sizeBytes === 0) {
        const code = isPermissionDenied(end.reply.text, facts.path) ? 'permission-denied' : 'file-refused';
        throw new BackupError(code, { facts, detail: replyDetail(end.reply) });
      }
      assertTransferEnd(this.#control, end, 'transfer-aborted');
      return end.sizeBytes;
    } catch (error) {
      // What the receiving side failed of is its own, and stays as it is.
      if (!(error instanceof BackupError) || error === receiver.failure) throw error;
      throw withFacts(error, { path: facts.path });
    }
  }
}

/** Of a folder that can be entered, nothing was shown. */
function unlisted({ detail = '' }: BackupError): FolderListing {
  return { entryCount: 0, rejected: [], reply: detail, incomplete: { reason: 'listing-refused', detail } };
}
