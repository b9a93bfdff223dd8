import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { SecureContext } from 'node:tls';
import { runCommand, pathOf } from './scripted-ftp-commands.ts';
import { PassivePort, startTls } from './scripted-ftp-data.ts';
import type { FaultAction, FaultBook } from './scripted-ftp-faults.ts';
import type { ScriptedServerOptions } from './scripted-ftp-options.ts';
import type { ScriptedTree } from './scripted-ftp-tree.ts';

const PASSIVE_PORTS = 4;

/** What the connections of one server share. */
export interface ScriptedHost {
  readonly options: ScriptedServerOptions;
  readonly tree: ScriptedTree;
  readonly faultBook: FaultBook;
  readonly secureContext: SecureContext | undefined;
  /** Open connections that were let in, this one counted. */
  readonly connectionsOpen: number;
  recordCommand(connection: number, command: string, argument: string, isEncrypted: boolean): void;
  recordBytes(path: string, count: number): void;
}

/** One control connection: its lines are answered one after the other, however many come at once. */
export class ScriptedConnection {
  readonly host: ScriptedHost;
  readonly number: number;
  /** Aborts when the control connection is closed. */
  readonly signal: AbortSignal;
  folder = '/';
  user: string | undefined;
  isLoggedIn = false;
  transferType: 'A' | 'I' = 'A';
  restartAt = 0;
  /** Of HASH, until OPTS HASH names another. */
  hashAlgorithm = 'SHA-1';
  protectsData = false;
  passive: PassivePort | undefined;
  /** The facts chosen by OPTS MLST, in lower case; undefined: all. */
  facts: readonly string[] | undefined;
  /** Ends the transfer under way, for ABOR. */
  abortTransfer: (() => void) | undefined;
  isEncrypted = false;

  #socket: Socket;
  readonly #closing = new AbortController();
  #received = '';
  readonly #lines: string[] = [];
  readonly #ports: PassivePort[] = [];
  #wake: (() => void) | undefined;

  constructor(host: ScriptedHost, number: number, socket: Socket) {
    this.host = host;
    this.number = number;
    this.#socket = socket;
    this.signal = this.#closing.signal;
  }

  get options(): ScriptedServerOptions {
    return this.host.options;
  }

  /** Serves the client until the connection ends. Rejects only where a fault's own callback throws. */
  async serve(isRefused: boolean): Promise<void> {
    this.#attach(this.#socket);
    if (this.options.tls === 'implicit' && !(await this.upgrade())) return;
    if (isRefused) {
      await this.reply(this.options.maxConnectionsReply);
      this.close();
      return;
    }
    const fault = this.host.faultBook.actionFor('CONNECT', undefined, this.number);
    const isAnswered = await this.#isAnsweredBy(fault);
    if (this.signal.aborted) return;
    if (!isAnswered) await this.reply(this.options.greeting);
    else if (fault.reply?.startsWith('2') !== true) {
      this.close();
      return;
    }
    for (;;) {
      const line = await this.#nextLine();
      if (line === undefined) return;
      await this.#answer(line);
    }
  }

  /** Sends a reply; several lines are separated by LF. */
  async reply(text: string): Promise<void> {
    if (this.options.delayMs > 0) await this.#pause(this.options.delayMs);
    if (this.#socket.writable) this.#socket.write(`${text.replaceAll('\n', '\r\n')}\r\n`, 'latin1');
  }

  /** Starts TLS on the control connection; false where the client does not go along. */
  async upgrade(): Promise<boolean> {
    const { secureContext } = this.host;
    if (secureContext === undefined) return false;
    const raw = this.#socket;
    raw.removeAllListeners('data');
    // What came in plain before TLS must not be taken for what came protected.
    this.#received = '';
    this.#lines.length = 0;
    const secure = await startTls(raw, secureContext);
    if (secure === undefined) {
      this.drop();
      return false;
    }
    this.isEncrypted = true;
    this.#socket = secure;
    this.#attach(secure);
    return true;
  }

  /** The port for the next transfer: never that of the last, so that a late connection is not taken for a new one. */
  async nextPort(): Promise<PassivePort> {
    // Opening a port for every transfer would take longer than a small file.
    const oldest = this.#ports.length < PASSIVE_PORTS ? undefined : this.#ports.shift();
    const port = oldest ?? (await PassivePort.open(this.options.listensOn));
    this.#ports.push(port);
    if (this.signal.aborted) port.close();
    return port;
  }

  /** Closes after what was written has been sent. */
  close(): void {
    this.#socket.end();
    const socket = this.#socket;
    setTimeout(() => socket.destroy(), 1000).unref();
  }

  /** Closes at once. */
  drop(): void {
    this.#socket.destroy();
    this.#onClose();
  }

  /** Closes at once, with a TCP reset. */
  reset(): void {
    if (this.isEncrypted) this.#socket.destroy();
    else this.#socket.resetAndDestroy();
    this.#onClose();
  }

  /** Waits, but not beyond the end of the connection. */
  async #pause(durationMs: number): Promise<void> {
    await sleep(durationMs, undefined, { signal: this.signal }).catch(() => undefined);
  }

  #attach(socket: Socket): void {
    socket.on('data', (chunk: Buffer) => {
      this.#onData(chunk);
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.#onClose();
    });
  }

  #onData(chunk: Buffer): void {
    this.#received += chunk.toString('latin1');
    const lines = this.#received.split('\n');
    this.#received = lines.pop() ?? '';
    for (const received of lines) {
      // Telnet's interrupt and synch bytes come before ABOR (RFC 959 §4.1.3).
      const line = received.replace(/\r$/, '').replace(/^(?:\xff[\xf0-\xff])+/, '');
      if (line.toUpperCase() === 'ABOR') this.abortTransfer?.();
      this.#lines.push(line);
    }
    this.#wake?.();
  }

  #onClose(): void {
    this.#closing.abort();
    this.abortTransfer?.();
    for (const port of this.#ports) port.close();
    this.#wake?.();
  }

  async #nextLine(): Promise<string | undefined> {
    while (this.#lines.length === 0 && !this.signal.aborted) {
      const { idleTimeoutMs } = this.options;
      let timer: NodeJS.Timeout | undefined;
      const isIdle = await new Promise<boolean>((resolve) => {
        this.#wake = () => {
          resolve(false);
        };
        if (idleTimeoutMs !== undefined) timer = setTimeout(resolve, idleTimeoutMs, true);
      });
      clearTimeout(timer);
      if (isIdle) {
        await this.reply('421 Timeout: no commands for too long.');
        this.close();
        return undefined;
      }
    }
    return this.signal.aborted ? undefined : this.#lines.shift();
  }

  async #answer(line: string): Promise<void> {
    const space = line.indexOf(' ');
    const command = (space === -1 ? line : line.slice(0, space)).toUpperCase();
    const argument = space === -1 ? '' : line.slice(space + 1);
    this.host.recordCommand(this.number, command, argument, this.isEncrypted);
    const fault = this.host.faultBook.actionFor(command, pathOf(this, command, argument), this.number);
    if (await this.#isAnsweredBy(fault)) {
      this.passive?.disarm();
      this.passive = undefined;
      return;
    }
    await runCommand(this, command, argument, fault);
  }

  /** Does the part of a fault that comes before the command; true where nothing else is to be done. */
  async #isAnsweredBy(fault: FaultAction): Promise<boolean> {
    await fault.run?.();
    if (fault.delayMs !== undefined) await this.#pause(fault.delayMs);
    if (fault.hang === true) await aborted(this.signal);
    if (fault.drop === true) this.drop();
    if (this.signal.aborted) return true;
    if (fault.reply === undefined) return false;
    await this.reply(fault.reply);
    if (fault.reply.startsWith('421')) this.close();
    return true;
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else
      signal.addEventListener(
        'abort',
        () => {
          resolve();
        },
        { once: true },
      );
  });
}
