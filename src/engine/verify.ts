import { createHash } from 'node:crypto';
import { Writable } from 'node:stream';
import { BackupError, isBackupError } from '../errors.ts';
import { decodeRemoteName } from '../local/local-name.ts';
import type { LocalPath } from '../local/local-path.ts';
import type { Target } from '../local/target.ts';
import { pathIn } from '../paths.ts';
import type { RemoteEntry, RemotePath, RemoteSession } from '../remote/remote.ts';
import type { ProofFile, ProofTables } from '../state/proof-tables.ts';
import { isZoneShift } from './clock-shift.ts';
import { decide } from './decide.ts';
import type { WorkQueue } from './pool-run.ts';
import type { RunContext } from './run-context.ts';

const DAY_MS = 86_400_000;
/** Code is looked at so many times as often as anything else: an edit that nobody sees does most harm there. */
const CODE_WEIGHT = 10;
/** Not again before: ten days, so one day for code. Else a small site would be read whole at every run. */
const AGAIN_AFTER_MS = 10 * DAY_MS;
/** Rows read from the index at a time. */
const PAGE = 200;
/** Files of one queue that are passed over because they are larger than what is left to read. */
const PASSED_OVER_MAX = 2000;
/** Larger ones are not hashed by the server: it would be busy, and silent, for too long. */
const SERVER_HASH_BYTES_MAX = 1024 * 1024 * 1024;
/** After so many alarms the point is made. */
export const ALARMS_MAX = 100;

/** What is not about the server, and so does stop the run. */
const OUR_OWN = new Set(['cancelled', 'target-missing', 'target-read-only', 'disk-full']);

/**
 * Reads content from the server again, or has it hashed there, within the budget of the task's settings, and compares it
 * with what was brought. Where it is another although the listing says nothing of it, that is a failure of the run which
 * names the file, and the next run brings it as a new version. What the server refuses or has changed meanwhile is none.
 */
export async function verifyAgainstServer(context: RunContext, target: Target, proof: ProofTables): Promise<void> {
  const { settings, pool, log, notice } = context;
  const { sampleBytes, sampleSeconds } = settings.verification;
  if (sampleBytes === 0 || sampleSeconds === 0) return;
  const check = new ContentCheck(context, target, proof);
  try {
    const session = await pool.acquire();
    check.canHash = session.capabilities.hash !== undefined;
    pool.release(session);
    await pool.run(check, {
      work: (session: RemoteSession, sample: Sample) => check.check(session, sample),
      giveUp: ({ file }: Sample, error: BackupError) => {
        log.info('verify-refused', { path: pathOf(file), code: error.code, detail: error.detail });
      },
    });
  } catch (error) {
    if (!isBackupError(error) || OUR_OWN.has(error.code) || error.scope === 'app') throw error;
    // Everything that was asked for is here: only the proof has to wait.
    notice('verify-broken-off', undefined, error.message);
  }
  const { files, bytes, hashed, alarms } = check.counts;
  if (files > 0 || alarms > 0) log.info('verified', { files, bytes, hashed, alarms });
}

/** One file of the sample; `isPaid`: its bytes have been taken from the budget. */
interface Sample {
  readonly file: ProofFile;
  isPaid: boolean;
}

/** The files of a run's sample, and what is done with each. */
class ContentCheck implements WorkQueue<Sample> {
  canHash = false;
  readonly counts = { files: 0, bytes: 0, hashed: 0, alarms: 0 };
  readonly #context: RunContext;
  readonly #target: Target;
  readonly #proof: ProofTables;
  readonly #code: Stream;
  readonly #others: Stream;
  readonly #nowMs: number;
  readonly #endMs: number;
  #bytesLeft: number;

  constructor(context: RunContext, target: Target, proof: ProofTables) {
    const { sampleBytes, sampleSeconds } = context.settings.verification;
    this.#context = context;
    this.#target = target;
    this.#proof = proof;
    this.#nowMs = context.clock.nowMs();
    this.#endMs = context.clock.steadyMs() + sampleSeconds * 1000;
    this.#bytesLeft = sampleBytes;
    const read = (isCode: boolean) => (after: ProofFile | undefined) =>
      proof.filesToVerify(isCode, after, PAGE, context.runId);
    this.#code = new Stream(read(true));
    this.#others = new Stream(read(false));
  }

  /** The file that has waited longest, code counting CODE_WEIGHT times; never verified before all others. */
  take(): Sample | undefined {
    if (this.#isOver()) return undefined;
    for (;;) {
      const code = this.#code.peek();
      const other = this.#others.peek();
      const isCode =
        code !== undefined && (other === undefined || this.#ageOf(code, CODE_WEIGHT) >= this.#ageOf(other, 1));
      const stream = isCode ? this.#code : this.#others;
      const file = isCode ? code : other;
      if (file === undefined || this.#ageOf(file, isCode ? CODE_WEIGHT : 1) < AGAIN_AFTER_MS) return undefined;
      stream.next();
      const sample = { file, isPaid: false };
      if (this.#pay(sample) || this.#canBeHashed(file)) return sample;
      if (++stream.passedOver > PASSED_OVER_MAX) return undefined;
    }
  }

  async check(session: RemoteSession, sample: Sample): Promise<void> {
    if (this.#isOver()) return;
    const { file } = sample;
    const { progress } = this.#context;
    progress.currentPath = pathOf(file);
    progress.touch();
    if (this.#canBeHashed(file) && (await this.#isHashedAlike(session, file))) {
      if (sample.isPaid) this.#bytesLeft += file.sizeBytes;
      this.counts.hashed++;
      this.#setVerified(file);
      return;
    }
    if (!this.#pay(sample)) return;
    const found = await this.#download(session, file);
    if (found.sizeBytes === file.sizeBytes && found.sha256.equals(file.sha256)) {
      this.counts.bytes += file.sizeBytes;
      this.#setVerified(file);
    } else if (await this.#isShownUnchanged(session, file)) {
      this.#alarm(file, found);
    } else {
      this.#context.log.info('verify-changed-meanwhile', { path: pathOf(file) });
    }
  }

  /** Takes the file's bytes from the budget, once. False where there are not so many left. */
  #pay(sample: Sample): boolean {
    if (!sample.isPaid && sample.file.sizeBytes <= this.#bytesLeft) {
      this.#bytesLeft -= sample.file.sizeBytes;
      sample.isPaid = true;
    }
    return sample.isPaid;
  }

  #canBeHashed({ sizeBytes }: ProofFile): boolean {
    return this.canHash && sizeBytes <= SERVER_HASH_BYTES_MAX;
  }

  #isOver(): boolean {
    return this.#context.clock.steadyMs() >= this.#endMs || this.counts.alarms >= ALARMS_MAX;
  }

  #ageOf({ provenMs }: ProofFile, weight: number): number {
    return provenMs === 0 ? Infinity : (this.#nowMs - provenMs) * weight;
  }

  /** False where the server tells no hash, or another: its word alone is no alarm. */
  async #isHashedAlike(session: RemoteSession, file: ProofFile): Promise<boolean> {
    const told = await session.hash?.(remotePath(file));
    if (told === undefined) {
      this.canHash = session.capabilities.hash !== undefined;
      return false;
    }
    if (told.algorithm === 'sha256') return told.hex === file.sha256.toString('hex');
    // The index has no such hash: it is made of the copy, which must be whole for that.
    const [sha256, same] = (await this.#target.digests(file.localPath as LocalPath, ['sha256', told.algorithm])) ?? [];
    if (sha256?.equals(file.sha256) !== true) return false;
    return same?.toString('hex') === told.hex;
  }

  async #download(session: RemoteSession, file: ProofFile): Promise<{ sizeBytes: number; sha256: Buffer }> {
    const { progress, speedLimit, signal, clock } = this.#context;
    const hash = createHash('sha256');
    const sink = new Writable({
      write: (chunk: Buffer, _encoding, done) => {
        hash.update(chunk);
        progress.bytesReceived += chunk.length;
        progress.bytesCompared += chunk.length;
        progress.touch();
        // Of scope `session`: the rest of the file would only stand in the way of what comes next.
        if (clock.steadyMs() >= this.#endMs) {
          done(new BackupError('timed-out', { detail: 'the time for verifying is over' }));
          return;
        }
        const pause = speedLimit.pace(chunk.length, signal);
        if (pause === undefined) done();
        else {
          pause.then(() => {
            done();
          }, done);
        }
      },
    });
    const sizeBytes = await session.download(remotePath(file), sink, 0);
    return { sizeBytes, sha256: hash.digest() };
  }

  /** Whether the server still shows the file as it did when it was brought. */
  async #isShownUnchanged(session: RemoteSession, file: ProofFile): Promise<boolean> {
    const record = this.#context.index.file(file.folderId, file.name);
    const shown = new Map<string, RemoteEntry>();
    await session.list(file.folderPath as RemotePath, (entries) => {
      for (const entry of entries) if (entry.name === file.name) shown.set(entry.name, entry);
    });
    const entry = shown.get(file.name);
    if (record === undefined || entry?.type !== 'file') return false;
    const { name, type, sizeBytes, modified, unique, mode, linkTarget: leadsTo } = entry;
    const told = { stamp: modified?.raw, stampMs: modified?.ms, precision: modified?.precision ?? 'none' };
    const row = { name, type, sizeBytes, ...told, unique, mode, leadsTo };
    const { action } = decide(row, record, { isForced: false, hasStat: false });
    if (action === 'download') return false;
    const stat = session.capabilities.hasStat ? await session.stat(remotePath(file)) : undefined;
    const isOtherSize = stat?.sizeBytes !== undefined && stat.sizeBytes !== record.sizeBytes;
    const exactMs = stat?.modified?.precision === 'second' ? stat.modified.ms : undefined;
    return !isOtherSize && (exactMs === undefined || isButForZone(exactMs, record.modifiedMs));
  }

  #setVerified(file: ProofFile): void {
    this.counts.files++;
    this.#proof.setVerified(file, this.#nowMs);
  }

  #alarm(file: ProofFile, found: { sizeBytes: number; sha256: Buffer }): void {
    const { tables, progress, log } = this.#context;
    this.counts.alarms++;
    progress.filesFailed++;
    const detail = `${found.sizeBytes} bytes, SHA-256 ${found.sha256.toString('hex').slice(0, 16)}…, and not ${file.sizeBytes} bytes, ${file.sha256.toString('hex').slice(0, 16)}…`;
    tables.transaction(() => {
      this.#proof.doubt(file, 'differs');
      tables.addFinding(remotePath(file), 'content-differs', detail);
    });
    log.warn('content-differs', { path: pathOf(file), detail });
  }
}

/** Files of the index page by page. */
class Stream {
  passedOver = 0;
  readonly #read: (after: ProofFile | undefined) => ProofFile[];
  #page: ProofFile[] = [];
  #last: ProofFile | undefined;
  #hasEnded = false;

  constructor(read: (after: ProofFile | undefined) => ProofFile[]) {
    this.#read = read;
  }

  peek(): ProofFile | undefined {
    if (this.#page.length === 0 && !this.#hasEnded) {
      this.#page = this.#read(this.#last);
      this.#last = this.#page.at(-1);
      this.#hasEnded = this.#page.length === 0;
    }
    return this.#page[0];
  }

  next(): void {
    this.#page.shift();
  }
}

/** The record keeps the time that was set on the copy: a clock that has been moved since (clock-shift.ts) is no edit. */
function isButForZone(toldMs: number, keptMs: number | undefined): boolean {
  return keptMs !== undefined && isZoneShift(toldMs - keptMs);
}

function remotePath({ folderPath, name }: ProofFile): RemotePath {
  return pathIn(folderPath, name) as RemotePath;
}

function pathOf(file: ProofFile): string {
  return decodeRemoteName(remotePath(file));
}
