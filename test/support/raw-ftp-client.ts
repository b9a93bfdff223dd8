import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { connect as connectTls, type ConnectionOptions } from 'node:tls';

/** What arrived on a data connection, as latin1 text, and how it ended. */
export interface RawData {
  readonly text: string;
  readonly ending: 'end' | 'reset';
}

/** An FTP client that does nothing by itself: it shows a test every reply and byte of a server. */
export class RawFtpClient {
  #socket: Socket;
  #received = '';
  #isClosed = false;
  #wake: (() => void) | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    this.#attach(socket);
  }

  static async open(port: number): Promise<RawFtpClient> {
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    return new RawFtpClient(socket);
  }

  /** Sends lines as they are, CRLF added to each. */
  send(...lines: string[]): void {
    this.#socket.write(lines.map((line) => `${line}\r\n`).join(''), 'latin1');
  }

  /** Sends a command and returns its reply. */
  async ask(line: string): Promise<string> {
    this.send(line);
    return this.reply();
  }

  /** The next reply, several lines joined by LF; `closed` where the connection ended instead. */
  async reply(): Promise<string> {
    for (;;) {
      const match = /^(?:(\d{3})-[^]*?\r\n\1|\d{3}) [^]*?\r\n/.exec(this.#received);
      if (match !== null) {
        this.#received = this.#received.slice(match[0].length);
        return match[0].trimEnd().replaceAll('\r\n', '\n');
      }
      if (this.#isClosed) return 'closed';
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** Logs in and asks for binary transfers. */
  async logIn(user: string, password: string): Promise<void> {
    await this.reply();
    for (const line of [`USER ${user}`, `PASS ${password}`, 'TYPE I']) await this.ask(line);
  }

  /** Starts TLS after a 234. */
  async startTls(options: ConnectionOptions = {}): Promise<void> {
    this.#socket.removeAllListeners();
    const secure = connectTls({ socket: this.#socket, rejectUnauthorized: false, ...options });
    await once(secure, 'secureConnect');
    this.#socket = secure;
    this.#attach(secure);
  }

  /** Opens a data connection by EPSV. */
  async openData(): Promise<Socket> {
    const reply = await this.ask('EPSV');
    const socket = connect(Number(/\|(\d+)\|/.exec(reply)?.[1]), '127.0.0.1');
    await once(socket, 'connect');
    return socket;
  }

  /** EPSV, the command, its data, and both replies. */
  async fetch(line: string): Promise<RawData & { opening: string; closing: string }> {
    const socket = await this.openData();
    const data = readData(socket);
    const opening = await this.ask(line);
    if (!opening.startsWith('1')) {
      socket.destroy();
      return { ...(await data), opening, closing: '' };
    }
    return { ...(await data), opening, closing: await this.reply() };
  }

  close(): void {
    this.#socket.destroy();
  }

  #attach(socket: Socket): void {
    socket.on('data', (chunk: Buffer) => {
      this.#received += chunk.toString('latin1');
      this.#wake?.();
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.#isClosed = true;
      this.#wake?.();
    });
  }
}

/** Reads a data connection until it ends. */
export function readData(socket: Socket): Promise<RawData> {
  const chunks: Buffer[] = [];
  return new Promise((resolve) => {
    const done = (ending: 'end' | 'reset'): void => {
      resolve({ text: Buffer.concat(chunks).toString('latin1'), ending });
    };
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    socket.on('end', () => {
      done('end');
    });
    socket.on('error', () => {
      done('reset');
    });
    socket.on('close', () => {
      done('reset');
    });
  });
}
