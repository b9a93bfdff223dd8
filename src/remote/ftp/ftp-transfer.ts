import { BackupError } from '../../errors.ts';
import type { ErrorCode } from '../../errors.ts';
import type { FtpControl } from './ftp-control.ts';
import { openDataConnection } from './ftp-data-connection.ts';
import type { DataConnection } from './ftp-data-connection.ts';
import type { FtpReply } from './ftp-errors.ts';
import { isDataTlsRefusal, networkError, replyDetail, withFacts } from './ftp-errors.ts';
import type { FtpKnowledge } from './ftp-knowledge.ts';

/** How long the reply may take once the data connection has failed: it tells whether the session can go on. */
const REPLY_AFTER_FAILURE_MS = 10_000;

/** How long the data that a broken-off transfer has already sent may take to be read. */
const DATA_AFTER_REFUSAL_MS = 2000;

/** Takes the bytes of a transfer. */
export interface Receiver {
  /** False: no more until `onReady` is called. What it throws ends the transfer and is thrown by it. */
  push(chunk: Buffer): boolean;
  onReady(resume: () => void): void;
}

/** How a transfer ended that did not break the connection. */
export interface TransferEnd {
  readonly reply: FtpReply;
  readonly sizeBytes: number;
  /** Set where the data connection did not end as it should. */
  readonly dataError: Error | undefined;
}

/**
 * Runs one command that sends data, from asking for the connection to the closing reply. Resolves once both the data
 * and the reply have come to an end, for refusals too. It throws what the receiver threw, what `abort` was called with,
 * or an error of the connection; then with `bytesReceived` among its facts.
 *
 * TLS that ends without its closing message looks like any other end: Node does not tell. Sizes must be compared.
 */
export class FtpTransfer {
  readonly #control: FtpControl;
  readonly #knowledge: FtpKnowledge;
  readonly #isTls13: boolean;
  readonly #data: DataConnection;
  readonly #receiver: Receiver;
  readonly #done: Promise<TransferEnd>;
  #resolve: (end: TransferEnd) => void = () => undefined;
  #reject: (error: Error) => void = () => undefined;
  #sizeBytes = 0;
  #dataState: 'open' | 'ended' | 'failed' = 'open';
  #dataError: Error | undefined;
  #abortError: Error | undefined;
  #isPaused = false;
  #reply: FtpReply | undefined;
  #watchdog: NodeJS.Timeout | undefined;

  static async start(
    control: FtpControl,
    knowledge: FtpKnowledge,
    command: string,
    receiver: Receiver,
    abortCode: ErrorCode,
    restartAt = 0,
  ): Promise<FtpTransfer> {
    const data = await openDataConnection(control, knowledge, abortCode);
    if (restartAt > 0) await restart(control, data, restartAt);
    return new FtpTransfer(control, knowledge, data, command, receiver);
  }

  private constructor(
    control: FtpControl,
    knowledge: FtpKnowledge,
    data: DataConnection,
    command: string,
    receiver: Receiver,
  ) {
    this.#control = control;
    this.#knowledge = knowledge;
    this.#isTls13 = control.tlsVersion === 'TLSv1.3';
    this.#data = data;
    this.#receiver = receiver;
    this.#done = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    // `end` may be asked for later than the failure comes.
    this.#done.catch(() => undefined);
    this.#listen();
    control
      .exchange(command, () => {
        if (!this.#isPaused) this.#watch(control.idleMs);
      })
      .then(
        (reply) => {
          this.#onReply(reply);
        },
        (error: unknown) => {
          this.#onControlError(error);
        },
      );
    this.#watch(control.idleMs);
  }

  get end(): Promise<TransferEnd> {
    return this.#done;
  }

  /** Gives up: the data connection is closed, and `end` rejects with `error` once the server has answered to that. */
  abort(error: Error): void {
    if (this.#abortError !== undefined) return;
    this.#abortError = error;
    const { socket } = this.#data;
    if (!socket.connecting) this.#onDataError(error);
    else {
      // A server that no connection reaches would not answer before its own patience ends, and the session be lost.
      socket.once('connect', () => {
        this.#onDataError(error);
      });
    }
  }

  #listen(): void {
    const { socket } = this.#data;
    socket.on('data', (chunk: Buffer) => {
      this.#onChunk(chunk);
    });
    socket.on('end', () => {
      if (this.#dataState !== 'open') return;
      this.#dataState = 'ended';
      this.#settle();
    });
    socket.on('error', (error) => {
      this.#onDataError(error);
    });
    socket.on('close', () => {
      this.#onDataError(new Error('the data connection was closed in the middle'));
    });
  }

  #onChunk(chunk: Buffer): void {
    if (this.#dataState !== 'open') return;
    this.#sizeBytes += chunk.length;
    let wantsMore: boolean;
    try {
      wantsMore = this.#receiver.push(chunk);
    } catch (error) {
      this.abort(error instanceof Error ? error : new Error(String(error)));
      return;
    }
    if (wantsMore) {
      this.#watchdog?.refresh();
      return;
    }
    // The server owes nothing while we do not read: a slow disk here must not look like a dead server.
    this.#isPaused = true;
    this.#data.socket.pause();
    clearTimeout(this.#watchdog);
    this.#watchdog = undefined;
    this.#receiver.onReady(() => {
      this.#isPaused = false;
      if (this.#dataState !== 'open') return;
      this.#watch(this.#control.idleMs);
      this.#data.socket.resume();
    });
  }

  #onDataError(error: Error): void {
    if (this.#dataState !== 'open') return;
    this.#dataState = 'failed';
    const fault = this.#data.fault();
    this.#dataError = fault ?? error;
    this.#data.socket.destroy();
    if (fault !== undefined) {
      // The reply may be in already, so that no command is under way that could reject.
      this.#onControlError(this.#control.fail(fault));
      return;
    }
    this.#watch(Math.min(REPLY_AFTER_FAILURE_MS, this.#control.idleMs));
    this.#settle();
  }

  #onReply(reply: FtpReply): void {
    this.#reply = reply;
    if (reply.code >= 400 && this.#dataState === 'open') {
      if (this.#sizeBytes === 0) this.#dropData();
      else this.#takeWhatCame();
    }
    this.#settle();
  }

  /** Bytes that came before the refusal are worth having: a later transfer goes on behind them. */
  #takeWhatCame(): void {
    setTimeout(() => {
      if (this.#dataState !== 'open') return;
      this.#dropData();
      this.#settle();
    }, DATA_AFTER_REFUSAL_MS);
  }

  #dropData(): void {
    this.#dataState = 'failed';
    this.#data.socket.destroy();
  }

  #settle(): void {
    if (this.#dataState === 'open') return;
    if (this.#reply === undefined) {
      if (this.#dataState === 'ended') this.#watch(this.#control.idleMs);
      return;
    }
    clearTimeout(this.#watchdog);
    if (this.#abortError !== undefined) {
      this.#reject(this.#abortError);
      return;
    }
    this.#resolve({ reply: this.#reply, sizeBytes: this.#sizeBytes, dataError: this.#dataError });
  }

  #onControlError(error: unknown): void {
    clearTimeout(this.#watchdog);
    if (this.#dataState === 'open') this.#dataState = 'failed';
    this.#data.socket.destroy();
    const translated = networkError(error, this.#control.facts, false);
    // Without a cause it was this side that gave up.
    const hungUp = translated.code === 'connection-lost' && translated.cause !== undefined;
    if (hungUp && this.#isTls13 && !this.#knowledge.refusesTls12) this.#knowledge.tlsVersionMax = 'TLSv1.2';
    this.#reject(this.#abortError ?? withFacts(translated, { bytesReceived: this.#sizeBytes }));
  }

  #watch(timeoutMs: number): void {
    clearTimeout(this.#watchdog);
    this.#watchdog = setTimeout(() => {
      const isDataOver = this.#dataState !== 'open';
      const detail = isDataOver ? 'no closing reply' : 'no data';
      const error = new BackupError(isDataOver ? 'connection-lost' : 'timed-out', {
        facts: this.#control.facts,
        detail,
      });
      this.#onControlError(this.#control.fail(error));
    }, timeoutMs);
  }
}

/** REST goes right before the transfer (RFC 959 §4.1.3), so behind the command that asks for the data connection. */
async function restart(control: FtpControl, data: DataConnection, restartAt: number): Promise<void> {
  data.socket.on('error', () => undefined);
  const reply = await control.command(`REST ${restartAt}`).catch((error: unknown) => {
    data.socket.destroy();
    throw error;
  });
  if (reply.code === 350) return;
  data.socket.destroy();
  throw new BackupError('file-refused', { facts: control.facts, detail: `REST: ${replyDetail(reply)}` });
}

/** Throws unless the transfer ended with a positive reply and a whole data connection. `tls-refused` ends the session. */
export function assertTransferEnd(control: FtpControl, end: TransferEnd, abortCode: ErrorCode): void {
  const facts = { ...control.facts, bytesReceived: end.sizeBytes };
  if (isDataTlsRefusal(end.reply)) {
    throw control.fail(new BackupError('tls-refused', { facts, detail: replyDetail(end.reply) }));
  }
  if (end.dataError === undefined && end.reply.code < 300) return;
  const detail = end.dataError === undefined || end.reply.code >= 400 ? replyDetail(end.reply) : end.dataError.message;
  throw new BackupError(abortCode, { cause: end.dataError, facts, detail });
}
