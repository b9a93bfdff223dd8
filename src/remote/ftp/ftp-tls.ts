import { isIP } from 'node:net';
import type { Socket } from 'node:net';
import { connect } from 'node:tls';
import type { ConnectionOptions, PeerCertificate, TLSSocket } from 'node:tls';
import { BackupError } from '../../errors.ts';
import type { ErrorFacts } from '../../errors.ts';

/** Whom TLS must prove to be at the other end. */
export interface TlsTrust {
  readonly host: string;
  /** SHA-256 of the certificate, 64 lower-case hex digits; undefined: one that the known authorities signed for `host`. */
  readonly fingerprint: string | undefined;
  readonly versionMax: 'TLSv1.2' | 'TLSv1.3';
}

/**
 * Starts TLS on `socket`. The certificate is not looked at here: `checkCertificate` must follow before anything is sent.
 * `session` resumes an earlier session, which servers demand of data connections (vsftpd `require_ssl_reuse`).
 */
export function startTls(socket: Socket, trust: TlsTrust, session: Buffer | undefined): TLSSocket {
  const options: ConnectionOptions = {
    socket,
    // Since Node 24.17 (CVE-2026-48934) a session is resumed only under the host name it was made for.
    host: trust.host,
    rejectUnauthorized: false,
    maxVersion: trust.versionMax,
  };
  if (isIP(trust.host) === 0) options.servername = trust.host;
  if (session !== undefined) options.session = session;
  return connect(options);
}

/** Throws `certificate-untrusted` or `certificate-changed` unless the other end is the one that `trust` wants. */
export function checkCertificate(socket: TLSSocket, trust: TlsTrust, facts: ErrorFacts): void {
  // Only a session of a control connection that passed here is ever offered, and no certificate comes with it again.
  if (socket.isSessionReused()) return;
  const certificate = socket.getPeerCertificate();
  const fingerprint = fingerprintOf(certificate);
  if (trust.fingerprint !== undefined) {
    if (fingerprint === trust.fingerprint) return;
    throw new BackupError('certificate-changed', {
      facts: { ...facts, ...describe(certificate), expected: trust.fingerprint, fingerprint },
    });
  }
  if (socket.authorized) return;
  const reason = String(socket.authorizationError);
  throw new BackupError('certificate-untrusted', {
    facts: { ...facts, ...describe(certificate), fingerprint, reason },
    detail: reason,
  });
}

/** Whose certificate it is and who signed it: unlike its fingerprint, the same after each of its renewals. */
export function certificateName(socket: TLSSocket): string {
  const { subject, issuer } = describe(socket.getPeerCertificate());
  return `${subject} / ${issuer}`;
}

function fingerprintOf(certificate: Partial<PeerCertificate>): string {
  return (certificate.fingerprint256 ?? '').replaceAll(':', '').toLowerCase();
}

/** Node's types promise fields that a certificate without a subject does not have. */
function describe(certificate: Partial<PeerCertificate>): ErrorFacts {
  return {
    subject: nameOf(certificate.subject),
    issuer: nameOf(certificate.issuer),
    validTo: certificate.valid_to ?? '',
  };
}

function nameOf(name: Partial<PeerCertificate['subject']> | undefined): string {
  const text: unknown = name?.CN ?? name?.O ?? '';
  return Array.isArray(text) ? text.join(', ') : String(text);
}

/** Translates a failed handshake: anything but a broken connection is a server that cannot agree with us on TLS. */
export function isTlsFailure(error: unknown): boolean {
  const code: unknown = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
  return typeof code === 'string' && (code === 'EPROTO' || code.startsWith('ERR_SSL') || code.startsWith('ERR_TLS'));
}
