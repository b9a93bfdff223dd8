import type { Writable } from 'node:stream';
import { BackupError } from '../../errors.ts';
import type { Receiver } from './ftp-transfer.ts';

/** Writes a transfer into a stream, at the stream's pace. `onFailure` hears what the stream fails of, as it is. */
export class FtpSink implements Receiver {
  readonly #sink: Writable;
  #failure: Error | undefined;
  #onFailure: (error: Error) => void = () => undefined;

  constructor(sink: Writable) {
    this.#sink = sink;
    sink.on('error', (error) => {
      this.#fail(error);
    });
    sink.on('close', () => {
      if (!sink.writableFinished) this.#fail(closedError());
    });
    if (sink.destroyed) this.#failure = sink.errored ?? closedError();
  }

  get failure(): Error | undefined {
    return this.#failure;
  }

  onFailure(listener: (error: Error) => void): void {
    this.#onFailure = listener;
    if (this.#failure !== undefined) listener(this.#failure);
  }

  push(chunk: Buffer): boolean {
    return this.#sink.write(chunk);
  }

  onReady(resume: () => void): void {
    this.#sink.once('drain', resume);
  }

  /** Ends the stream and waits until everything is written. */
  finish(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.onFailure(reject);
      this.#sink.once('finish', resolve);
      this.#sink.end();
    });
  }

  /** Resolves once the stream has taken in all that was written so far, or has failed. */
  drained(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#failure !== undefined) {
        resolve();
        return;
      }
      this.onFailure(() => {
        resolve();
      });
      this.#sink.write(Buffer.alloc(0), () => {
        resolve();
      });
    });
  }

  destroy(): void {
    this.#onFailure = () => undefined;
    this.#sink.destroy();
  }

  #fail(error: Error): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    this.#onFailure(error);
  }
}

function closedError(): BackupError {
  return new BackupError('transfer-aborted', { detail: 'the receiving side was closed' });
}
