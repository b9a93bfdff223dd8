import { connect } from 'node:net';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { FTPContext, FTPError } from 'basic-ftp';
import type { FTPResponse } from 'basic-ftp';
import { BackupError } from '../../errors.ts';
import type { ErrorFacts } from '../../errors.ts';
import type { SourceSettings } from '../../settings/task-settings.ts';
import type { FtpReply } from './ftp-errors.ts';
import { closingError, isBusy, loginError, networkError, readable, replyDetail } from './ftp-errors.ts';
import type { TlsTrust } from './ftp-tls.ts';
import { certificateName, checkCertificate, isTlsFailure, startTls } from './ftp-tls.ts';

/** Sees every line that goes over a control connection, the password left out. */
export type ConnectionTrace = (direction: '>' | '<', text: string) => void;

const KEEP_ALIVE_MS = 60_000;
const GREETING_LENGTH_MAX = 200;
/** How long one of several addresses of a host is tried before the next; Node's 250 ms are less than a slow link needs. */
const ADDRESS_ATTEMPT_MS = 2_000;

/** Text as it goes over the wire: one character a byte. Names from the server are in that form already. */
export function toWire(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}

/**
 * One control connection, connected and logged in. Commands go one after the other. After the first error that it
 * throws it is dead: a refusal is a reply, not an error.
 */
export class FtpControl {
  readonly #context = new FTPContext(0, 'latin1');
  readonly #settings: SourceSettings;
  readonly #trust: TlsTrust;
  readonly #password: string;
  readonly #facts: ErrorFacts;
  #death: BackupError | undefined;
  #isLoggedIn = false;
  #greetingLine = '';
  #tlsSocket: TLSSocket | undefined;
  #tlsSession: Buffer | undefined;
  #failArrival: ((error: Error) => void) | undefined;

  /**
   * Connects, starts TLS where the settings ask for it, and logs in. Throws errors of scope `run`, or `server-busy`,
   * `timed-out`, `connection-lost`; where `signal` aborts, its reason or `cancelled`.
   */
  static async open(
    settings: SourceSettings,
    signal: AbortSignal,
    trace: ConnectionTrace | undefined,
    tlsVersionMax: TlsTrust['versionMax'],
  ): Promise<FtpControl> {
    const control = new FtpControl(settings, trace, tlsVersionMax);
    const onAbort = (): void => {
      control.fail(abortError(signal));
    };
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      if (signal.aborted) onAbort();
      await control.#connect();
      await control.#logIn();
      return control;
    } catch (error) {
      const translated = networkError(error, control.#facts, true);
      control.fail(translated);
      throw translated;
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }

  private constructor(
    settings: SourceSettings,
    trace: ConnectionTrace | undefined,
    versionMax: TlsTrust['versionMax'],
  ) {
    this.#settings = settings;
    this.#trust = { host: settings.host, fingerprint: settings.tls.fingerprint, versionMax };
    this.#password = toWire(settings.password.reveal());
    this.#facts = { host: settings.host, port: settings.port, user: settings.user };
    this.#context.log = (message) => {
      // The context says QUIT to the unconnected socket that it was made with.
      if (trace === undefined || this.#context.closed) return;
      const direction = message.startsWith('>') ? '>' : '<';
      trace(direction, this.#redact(message.slice(2).trimEnd()));
    };
  }

  get facts(): ErrorFacts {
    return this.#facts;
  }

  get idleMs(): number {
    return this.#settings.timeouts.idleSeconds * 1000;
  }

  get connectMs(): number {
    return this.#settings.timeouts.connectSeconds * 1000;
  }

  /** The address that this connection really has: data connections go there and nowhere else. */
  get peerAddress(): string {
    return this.#context.socket.remoteAddress ?? '';
  }

  get isDead(): boolean {
    return this.#death !== undefined || this.#context.closed;
  }

  /** `TLSv1.3`, `TLSv1.2`; undefined on plain FTP. */
  get tlsVersion(): string | undefined {
    return this.#tlsSocket?.getProtocol() ?? undefined;
  }

  /** The first line of the greeting without its numbers (times, process and user counts), and whom TLS has shown. */
  get identity(): Readonly<Record<string, string>> {
    const greeting = { greeting: this.#greetingLine };
    return this.#tlsSocket === undefined ? greeting : { ...greeting, certificate: certificateName(this.#tlsSocket) };
  }

  get isImplicitTls(): boolean {
    return this.#settings.protocol === 'ftps-implicit';
  }

  /** What a data connection must prove and resume; undefined on plain FTP. */
  get dataTls(): { readonly trust: TlsTrust; readonly session: Buffer | undefined } | undefined {
    if (this.#tlsSocket === undefined) return undefined;
    return { trust: this.#trust, session: this.#tlsSession ?? this.#tlsSocket.getSession() };
  }

  /** Sends `line` and waits for the closing reply, at most `idleSeconds`. Resolves for refusals too. */
  async command(line: string): Promise<FtpReply> {
    return this.#timed(this.#isLoggedIn ? this.idleMs : this.connectMs, this.exchange(line, undefined));
  }

  /**
   * Sends `line`; `onMark` is called for every preliminary reply (1xx). No time limit: the caller watches the transfer
   * and ends it by `fail`.
   */
  exchange(line: string | undefined, onMark: (() => void) | undefined): Promise<FtpReply> {
    if (this.#death !== undefined) return Promise.reject(this.#deadAgain());
    return this.#context
      .handle(line, (response: Error | FTPResponse, task) => {
        if (response instanceof FTPError || !(response instanceof Error)) {
          if (response.code < 200) onMark?.();
          else
            task.resolve({
              code: response.code,
              text: this.#isLoggedIn ? response.message : this.#redact(response.message),
            } satisfies FtpReply);
        } else task.reject(response);
      })
      .then(
        (reply: FtpReply) => {
          if (reply.code !== 421) return reply;
          throw this.fail(closingError(reply, this.#facts, this.#isLoggedIn));
        },
        (error: unknown) => {
          throw this.fail(networkError(error, this.#facts, false));
        },
      );
  }

  /** Ends the connection because of `error`; the command under way rejects with it. Returns what it died of first. */
  fail(error: BackupError): BackupError {
    if (this.#death === undefined) {
      this.#death = error;
      this.#context.closeWithError(error);
      this.#failArrival?.(error);
    }
    return this.#death;
  }

  close(): void {
    this.fail(new BackupError('connection-lost', { facts: this.#facts, detail: 'closed on this side' }));
  }

  /** Calls on a dead connection are always about the connection, whatever it died of. */
  #deadAgain(): BackupError {
    return new BackupError('connection-lost', { cause: this.#death, facts: this.#facts, detail: 'already closed' });
  }

  async #connect(): Promise<void> {
    if (this.#death !== undefined) throw this.#death;
    const { protocol, host, port } = this.#settings;
    const socket = connect({ host, port, autoSelectFamilyAttemptTimeout: ADDRESS_ATTEMPT_MS });
    await this.#arrival(socket, 'connect');
    socket.setKeepAlive(true, KEEP_ALIVE_MS);
    socket.setNoDelay(true);
    if (protocol === 'ftps-implicit') this.#context.socket = await this.#secure(socket);
    else this.#context.socket = socket;
    await this.#greeting();
    if (protocol !== 'ftps') return;
    const reply = await this.command('AUTH TLS');
    if (reply.code >= 300 && reply.code !== 334) {
      throw new BackupError('tls-refused', { facts: this.#facts, detail: replyDetail(reply) });
    }
    this.#context.socket = await this.#secure(socket);
  }

  /** TLS on `socket`, its other end proven. */
  async #secure(socket: Socket): Promise<TLSSocket> {
    const tlsSocket = startTls(socket, this.#trust, undefined);
    tlsSocket.on('session', (session) => {
      this.#tlsSession = session;
    });
    try {
      await this.#arrival(tlsSocket, 'secureConnect');
    } catch (error) {
      if (!isTlsFailure(error)) throw error;
      const detail = error instanceof Error ? error.message : '';
      throw new BackupError('tls-refused', { cause: error, facts: this.#facts, detail });
    }
    try {
      checkCertificate(tlsSocket, this.#trust, this.#facts);
    } catch (error) {
      tlsSocket.destroy();
      throw error;
    }
    this.#tlsSocket = tlsSocket;
    return tlsSocket;
  }

  /** Waits for `event` of a socket that the context does not own yet. */
  #arrival(socket: Socket, event: 'connect' | 'secureConnect'): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        finish(new BackupError('timed-out', { facts: this.#facts, detail: `no ${event}` }));
      }, this.connectMs);
      const finish = (error: Error | undefined): void => {
        this.#failArrival = undefined;
        clearTimeout(timer);
        socket.off('error', finish);
        socket.off('close', onClose);
        if (error === undefined) {
          resolve();
          return;
        }
        socket.on('error', () => undefined);
        socket.destroy();
        reject(error);
      };
      const onClose = (): void => {
        finish(new BackupError('connection-lost', { facts: this.#facts, detail: `closed before ${event}` }));
      };
      // The context closes only the socket that it has; `fail` must reach this one too.
      this.#failArrival = finish;
      socket.once(event, () => {
        finish(undefined);
      });
      socket.once('error', finish);
      socket.once('close', onClose);
    });
  }

  async #greeting(): Promise<void> {
    const greeting = this.exchange(undefined, undefined);
    this.#context.socket.once('data', (chunk: Buffer | string) => {
      const text = chunk.toString('latin1');
      if (!/^\d/.test(text)) this.fail(this.#notFtp(text));
    });
    const reply = await this.#timed(this.connectMs, greeting);
    this.#greetingLine = (reply.text.split('\n')[0] ?? '').replace(/\d+/g, '#').trim().slice(0, GREETING_LENGTH_MAX);
    if (reply.code < 300) return;
    const code = reply.code < 500 || isBusy(reply.text) ? 'server-busy' : 'connection-refused';
    throw new BackupError(code, { facts: this.#facts, detail: replyDetail(reply) });
  }

  #notFtp(text: string): BackupError {
    let hint = 'not-ftp';
    if (text.startsWith('SSH-')) hint = 'ssh';
    else if (/^(HTTP\/|<)/.test(text)) hint = 'http';
    else if (/^[\x15\x16]\x03/.test(text)) hint = 'tls';
    return new BackupError('protocol-unusable', {
      facts: { ...this.#facts, hint },
      detail: readable(text.slice(0, 80).replace(/[^\x20-\x7e]/g, '.')),
    });
  }

  async #logIn(): Promise<void> {
    const user = toWire(this.#settings.user);
    if (/[\r\n\0]/.test(user + this.#password)) {
      throw new BackupError('login-rejected', { facts: this.#facts, detail: 'a line break in user or password' });
    }
    let reply = await this.command(`USER ${user}`);
    if (reply.code === 331) reply = await this.command(`PASS ${this.#password}`);
    // 332 asks for an account (RFC 959 §4.1.1), which no server met so far has wanted.
    if (reply.code >= 300) throw loginError(reply, this.#facts);
    this.#isLoggedIn = true;
  }

  #timed<T>(timeoutMs: number, work: Promise<T>): Promise<T> {
    const timer = setTimeout(() => {
      this.fail(new BackupError('timed-out', { facts: this.#facts, detail: 'no answer' }));
    }, timeoutMs);
    return work.finally(() => {
      clearTimeout(timer);
    });
  }

  /** Servers may echo a command that they did not understand. Never for replies in which names are read. */
  #redact(text: string): string {
    return this.#password.length < 3 ? text : text.replaceAll(this.#password, '[secret]');
  }
}

/** Why `signal` aborted, as an error of the product. */
export function abortError(signal: AbortSignal): BackupError {
  const reason: unknown = signal.reason;
  return reason instanceof BackupError ? reason : new BackupError('cancelled', { cause: reason });
}
