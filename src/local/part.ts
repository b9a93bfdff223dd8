import { createHash } from 'node:crypto';
import type { Hash } from 'node:crypto';
import { constants } from 'node:fs';
import { Writable } from 'node:stream';
import { BackupError } from '../errors.ts';
import { hashFile } from './file-hash.ts';
import { errnoName } from './local-errors.ts';
import type { LocalPath } from './local-path.ts';
import type { TargetDisk } from './target-disk.ts';
import { FILE_MODE } from './target-fs.ts';
import type { TargetFile } from './target-fs.ts';

/** Bytes that a resumed transfer asks for again, to prove that it goes on in the same content. */
export const OVERLAP_BYTES = 64 * 1024;

/** Bytes collected before they are written: a file up to this size costs one write. */
const WRITE_BYTES = 256 * 1024;

/** What the part needs of its target. */
export interface PartHost {
  readonly disk: TargetDisk;
  /** Moves the finished file at `partPath` to its place below `current/`. */
  place(partPath: string, path: LocalPath): Promise<void>;
  /** Told whether the part lies on the disk. */
  noteLeft(id: string, isLeft: boolean): void;
}

/** How one transfer fills a part. */
export interface SinkOptions {
  /** Offset that the server is asked for: 0, or `part.resumeAt`. */
  readonly startAt: number;
  /** The size announced for the whole file: one byte more ends the transfer with `size-mismatch`. */
  readonly maxBytes: number;
  /** Ends the reading of what is there already; rejects with its reason. */
  readonly signal?: AbortSignal;
  /** Told of every chunk that arrives, repeated bytes included. */
  readonly onBytes?: (bytes: number) => void;
  /** Makes the next chunk wait, for a limit of speed. */
  readonly pace?: (bytes: number) => Promise<void> | undefined;
}

/** The content of a finished part. */
export interface FinishedPart {
  readonly sizeBytes: number;
  readonly sha256: Buffer;
}

/**
 * A file still arriving, out of sight. One transfer at a time fills it through `sink`; then `finish`, `moveTo`, or
 * `discard`, or `close` to leave it for the next run. Nothing is on the disk before WRITE_BYTES have come.
 */
export class Part {
  /** The time that an earlier transfer gave to `close`, if it came so far; undefined where none left anything. */
  readonly leftMs: number | undefined;
  readonly #host: PartHost;
  readonly #id: string;
  readonly #path: string;
  #file: TargetFile | undefined;
  #diskBytes: number;
  #hash: Hash = createHash('sha256');
  #batch: Buffer[] = [];
  #batchBytes = 0;
  /** What the next bytes from the server must be, while a resumed transfer has not proven itself. */
  #proof: Buffer = Buffer.alloc(0);
  #maxBytes = 0;
  #sink: Writable | undefined;
  #fault: Error | undefined;
  #writing: Promise<unknown> = Promise.resolve();
  #stage: 'filling' | 'finished' | 'gone' = 'filling';

  /** Only the target makes parts. `left`: what an earlier transfer left at `path`. */
  constructor(
    host: PartHost,
    id: string,
    path: string,
    left: { readonly sizeBytes: number; readonly modifiedMs: number } | undefined,
  ) {
    this.#host = host;
    this.#id = id;
    this.#path = path;
    this.#diskBytes = left?.sizeBytes ?? 0;
    this.leftMs = left?.modifiedMs;
  }

  /** Bytes on the disk, from this or an earlier transfer. */
  get haveBytes(): number {
    return this.#diskBytes;
  }

  /** Bytes received in all, those not yet written included. */
  get sizeBytes(): number {
    return this.#diskBytes + this.#batchBytes;
  }

  /** Where a transfer can go on: OVERLAP_BYTES before the end of what is there, or 0. */
  get resumeAt(): number {
    return Math.max(0, this.#diskBytes - OVERLAP_BYTES);
  }

  /**
   * The door for one transfer. With `startAt` 0 the part begins anew; otherwise what is there is read first (it counts
   * for the hash), so call this before asking the server. The stream fails with `transfer-aborted` and empties the part
   * where the first bytes are not those that are there already, with `size-mismatch` beyond `maxBytes`, or with the
   * disk's error.
   */
  async sink(options: SinkOptions): Promise<Writable> {
    if (this.#stage !== 'filling') throw new Error(`part ${this.#id} takes no more bytes`);
    this.#sink?.destroy();
    await this.#writing;
    this.#hash = createHash('sha256');
    this.#dropBatch();
    this.#fault = undefined;
    this.#maxBytes = options.maxBytes;
    this.#proof = options.startAt === 0 ? Buffer.alloc(0) : await this.#readBack(options.startAt, options.signal);
    if (options.startAt === 0) await this.#empty();

    const sink = new Writable({
      highWaterMark: WRITE_BYTES,
      write: (chunk: Buffer, _encoding, done) => {
        options.onBytes?.(chunk.length);
        const pause = options.pace?.(chunk.length);
        if (pause === undefined) this.#accept(chunk, done);
        else {
          pause.then(() => {
            this.#accept(chunk, done);
          }, done);
        }
      },
      final: (done) => {
        done(this.#proof.length > 0 ? this.#fail(notProven(this.#path)) : undefined);
      },
      destroy: (error, done) => {
        void this.#writing.then(() => {
          done(error);
        });
      },
    });
    // `#fault` keeps it: a transfer that has stopped listening must not bring the process down.
    sink.on('error', () => undefined);
    this.#sink = sink;
    return sink;
  }

  /**
   * Makes the content durable: rest written, server's time set, fsync, closed. `sizeBytes` is the size that the file
   * must have; anything else is a `size-mismatch`. Works after a transfer whose end the server did not confirm, too.
   */
  async finish(expected: { sizeBytes: number; modifiedMs: number | undefined }): Promise<FinishedPart> {
    if (this.#stage !== 'filling' || this.#sink === undefined) throw new Error(`part ${this.#id} was not filled`);
    await this.#writing;
    if (this.#fault !== undefined) throw this.#fault;
    if (this.#proof.length > 0) throw this.#fail(notProven(this.#path));
    if (this.sizeBytes !== expected.sizeBytes) throw sizeMismatch(expected.sizeBytes, this.sizeBytes);
    const fault = await this.#write();
    if (fault !== undefined) throw fault;
    this.#stage = 'finished';
    try {
      await this.#host.disk.attempt(this.#path, () => this.#seal(expected.modifiedMs));
    } catch (error) {
      // After a failed fsync nobody knows what the disk holds: it must not be resumed from.
      await this.discard().catch(() => undefined);
      throw error;
    }
    return { sizeBytes: this.#diskBytes, sha256: this.#hash.digest() };
  }

  /**
   * Takes up what an earlier process had finished. True, and the part is finished again, where its content is exactly
   * this; false otherwise, and then it is only good for `discard`.
   */
  async adopt(content: FinishedPart): Promise<boolean> {
    if (this.#stage !== 'filling' || this.#diskBytes !== content.sizeBytes) return false;
    const sha256 = await hashFile(this.#host.disk, this.#path);
    if (sha256?.equals(content.sha256) !== true) return false;
    this.#stage = 'finished';
    return true;
  }

  /**
   * Makes the finished part visible as `path` in one step, in place of the file (or link) that lay there. Throws
   * `target-unwritable` where a folder lies there. It survives a power cut after the target's next `flush`.
   */
  async moveTo(path: LocalPath): Promise<void> {
    if (this.#stage !== 'finished') throw new Error(`part ${this.#id} is not finished`);
    await this.#host.place(this.#path, path);
    this.#stage = 'gone';
    this.#host.noteLeft(this.#id, false);
  }

  /**
   * Ends without finishing; what has been written stays for a later `openPart`, which finds `modifiedMs`, the exact time of
   * the file on its server, again. Never throws.
   */
  async close(modifiedMs?: number): Promise<void> {
    this.#sink?.destroy();
    await this.#writing;
    this.#dropBatch();
    const file = this.#file;
    this.#file = undefined;
    const time = modifiedMs === undefined ? undefined : new Date(modifiedMs);
    if (time !== undefined) await file?.utimes(time, time).catch(() => undefined);
    await file?.close().catch(() => undefined);
  }

  /** Removes it. */
  async discard(): Promise<void> {
    await this.close();
    if (this.#stage === 'gone') return;
    this.#stage = 'gone';
    await this.#host.disk.attempt(this.#path, async () => {
      try {
        await this.#host.disk.fs.unlink(this.#path);
      } catch (error) {
        if (errnoName(error) !== 'ENOENT') throw error;
      }
    });
    this.#host.noteLeft(this.#id, false);
  }

  #accept(chunk: Buffer, done: (error?: Error | null) => void): void {
    let fresh = chunk;
    if (this.#proof.length > 0) {
      const sharedBytes = Math.min(this.#proof.length, chunk.length);
      if (this.#proof.compare(chunk, 0, sharedBytes, 0, sharedBytes) !== 0) {
        const fault = this.#fail(notProven(this.#path));
        void this.#empty().then(() => {
          done(fault);
        }, done);
        return;
      }
      this.#proof = this.#proof.subarray(sharedBytes);
      fresh = chunk.subarray(sharedBytes);
    }
    if (this.sizeBytes + fresh.length > this.#maxBytes) {
      done(this.#fail(sizeMismatch(this.#maxBytes, this.sizeBytes + fresh.length, 'more bytes than announced')));
      return;
    }
    this.#hash.update(fresh);
    this.#batch.push(fresh);
    this.#batchBytes += fresh.length;
    if (this.#batchBytes < WRITE_BYTES) {
      done();
      return;
    }
    void this.#write().then(done);
  }

  /** Writes what was collected; never rejects, a failure becomes `#fault` and is resolved with. */
  #write(): Promise<Error | undefined> {
    const data = this.#batch.length === 1 ? (this.#batch[0] ?? Buffer.alloc(0)) : Buffer.concat(this.#batch);
    this.#dropBatch();
    const writing = this.#host.disk
      .attempt<Error | undefined>(this.#path, async () => {
        const file = await this.#open(constants.O_TRUNC);
        for (let offset = 0; offset < data.length;) {
          const { bytesWritten } = await file.write(data, offset, data.length - offset, this.#diskBytes);
          offset += bytesWritten;
          this.#diskBytes += bytesWritten;
        }
        return undefined;
      })
      .catch((error: unknown) => this.#fail(error));
    this.#writing = writing;
    return writing;
  }

  async #seal(modifiedMs: number | undefined): Promise<void> {
    const file = await this.#open(constants.O_TRUNC);
    if (modifiedMs !== undefined) await file.utimes(new Date(modifiedMs), new Date(modifiedMs));
    await file.sync();
    this.#file = undefined;
    await file.close();
  }

  /** Hashes what is on the disk and returns the end of it from `startAt` on, OVERLAP_BYTES at most: more is dropped. */
  async #readBack(startAt: number, signal: AbortSignal | undefined): Promise<Buffer> {
    if (startAt < 0 || startAt >= this.#diskBytes) {
      throw new RangeError(`part ${this.#id} of ${this.#diskBytes} bytes cannot be resumed at ${startAt}`);
    }
    const file = await this.#host.disk.attempt(this.#path, () => this.#open(0));
    const endAt = Math.min(this.#diskBytes, startAt + OVERLAP_BYTES);
    if (endAt < this.#diskBytes) {
      // A write of the last transfer was still under way when the caller chose where to go on.
      await this.#host.disk.attempt(this.#path, () => file.truncate(endAt));
      this.#diskBytes = endAt;
    }
    const buffer = Buffer.allocUnsafe(WRITE_BYTES);
    const proof = Buffer.alloc(endAt - startAt);
    for (let at = 0; at < endAt;) {
      signal?.throwIfAborted();
      const lengthMax = Math.min(buffer.length, endAt - at);
      const { bytesRead } = await this.#host.disk.attempt(this.#path, () => file.read(buffer, 0, lengthMax, at));
      if (bytesRead === 0) {
        await this.#empty();
        throw notProven(this.#path);
      }
      this.#hash.update(buffer.subarray(0, bytesRead));
      if (at + bytesRead > startAt) buffer.copy(proof, Math.max(0, at - startAt), Math.max(0, startAt - at), bytesRead);
      at += bytesRead;
    }
    return proof;
  }

  async #open(truncate: number): Promise<TargetFile> {
    if (this.#file !== undefined) return this.#file;
    const flags = constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW | truncate;
    this.#file = await this.#host.disk.fs.open(this.#path, flags, FILE_MODE);
    this.#host.noteLeft(this.#id, true);
    return this.#file;
  }

  /** Empties it on the disk, too: what another content has left there must never be resumed from. */
  async #empty(): Promise<void> {
    if (this.#diskBytes === 0) return;
    await this.#host.disk.attempt(this.#path, async () => {
      if (this.#file === undefined) await this.#open(constants.O_TRUNC);
      else await this.#file.truncate(0);
    });
    this.#diskBytes = 0;
  }

  #dropBatch(): void {
    this.#batch = [];
    this.#batchBytes = 0;
  }

  #fail(error: unknown): Error {
    this.#fault ??= error instanceof Error ? error : new Error(String(error));
    return this.#fault;
  }
}

function notProven(path: string): BackupError {
  return new BackupError('transfer-aborted', { facts: { path }, detail: 'restart not proven' });
}

function sizeMismatch(expectedBytes: number, receivedBytes: number, detail?: string): BackupError {
  return new BackupError('size-mismatch', {
    facts: { expectedBytes, receivedBytes },
    detail: detail ?? `${receivedBytes} of ${expectedBytes} bytes`,
  });
}
