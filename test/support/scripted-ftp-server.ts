import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { createSecureContext, type SecureContext } from 'node:tls';
import { ScriptedConnection, type ScriptedHost } from './scripted-ftp-connection.ts';
import { FaultBook, type FaultRule } from './scripted-ftp-faults.ts';
import { DEFAULT_OPTIONS, type ScriptedServerOptions } from './scripted-ftp-options.ts';
import { ScriptedTree } from './scripted-ftp-tree.ts';
import { makeSelfSignedCertificate, type TestCertificate } from './self-signed-certificate.ts';

/** One command as it was received. */
export interface LoggedCommand {
  readonly connection: number;
  /** In upper case. */
  readonly command: string;
  /** Bytes as latin1 text; of PASS too. */
  readonly argument: string;
  readonly isEncrypted: boolean;
}

/**
 * A real FTP server whose files are in memory and whose every answer a test can change. Passive mode
 * only. It accepts no writing command.
 */
export class ScriptedServer implements ScriptedHost {
  readonly options: ScriptedServerOptions;
  readonly tree: ScriptedTree;
  /** The rules of the test: add and remove at any time. The first one that is due acts. */
  readonly faults: FaultRule[] = [];
  readonly faultBook = new FaultBook(this.faults);
  readonly secureContext: SecureContext | undefined;
  readonly certificate: TestCertificate | undefined;
  /** All commands since the start or the last clearLog. */
  readonly log: LoggedCommand[] = [];
  /** Bytes put on data connections by path, folders for listings. Before TLS. */
  readonly bytesSent = new Map<string, number>();
  /** The most connections that were open and let in at one time. */
  connectionsPeak = 0;
  /** Connections since the start, refused ones counted. */
  connectionsTotal = 0;
  readonly #server: Server;
  readonly #counts = new Map<string, number>();
  readonly #sockets = new Set<Socket>();
  readonly #connections = new Set<ScriptedConnection>();
  readonly #serving = new Set<Promise<void>>();
  #stopped: Promise<void> | undefined;

  constructor(options: ScriptedServerOptions, certificate: TestCertificate | undefined) {
    this.options = options;
    this.certificate = certificate;
    this.tree = new ScriptedTree(options.nowMs ?? Date.now());
    if (options.tls !== 'none' && certificate !== undefined) {
      const { key, cert } = certificate;
      const sessionIdContext = 'scripted-ftp-server';
      this.secureContext = createSecureContext({ key, cert, maxVersion: options.tlsVersionMax, sessionIdContext });
    }
    this.#server = createServer({ noDelay: true, allowHalfOpen: false }, (socket) => {
      this.#onSocket(socket);
    });
  }

  get address(): { host: string; port: number } {
    const { address, port } = this.#server.address() as AddressInfo;
    return { host: address, port };
  }

  get connectionsOpen(): number {
    return this.#connections.size;
  }

  /** Adds one rule, and returns it for `faultBook.timesActed`. */
  addFault(on: FaultRule['on'], action: FaultRule['action']): FaultRule {
    const rule = { on, action };
    this.faults.push(rule);
    return rule;
  }

  /** How often a command was received since the start or the last clearLog. */
  count(command: string): number {
    return this.#counts.get(command.toUpperCase()) ?? 0;
  }

  clearLog(): void {
    this.log.length = 0;
    this.#counts.clear();
    this.bytesSent.clear();
    this.connectionsPeak = this.#connections.size;
  }

  /** Cuts every open connection, as a restart of the server does. */
  dropConnections(): void {
    for (const connection of this.#connections) connection.reset();
  }

  async listen(): Promise<void> {
    this.#server.listen(0, this.options.listensOn);
    await once(this.#server, 'listening');
  }

  /** Stops listening and closes everything; resolves when nothing of it runs any more. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    const isClosed = once(this.#server, 'close');
    this.#server.close();
    for (const connection of this.#connections) connection.drop();
    for (const socket of this.#sockets) socket.destroy();
    await Promise.all([isClosed, ...this.#serving]);
    if (this.options.certificate === undefined) await this.certificate?.remove();
  }

  recordCommand(connection: number, command: string, argument: string, isEncrypted: boolean): void {
    this.#counts.set(command, this.count(command) + 1);
    if (this.options.keepsLog) this.log.push({ connection, command, argument, isEncrypted });
  }

  recordBytes(path: string, count: number): void {
    if (this.options.keepsLog) this.bytesSent.set(path, (this.bytesSent.get(path) ?? 0) + count);
  }

  #onSocket(socket: Socket): void {
    this.#sockets.add(socket);
    this.connectionsTotal += 1;
    const connection = new ScriptedConnection(this, this.connectionsTotal, socket);
    const { maxConnections, maxConnectionsAt } = this.options;
    const isRefused = maxConnectionsAt === 'greeting' && this.#connections.size >= maxConnections;
    if (!isRefused) this.#connections.add(connection);
    this.connectionsPeak = Math.max(this.connectionsPeak, this.#connections.size);
    socket.on('close', () => {
      this.#sockets.delete(socket);
      this.#connections.delete(connection);
    });
    const serving = connection.serve(isRefused).finally(() => this.#serving.delete(serving));
    this.#serving.add(serving);
  }
}

/** Starts a server on a free port. What is not given is as in DEFAULT_OPTIONS. */
export async function startScriptedServer(options: Partial<ScriptedServerOptions> = {}): Promise<ScriptedServer> {
  const all = { ...DEFAULT_OPTIONS, ...options };
  const certificate = all.certificate ?? (all.tls === 'none' ? undefined : await makeSelfSignedCertificate());
  const server = new ScriptedServer(all, certificate);
  await server.listen();
  return server;
}
