import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { TLSSocket, type SecureContext } from 'node:tls';
import type { FaultAction } from './scripted-ftp-faults.ts';

const ACCEPT_TIMEOUT_MS = 10_000;
const HANDSHAKE_TIMEOUT_MS = 10_000;
const LINGER_MS = 5000;
// So that the client has read what came before the reset.
const BEFORE_RESET_MS = 30;

/** A port for data connections. Armed, it takes the next connection, for one transfer; otherwise it refuses all. */
export class PassivePort {
  readonly port: number;
  readonly #server: Server;
  #isArmed = false;
  #taken: Socket | undefined;

  private constructor(server: Server) {
    this.#server = server;
    this.port = (server.address() as AddressInfo).port;
    server.on('connection', (socket) => {
      socket.on('error', () => undefined);
      if (!this.#isArmed || this.#taken !== undefined) socket.destroy();
      else {
        this.#taken = socket;
        server.emit('taken');
      }
    });
  }

  static async open(address: string): Promise<PassivePort> {
    // Half-open, so that a client that closes early does not cut off what is on its way to it.
    const server = createServer({ allowHalfOpen: true, noDelay: true });
    server.listen(0, address);
    await once(server, 'listening');
    return new PassivePort(server);
  }

  arm(): void {
    this.disarm();
    this.#isArmed = true;
  }

  /** The connection, or undefined if none comes in time or `signal` aborts; the port is no longer armed then. */
  async accept(signal: AbortSignal): Promise<Socket | undefined> {
    if (this.#taken === undefined) {
      const waiting = new AbortController();
      const giveUp = (): void => {
        waiting.abort();
      };
      const timer = setTimeout(giveUp, ACCEPT_TIMEOUT_MS);
      signal.addEventListener('abort', giveUp, { once: true });
      await once(this.#server, 'taken', { signal: waiting.signal }).catch(() => undefined);
      clearTimeout(timer);
    }
    const taken = this.#taken;
    this.#taken = undefined;
    this.#isArmed = false;
    return taken;
  }

  /** Takes no more, and closes a connection that no transfer took. */
  disarm(): void {
    this.#isArmed = false;
    this.#taken?.destroy();
    this.#taken = undefined;
  }

  close(): void {
    this.disarm();
    this.#server.close();
  }
}

/** Answers a TLS handshake on `raw`. undefined: it failed, and `raw` is closed. */
export async function startTls(raw: Socket, secureContext: SecureContext): Promise<TLSSocket | undefined> {
  const socket = new TLSSocket(raw, { isServer: true, secureContext });
  const failed = (): void => {
    socket.destroy();
    raw.destroy();
  };
  socket.on('error', failed);
  // A TLS socket without a TLS server tells the errors of its handshake here alone.
  socket.on('_tlsError', failed);
  // Half-open, it would wait on for a client that has left in the middle of the handshake.
  socket.once('end', failed);
  const isSecure = await new Promise<boolean>((resolve) => {
    const timer = setTimeout(failed, HANDSHAKE_TIMEOUT_MS);
    socket.once('secure', () => {
      clearTimeout(timer);
      resolve(true);
    });
    socket.once('close', () => {
      clearTimeout(timer);
      resolve(false);
    });
  });
  socket.off('end', failed);
  return isSecure ? socket : undefined;
}

/** How sending ended: to the end, by our own reset, or because the client or an ABOR closed the connection. */
export type SendOutcome = 'sent' | 'reset' | 'gone';

export interface SendOptions {
  readonly raw: Socket;
  /** `raw`, or the TLS over it. */
  readonly socket: Socket;
  readonly fault: FaultAction;
  /** Aborts with ABOR and with the control connection. */
  readonly signal: AbortSignal;
  onBytes(count: number): void;
}

/** Sends `body` with the fault's changes, and ends the data connection. */
export async function sendBody(body: Iterable<Buffer>, options: SendOptions): Promise<SendOutcome> {
  const { raw, socket, fault, signal } = options;
  const stop = (): void => {
    socket.destroy();
    raw.destroy();
  };
  signal.addEventListener('abort', stop, { once: true });
  socket.resume();
  try {
    for (const chunk of withFaults(body, fault)) {
      if (!(await write(socket, chunk))) return 'gone';
      options.onBytes(chunk.length);
    }
    if (fault.stallAfterBytes !== undefined) {
      await endedOrClosed(socket);
      stop();
      return 'gone';
    }
    if (fault.resetAfterBytes !== undefined) {
      await sleep(BEFORE_RESET_MS);
      raw.resetAndDestroy();
      socket.destroy();
      return 'reset';
    }
    return await end(socket, fault.endAbruptly === true);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

function* withFaults(body: Iterable<Buffer>, fault: FaultAction): Generator<Buffer> {
  const { sendBytes = Infinity, resetAfterBytes = Infinity, stallAfterBytes = Infinity } = fault;
  let left = Math.min(sendBytes, resetAfterBytes, stallAfterBytes);
  for (const chunk of body) {
    if (left <= 0) break;
    yield chunk.length <= left ? chunk : chunk.subarray(0, left);
    left -= chunk.length;
  }
  const { extraBytes } = fault;
  if (typeof extraBytes === 'number') yield Buffer.alloc(extraBytes, 'x');
  else if (extraBytes !== undefined) yield Buffer.from(extraBytes as string, 'latin1');
}

/** Resolves once the system has taken the bytes; false where the connection is gone. */
async function write(socket: Socket, chunk: Buffer): Promise<boolean> {
  if (chunk.length === 0) return true;
  return new Promise((resolve) => {
    if (socket.destroyed) {
      resolve(false);
      return;
    }
    const onClose = (): void => {
      resolve(false);
    };
    socket.once('close', onClose);
    socket.write(chunk, (error) => {
      socket.off('close', onClose);
      resolve(error === undefined || error === null);
    });
  });
}

/** Ends our side; the socket stays until the client has closed too, or lingers too long. */
async function end(socket: Socket, isAbrupt: boolean): Promise<SendOutcome> {
  if (socket.destroyed) return 'gone';
  if (isAbrupt) {
    socket.destroy();
    return 'sent';
  }
  const linger = setTimeout(() => socket.destroy(), LINGER_MS).unref();
  const isClosed = closed(socket).then(() => {
    clearTimeout(linger);
  });
  await Promise.race([new Promise<void>((resolve) => socket.end(resolve)), isClosed]);
  return 'sent';
}

/** Half-open, a connection that the client ended is not closed yet. */
function endedOrClosed(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    if (socket.closed || socket.readableEnded) resolve();
    for (const event of ['end', 'close']) {
      socket.once(event, () => {
        resolve();
      });
    }
  });
}

function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    if (socket.closed) resolve();
    else
      socket.once('close', () => {
        resolve();
      });
  });
}
