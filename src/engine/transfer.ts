import { BackupError, isBackupError } from '../errors.ts';
import { decodeRemoteName } from '../local/local-name.ts';
import type { Part } from '../local/part.ts';
import type { Target } from '../local/target.ts';
import { asRemoteName, joinRemote } from '../remote/remote.ts';
import type { RemotePath, RemoteSession, RemoteStat } from '../remote/remote.ts';
import type { FileRecord } from '../state/file-index.ts';
import type { EntryRow, Step } from '../state/run-rows.ts';
import { COARSE_STAMP_SETTLES_MS, isUnsettledAfterRead } from './decide.ts';
import { partId } from './part-id.ts';
import type { Recorder } from './recorder.ts';
import type { RunContext } from './run-context.ts';
import type { TransferProgress } from './transfer-progress.ts';

/** Smaller parts begin anew: asking for the rest would cost as much. */
export const RESUME_BYTES_MIN = 1024 * 1024;
/** An edit this soon after the listed second could hide behind it; the transfer waits until the time has passed. */
const TICK_MS = 2000;
/** Folders listed again in one run to tell a file that has gone from one that is refused. */
const RELISTS_MAX = 100;

/** What the file must be to count as whole. */
interface Expected {
  readonly sizeBytes: number;
  /** Exact to the second, where the server has told it so. */
  readonly exactMs: number | undefined;
  readonly unique: string | undefined;
  /** What the server said when asked right before the transfer. */
  readonly told: RemoteStat | undefined;
}

/** What one step is about. */
interface Subject {
  readonly step: Step;
  readonly entry: EntryRow;
  readonly record: FileRecord | undefined;
  readonly folder: RemotePath;
  readonly path: RemotePath;
}

/** Brings single files; one for each run. */
export class FileTransfer {
  readonly #context: RunContext;
  readonly #target: Target;
  readonly #recorder: Recorder;
  #relists = 0;

  constructor(context: RunContext, target: Target, recorder: Recorder) {
    this.#context = context;
    this.#target = target;
    this.#recorder = recorder;
  }

  /**
   * Brings the file of one step, or finds that it need not come. Throws the file's or the connection's error; what
   * lies under `current/` is then as it was. `attempt` counts from 1: a further one asks the server first what the
   * file is now.
   */
  async transfer(session: RemoteSession, step: Step, attempt: number): Promise<void> {
    const subject = this.#subject(step);
    const { entry, path } = subject;
    const { clock, progress } = this.#context;
    progress.currentPath = decodeRemoteName(path);
    progress.touch();

    const hasStat = session.capabilities.hasStat;
    // Without its exact time, a large file that breaks off could not be gone on with.
    const isLargeAndCoarse = entry.precision !== 'second' && entry.sizeBytes >= RESUME_BYTES_MIN;
    const isDoubtful =
      step.action === 'recheck' || attempt > 1 || isLargeAndCoarse || isCoarseAndYoung(entry, clock.nowMs());
    const before = hasStat && isDoubtful ? await session.stat(path) : undefined;
    if (step.action === 'recheck' && this.#isSettledBy(subject, before)) return;

    const expected: Expected = {
      sizeBytes: before?.sizeBytes ?? entry.sizeBytes,
      exactMs: exactMs(before) ?? (entry.precision === 'second' ? entry.stampMs : undefined),
      unique: before?.unique ?? entry.unique,
      told: before,
    };
    await this.#waitForTick(expected);
    await this.#bring(session, this.#underItsIdentity(subject, before), expected);
  }

  #subject(step: Step): Subject {
    const { tables, index } = this.#context;
    const folder = tables.folderById(step.runFolderId);
    const entry = tables.entry(step.runFolderId, step.name);
    const name = asRemoteName(step.name);
    if (folder === undefined || entry === undefined || name === undefined) throw new Error('a step without its entry');
    const record = index.file(tables.folderIdOf(step.runFolderId), step.name);
    const folderPath = folder.path as RemotePath;
    return { step, entry, record, folder: folderPath, path: joinRemote(folderPath, name) };
  }

  /** Closes a recheck whose file is as it was; otherwise the step becomes a download. */
  #isSettledBy(subject: Subject, told: RemoteStat | undefined): boolean {
    const { tables, index, clock, progress } = this.#context;
    const { step, entry, record } = subject;
    const ms = exactMs(told);
    const isSame =
      record !== undefined && told?.sizeBytes === record.sizeBytes && ms !== undefined && ms === record.modifiedMs;
    tables.transaction(() => {
      if (isSame) {
        const isUnsettled = isUnsettledAfterRead(entry, ms, clock.nowMs());
        index.refreshFile(tables.folderIdOf(step.runFolderId), step.name, { ...entry, isUnsettled });
      }
      tables.setRechecked(step.id, !isSame);
    });
    if (isSame) {
      progress.filesDone++;
      progress.bytesDone += step.sizeBytes;
    }
    return isSame;
  }

  /** Another file may lie there since the listing: neither part nor record may bear the identity of the one listed. */
  #underItsIdentity(subject: Subject, told: RemoteStat | undefined): Subject {
    const { step, entry } = subject;
    if (told?.unique === undefined || entry.unique === undefined || told.unique === entry.unique) return subject;
    this.#context.tables.setOtherUnique(step.runFolderId, step.name, told.unique);
    return { ...subject, entry: { ...entry, unique: told.unique } };
  }

  async #bring(session: RemoteSession, subject: Subject, expected: Expected): Promise<void> {
    const { clock, settings, progress } = this.#context;
    const { step, entry, path, record } = subject;
    const readMs = clock.nowMs();
    const part = await this.#target.openPart(partId(path, entry));
    const received = { bytes: 0 };
    const shown = progress.beginTransfer(decodeRemoteName(path), expected.sizeBytes);
    try {
      await this.#receive(session, subject, part, expected, { received, shown });
      const mustAsk = session.capabilities.hasStat && settings.verification.restat;
      const after = mustAsk ? await session.stat(path) : undefined;
      assertUnchanged(expected, after, entry, readMs);
      const modifiedMs = exactMs(after) ?? expected.exactMs ?? entry.stampMs;
      const finished = await part.finish({ sizeBytes: expected.sizeBytes, modifiedMs });
      const isUnsettled =
        isUnsettledAfterRead(entry, exactMs(after) ?? expected.exactMs, readMs) || isOtherThanListed(entry, expected);
      if (finished.sizeBytes === 0 && (record?.sizeBytes ?? 0) > 0)
        this.#context.notice('file-emptied', path, undefined);
      await this.#recorder.add(step, part, { ...finished, modifiedMs, isUnsettled });
    } catch (error) {
      progress.bytesDone -= received.bytes;
      // What has arrived of a file that stays as it is can be gone on with; of any other, nothing.
      const isUsable = isBackupError(error) && (error.scope === 'session' || error.code === 'transfer-aborted');
      await (isUsable || this.#context.signal.aborted
        ? part.close(expected.exactMs)
        : part.discard().catch(() => undefined));
      if (isBackupError(error, 'file-refused') && (await this.#hasGone(session, subject))) {
        throw new BackupError('file-vanished', { cause: error });
      }
      throw error;
    } finally {
      progress.endTransfer(shown);
    }
  }

  async #receive(
    session: RemoteSession,
    { path, entry }: Subject,
    part: Part,
    expected: Expected,
    { received, shown }: { readonly received: { bytes: number }; readonly shown: TransferProgress },
  ): Promise<void> {
    const { signal, log, progress, speedLimit, clock } = this.#context;
    const from = async (startAt: number): Promise<void> => {
      const onBytes = (bytes: number): void => {
        received.bytes += bytes;
        progress.bytesReceived += bytes;
        progress.bytesDone += bytes;
        shown.doneBytes += bytes;
        progress.touch();
      };
      const pace = (bytes: number): Promise<void> | undefined => speedLimit.pace(bytes, signal);
      const sink = await part.sink({ startAt, maxBytes: expected.sizeBytes, signal, onBytes, pace });
      received.bytes += startAt;
      progress.bytesDone += startAt;
      shown.beginAt(startAt);
      await session.download(path, sink, startAt);
    };
    // The file may be another than the listed one by now, or behind an equal coarse stamp: the exact time that the server
    // tells has to be that of what is here.
    const toldMs = exactMs(expected.told);
    const isOfSameFile =
      toldMs === undefined
        ? !isCoarseAndYoung(entry, clock.nowMs())
        : part.leftMs === toldMs || (entry.precision === 'second' && entry.stampMs === toldMs);
    const canResume =
      session.capabilities.hasRestart &&
      isOfSameFile &&
      part.haveBytes >= RESUME_BYTES_MIN &&
      part.haveBytes <= expected.sizeBytes &&
      expected.sizeBytes === entry.sizeBytes;
    try {
      await from(canResume ? part.resumeAt : 0);
    } catch (error) {
      const isRestartRefused = canResume && isBackupError(error, 'file-refused') && error.detail?.startsWith('REST');
      if (isRestartRefused !== true) throw error;
      log.info('restart-refused', { path: decodeRemoteName(path) });
      progress.bytesDone -= received.bytes;
      received.bytes = 0;
      await from(0);
    }
  }

  async #waitForTick({ exactMs }: Expected): Promise<void> {
    const { clock, signal } = this.#context;
    if (exactMs === undefined) return;
    const ageMs = clock.nowMs() - exactMs;
    if (Math.abs(ageMs) >= TICK_MS) return;
    try {
      await clock.sleep(TICK_MS - ageMs, signal);
    } catch {
      throw new BackupError('cancelled');
    }
  }

  /** FTP's 550 does not say whether a file is missing or forbidden; a new listing of its folder does. */
  async #hasGone(session: RemoteSession, { folder, path, step }: Subject): Promise<boolean> {
    if ((await session.stat(path)) !== undefined || this.#relists >= RELISTS_MAX) return false;
    this.#relists++;
    let isListed = false;
    try {
      const listing = await session.list(folder, (entries) => {
        isListed ||= entries.some((entry) => entry.name === step.name);
      });
      return listing.incomplete === undefined && listing.entryCount > 0 && !isListed;
    } catch (error) {
      if (isBackupError(error) && error.scope === 'folder') return false;
      throw error;
    }
  }
}

function exactMs(stat: RemoteStat | undefined): number | undefined {
  return stat?.modified?.precision === 'second' ? stat.modified.ms : undefined;
}

/** A coarse stamp of these last hours may hide an edit: the exact time is asked for before the transfer, too. */
function isCoarseAndYoung(entry: EntryRow, nowMs: number): boolean {
  if (entry.precision === 'second') return false;
  return entry.stampMs === undefined || Math.abs(nowMs - entry.stampMs) < COARSE_STAMP_SETTLES_MS;
}

/** Whether what was brought is not what was listed, so that an equal listing later would say nothing of it. */
function isOtherThanListed(entry: EntryRow, { sizeBytes, told }: Expected): boolean {
  const toldMs = exactMs(told);
  if (sizeBytes !== entry.sizeBytes) return true;
  if (toldMs === undefined || entry.stampMs === undefined) return false;
  const apartMs = Math.abs(toldMs - entry.stampMs);
  return entry.precision === 'second' ? apartMs > 0 : apartMs >= COARSE_STAMP_SETTLES_MS;
}

/** Throws `changed-meanwhile` where the file is not what it was when the transfer began. */
function assertUnchanged(expected: Expected, after: RemoteStat | undefined, entry: EntryRow, readMs: number): void {
  if (after === undefined) return;
  const afterMs = exactMs(after);
  // The stamp was old and coarse, so the time before is not known exactly; a young one now is a change all the same.
  const isTouched =
    afterMs !== undefined &&
    (expected.exactMs === undefined
      ? entry.precision !== 'second' && Math.abs(readMs - afterMs) < COARSE_STAMP_SETTLES_MS
      : afterMs !== expected.exactMs);
  const hasOtherSize = after.sizeBytes !== undefined && after.sizeBytes !== expected.sizeBytes;
  const isOther = after.unique !== undefined && expected.unique !== undefined && after.unique !== expected.unique;
  if (isTouched || hasOtherSize || isOther) {
    throw new BackupError('changed-meanwhile', {
      detail: `${expected.sizeBytes} bytes of ${told(expected.exactMs)}, then ${after.sizeBytes ?? '?'} of ${told(afterMs)}`,
    });
  }
}

function told(ms: number | undefined): string {
  return ms === undefined || Math.abs(ms) > 8.64e15 ? 'unknown time' : new Date(ms).toISOString();
}
