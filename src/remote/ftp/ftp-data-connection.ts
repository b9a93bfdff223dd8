import { connect, isIPv6 } from 'node:net';
import type { Socket } from 'node:net';
import { BackupError } from '../../errors.ts';
import type { ErrorCode } from '../../errors.ts';
import type { FtpControl } from './ftp-control.ts';
import type { FtpReply } from './ftp-errors.ts';
import { networkError, replyDetail, withFacts } from './ftp-errors.ts';
import type { FtpKnowledge } from './ftp-knowledge.ts';
import { checkCertificate, startTls } from './ftp-tls.ts';

export type PassiveCommand = 'EPSV' | 'PASV';

/** A data connection on its way: it may still be connecting, and under TLS shaking hands. */
export interface DataConnection {
  /** Where the bytes come out: the TLS socket under TLS. */
  readonly socket: Socket;
  /** Why it failed, if that is something else than what the socket says. */
  readonly fault: () => BackupError | undefined;
}

/**
 * Asks for a data connection and starts it, always to the host of the control connection. The first one of a source
 * waits for TCP, so that EPSV can give way to PASV; later ones connect while the next command is on its way.
 * Throws `abortCode` where the server refuses this one, or an error about the server where no way works at all.
 */
export async function openDataConnection(
  control: FtpControl,
  knowledge: FtpKnowledge,
  abortCode: ErrorCode,
): Promise<DataConnection> {
  if (knowledge.passive !== undefined) {
    const answer = await askForPort(control, knowledge.passive);
    if (typeof answer === 'number') return start(control, connectTo(control, answer));
    throw new BackupError(abortCode, { facts: control.facts, detail: replyDetail(answer) });
  }
  const ways: readonly PassiveCommand[] =
    isIPv6(control.peerAddress) && !isMappedIPv4(control) ? ['EPSV'] : ['EPSV', 'PASV'];
  let failure: BackupError | undefined;
  for (const way of ways) {
    const answer = await askForPort(control, way);
    if (typeof answer !== 'number') {
      failure = noDataConnection(control, answer);
      continue;
    }
    try {
      const socket = await connected(control, answer);
      knowledge.passive = way;
      return start(control, socket);
    } catch (error) {
      failure = withFacts(networkError(error, control.facts, true), { hint: 'data-connection', dataPort: answer });
    }
  }
  throw control.fail(failure ?? new BackupError('protocol-unusable', { facts: control.facts }));
}

function isMappedIPv4(control: FtpControl): boolean {
  return control.peerAddress.startsWith('::ffff:');
}

function noDataConnection(control: FtpControl, reply: FtpReply): BackupError {
  return new BackupError(reply.code < 500 ? 'server-busy' : 'protocol-unusable', {
    facts: { ...control.facts, hint: 'data-connection' },
    detail: replyDetail(reply),
  });
}

async function askForPort(control: FtpControl, way: PassiveCommand): Promise<number | FtpReply> {
  const reply = await control.command(way);
  if (reply.code >= 300) return reply;
  return passivePort(reply.text) ?? { code: 500, text: `an answer without a port: ${reply.text}` };
}

/**
 * The port in a reply to EPSV `(|||port|)` (RFC 2428 §3) or PASV `h1,h2,h3,h4,p1,p2` (RFC 959 §4.2). Some servers give
 * one form to the other command. The host in it is not looked at: it may be private, wrong, or somebody else's.
 */
export function passivePort(text: string): number | undefined {
  const extended = /\((.)\1\1(\d{1,5})\1\)/.exec(text);
  const six = /(\d{1,3}),(\d{1,3}),(\d{1,3}),(\d{1,3}),(\d{1,3}),(\d{1,3})/.exec(text);
  let port: number | undefined;
  if (extended !== null) port = Number(extended[2]);
  else if (six !== null) port = Number(six[5]) * 256 + Number(six[6]);
  return port !== undefined && port >= 1 && port <= 65535 ? port : undefined;
}

function connectTo(control: FtpControl, port: number): Socket {
  const socket = connect({ host: control.peerAddress, port });
  socket.setNoDelay(true);
  socket.setKeepAlive(true, 60_000);
  return socket;
}

function connected(control: FtpControl, port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connectTo(control, port);
    const timer = setTimeout(() => {
      socket.destroy(new BackupError('timed-out', { facts: control.facts, detail: 'no data connection' }));
    }, control.connectMs);
    const onError = (error: Error): void => {
      clearTimeout(timer);
      reject(error);
    };
    socket.once('error', onError);
    socket.once('connect', () => {
      clearTimeout(timer);
      socket.off('error', onError);
      resolve(socket);
    });
  });
}

function start(control: FtpControl, raw: Socket): DataConnection {
  const tls = control.dataTls;
  if (tls === undefined) return { socket: raw, fault: () => undefined };
  const socket = startTls(raw, tls.trust, tls.session);
  let fault: BackupError | undefined;
  socket.once('secureConnect', () => {
    try {
      checkCertificate(socket, tls.trust, { ...control.facts, hint: 'data-connection' });
    } catch (error) {
      fault = networkError(error, control.facts, false);
      socket.destroy(fault);
    }
  });
  raw.on('error', (error) => socket.destroy(error));
  return { socket, fault: () => fault };
}
