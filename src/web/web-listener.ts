import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http';
import { createServer as createNetServer } from 'node:net';
import type { AddressInfo, Server as NetServer, Socket } from 'node:net';
import { BackupError } from '../errors.ts';
import type { WebAccess } from '../settings/web-access.ts';
import type { CertificatePair } from './certificate.ts';
import { CONNECTIONS_MAX, HEADERS_MS_MAX, createWebServer } from './create-server.ts';

/** One way in: where it is, and who answers there. */
export interface Door {
  readonly access: WebAccess;
  /** undefined: plain HTTP. */
  readonly certificate: CertificatePair | undefined;
  readonly app: RequestListener;
}

interface Listening {
  readonly host: string;
  readonly wantedPort: number;
  readonly port: number;
  readonly server: NetServer;
}

interface OpenDoor {
  readonly door: Door;
  /** undefined: plain HTTP. */
  readonly secure: Server | undefined;
}

/** The first byte of a TLS connection: a record of type handshake (RFC 8446 §5.1). No HTTP request begins so. */
const TLS_HANDSHAKE = 0x16;

/**
 * Listens for one or two doors at a time: while a change of the web access is tried, the old one and the new one are both
 * open, on one port too. HTTP and HTTPS share a port, told apart by the first byte; plain requests for a port that is
 * HTTPS only are sent there.
 */
export class WebListener {
  readonly #plain: Server;
  readonly #sockets = new Set<Socket>();
  #listening: readonly Listening[] = [];
  /** The preferred one first. */
  #doors: readonly OpenDoor[] = [];

  constructor() {
    this.#plain = this.#makeServer(undefined);
  }

  /**
   * Opens these doors, the preferred one first, and closes all others. Throws `port-taken` or `address-unusable`; what
   * was open before is then open still.
   */
  async open(doors: readonly Door[]): Promise<void> {
    const secures = doors.map((door) => this.#secureFor(door));
    await this.#listenFor(doors.map((door) => door.access));
    const before = this.#doors;
    this.#doors = doors.map((door, index) => ({ door, secure: secures[index] }));
    for (const { secure } of before) {
      if (secure !== undefined && !this.#doors.some((item) => item.secure === secure)) secure.close();
    }
  }

  /** The port that is really listened on. */
  portOf(access: WebAccess): number {
    return this.#listening.find((item) => item.wantedPort === access.port)?.port ?? access.port;
  }

  /** Takes no new connection; those that are there go on. */
  stopListening(): void {
    for (const { server } of this.#listening) server.close();
    this.#listening = [];
  }

  /** Ends every connection. */
  close(): void {
    this.stopListening();
    for (const socket of this.#sockets) socket.destroy();
    for (const server of [this.#plain, ...this.#doors.map((item) => item.secure)]) server?.close();
  }

  /** The server that a door like it has already: with the same certificate, connections go on undisturbed. */
  #secureFor({ certificate }: Door): Server | undefined {
    if (certificate === undefined) return undefined;
    const same = this.#doors.find(
      ({ door }) => door.certificate?.cert === certificate.cert && door.certificate.key === certificate.key,
    );
    return same?.secure ?? this.#makeServer(certificate);
  }

  #makeServer(certificate: CertificatePair | undefined): Server {
    const server = createWebServer((req, res) => {
      this.#answer(req, res);
    }, certificate);
    // It is given its connections and never listens itself; without this event it would not watch over their time.
    server.emit('listening');
    return server;
  }

  /** One socket for each port; a wide one serves a narrow wish as well. */
  async #listenFor(accesses: readonly WebAccess[]): Promise<void> {
    const wanted = new Map<number, string>();
    for (const { port, listen } of accesses) {
      const other = wanted.get(port);
      wanted.set(port, other === undefined || other === listen ? listen : '');
    }
    const isWanted = (item: Listening): boolean => wanted.get(item.wantedPort) === item.host;
    const kept = this.#listening.filter(isWanted);
    const left = this.#listening.filter((item) => !isWanted(item));
    const opened: Listening[] = [];
    const closed: Listening[] = [];
    try {
      for (const [port, host] of wanted) {
        if (kept.some((item) => item.wantedPort === port)) continue;
        // Two sockets of one port exclude each other, so the old one has to go first.
        for (const item of left.filter((other) => other.wantedPort === port)) {
          item.server.close();
          closed.push(item);
        }
        opened.push(await this.#listen(host, port));
      }
    } catch (error) {
      for (const item of opened) item.server.close();
      const again: Listening[] = [];
      for (const item of closed) again.push(await this.#listen(item.host, item.port, item.wantedPort));
      this.#listening = [...this.#listening.filter((item) => !closed.includes(item)), ...again];
      throw error;
    }
    for (const item of left) if (!closed.includes(item)) item.server.close();
    this.#listening = [...kept, ...opened];
  }

  async #listen(host: string, port: number, wantedPort = port): Promise<Listening> {
    const server = createNetServer((socket) => {
      this.#receive(socket);
    });
    server.maxConnections = CONNECTIONS_MAX;
    try {
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject);
        server.listen({ port, ...(host === '' ? {} : { host }) }, resolve);
      });
    } catch (error) {
      const { code = '' } = error as NodeJS.ErrnoException;
      const isTaken = code === 'EADDRINUSE';
      throw new BackupError(isTaken ? 'port-taken' : 'address-unusable', {
        cause: error,
        facts: { port, address: host === '' ? '*' : host },
        detail: code,
      });
    }
    return { host, wantedPort, port: (server.address() as AddressInfo).port, server };
  }

  #receive(socket: Socket): void {
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
    const giveUp = (): void => {
      socket.destroy();
    };
    socket.on('error', giveUp);
    socket.setTimeout(HEADERS_MS_MAX, giveUp);
    socket.once('data', (first) => {
      socket.pause();
      socket.setTimeout(0);
      socket.off('timeout', giveUp);
      socket.unshift(first);
      const isTls = first[0] === TLS_HANDSHAKE;
      const server = isTls ? this.#doorsAt(socket, true)[0]?.secure : this.#plain;
      if (server === undefined) {
        socket.destroy();
        return;
      }
      server.emit('connection', socket);
      if (!isTls) socket.resume();
    });
  }

  #doorsAt(socket: Socket, isTls: boolean): readonly OpenDoor[] {
    return this.#doors.filter(
      ({ door, secure }) =>
        (secure !== undefined) === isTls &&
        this.portOf(door.access) === socket.localPort &&
        isReached(door.access.listen, socket.localAddress ?? ''),
    );
  }

  #answer(req: IncomingMessage, res: ServerResponse): void {
    const { socket } = req;
    const isTls = 'encrypted' in socket;
    const doors = this.#doorsAt(socket, isTls);
    const path = req.url ?? '/';
    // The longest base path first: one may lie below the other.
    const fitting = doors
      .filter(({ door }) => `${path.split('?')[0]}/`.startsWith(door.access.basePath))
      .sort((a, b) => b.door.access.basePath.length - a.door.access.basePath.length);
    const chosen = fitting[0] ?? doors[0];
    if (chosen !== undefined) {
      chosen.door.app(req, res);
      return;
    }
    res.setHeader('Connection', 'close');
    const host = /^(\[[0-9a-f:.]+\]|[\w.-]+)(:\d+)?$/i.exec(req.headers.host ?? '')?.[1];
    if (!isTls && host !== undefined && this.#doorsAt(socket, true).length > 0) {
      res.writeHead(302, { Location: `https://${host}:${socket.localPort}${path}`, 'Cache-Control': 'no-store' });
      res.end();
      return;
    }
    // A connection from before a change, to an address that is none any more.
    res.writeHead(421, { 'Content-Type': 'text/plain' });
    res.end('Misdirected request');
  }
}

/** Whether a door that listens on `listen` would have got what arrived at the address `local` of this machine. */
function isReached(listen: string, local: string): boolean {
  const plain = local.replace(/^::ffff:/i, '');
  if (listen === '' || listen === '::' || listen === '0.0.0.0' || listen === plain) return true;
  return isLoopback(listen) && isLoopback(plain);
}

function isLoopback(address: string): boolean {
  return address === '::1' || address.startsWith('127.');
}
