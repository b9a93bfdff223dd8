import { BackupError } from '../../errors.ts';
import type { ErrorCode, ErrorFacts } from '../../errors.ts';
import { nameOf } from '../../paths.ts';

/** One reply of the server: its code and its whole text, lines joined by LF, as latin1 text. */
export interface FtpReply {
  readonly code: number;
  readonly text: string;
}

/** Longer details help nobody; a hostile server may send 64 KiB. */
const DETAIL_CHARS_MAX = 500;

/** The reply as a `detail`: bounded, and read as UTF-8 where it is UTF-8, so that people can read it. */
export function replyDetail(reply: FtpReply): string {
  return readable(reply.text);
}

export function readable(text: string): string {
  const bytes = Buffer.from(text.slice(0, DETAIL_CHARS_MAX), 'latin1');
  const decoded = bytes.toString('utf8');
  return decoded.includes('\ufffd') ? text.slice(0, DETAIL_CHARS_MAX) : decoded;
}

/** Translates what Node says of a socket. `isConnecting`: before the connection stood. A BackupError stays what it is. */
export function networkError(error: unknown, facts: ErrorFacts, isConnecting: boolean): BackupError {
  if (error instanceof BackupError) return error;
  const detail = error instanceof Error ? error.message : String(error);
  return new BackupError(networkCode(errnoOf(error), isConnecting), { cause: error, facts, detail });
}

function networkCode(errno: string, isConnecting: boolean): ErrorCode {
  switch (errno) {
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
    case 'EAI_NONAME':
    case 'EAI_FAIL':
      return 'host-unknown';
    case 'ETIMEDOUT':
      return 'timed-out';
    case 'ECONNREFUSED':
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
    case 'EADDRNOTAVAIL':
      return isConnecting ? 'connection-refused' : 'connection-lost';
    default:
      return 'connection-lost';
  }
}

function errnoOf(error: unknown): string {
  if (!(error instanceof Error)) return '';
  const code: unknown = (error as NodeJS.ErrnoException).code;
  return typeof code === 'string' ? code : '';
}

/**
 * What a 421 means. After the log-in most servers say so when a connection was idle for too long; everything else is a
 * server that does not want one more connection.
 */
export function closingError(reply: FtpReply, facts: ErrorFacts, isLoggedIn: boolean): BackupError {
  const isIdle =
    isLoggedIn && /time.?out|timed out|idle|inactiv|no (transfer|operation)|depasse|aktion seit/i.test(reply.text);
  return new BackupError(isIdle ? 'connection-lost' : 'server-busy', { facts, detail: replyDetail(reply) });
}

/** The refusal of a log-in: a full server, one that wants TLS first, or wrong credentials. */
export function loginError(reply: FtpReply, facts: ErrorFacts): BackupError {
  const detail = replyDetail(reply);
  if (wantsEncryption(reply.text)) {
    return new BackupError('protocol-unusable', { facts: { ...facts, hint: 'tls-required' }, detail });
  }
  const isTransient = reply.code < 500 && reply.code !== 430;
  if (isTransient || isBusy(reply.text)) return new BackupError('server-busy', { facts, detail });
  return new BackupError('login-rejected', { facts, detail });
}

/**
 * True where the words are those of a full server. Words of Pure-FTPd 1.0.50 (its `messages_*.h`), ProFTPD 1.3.8,
 * vsftpd 3.0.3 and hosts' own. "Too many login failures" is about the password: trying again would get us banned.
 */
export function isBusy(text: string): boolean {
  if (/fail|incorrect|invalid|wrong|password|passwort|mot de passe|contrase/i.test(text)) return false;
  return BUSY_WORDS.test(text);
}

const BUSY_WORDS = new RegExp(
  [
    'too many|maxim|m.{1,2}ximo|massimo|\\(maks|limit|simultan|already (logged|connected)|no more (client|connection|user)',
    'more than \\d+ connection|server (is )?(full|busy)|try (again )?later',
    'trop de|plus de \\d+ connexion|deja connect|zu ?viele|mehr als \\d+ verbindung|demasiad|m.{1,2}s de \\d+ conexion',
    'tropp[eo]|pi.{1,2} di \\d+ conness|demais|te ?veel|meer dan \\d+ verbinding|zbyt wiele|prea multe|for mange|t.l sok',
  ].join('|'),
  'i',
);

function wantsEncryption(text: string): boolean {
  return /must use encryption|cleartext|ssl\/tls required|use auth|tls (is )?(required|first)|requires? (ssl|tls)|secure connection/i.test(
    text,
  );
}

const RIGHTS_WORDS =
  /permission|not permitted|access (is )?denied|not allowed|acc.{1,2}s (refus|interdit)|zugriff|permiso/i;

/**
 * True where the refusal of `path` is about rights. 550 alone does not say whether an object is missing or out of bounds.
 * Words of the path itself, which most servers repeat, do not count.
 */
export function isPermissionDenied(text: string, path: string): boolean {
  const misleading = [path, nameOf(path)].filter((part) => RIGHTS_WORDS.test(part));
  return RIGHTS_WORDS.test(misleading.reduce((words, part) => words.replaceAll(part, ''), text));
}

/** True where a server has understood that it was asked for `path` and does not have it (550: RFC 959 §4.2.2). */
export function saysGone(reply: FtpReply, path: string): boolean {
  return reply.code >= 550 && reply.code < 560 && !isPermissionDenied(reply.text, path);
}

/** True for the replies by which a server says that it does not know a command (RFC 959 §4.2). */
export function isNotImplemented(reply: FtpReply): boolean {
  return reply.code === 500 || reply.code === 501 || reply.code === 502 || reply.code === 504;
}

/** True for refusals of a data connection because of TLS: RFC 4217 §10, and vsftpd's 522 without session reuse. */
export function isDataTlsRefusal(reply: FtpReply): boolean {
  return reply.code === 521 || reply.code === 522 || reply.code === 533 || reply.code === 534 || reply.code === 535;
}

/** `error` with further facts. */
export function withFacts(error: BackupError, facts: ErrorFacts): BackupError {
  return new BackupError(error.code, {
    cause: error.cause ?? error,
    facts: { ...error.facts, ...facts },
    ...(error.detail === undefined ? {} : { detail: error.detail }),
  });
}
