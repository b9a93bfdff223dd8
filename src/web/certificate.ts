import { execFile } from 'node:child_process';
import { X509Certificate, createPrivateKey } from 'node:crypto';
import { constants } from 'node:fs';
import { mkdtemp, open, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { hostname, networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { createSecureContext } from 'node:tls';
import { promisify } from 'node:util';
import { makePrivateFolder } from '../state/private-folder.ts';

/** A certificate (with those of its issuers) and its key, as PEM. */
export interface CertificatePair {
  readonly cert: string;
  readonly key: string;
}

/** Why a certificate cannot be used: a text key `e.web.<key>` for one of the two fields. */
export interface CertificateFault {
  readonly field: 'certificateFile' | 'keyFile' | 'encryption';
  readonly key: 'file' | 'no-certificate' | 'no-key' | 'key-locked' | 'no-match' | 'expired' | 'no-openssl';
}

/** Certificate chains are far smaller. */
const PEM_BYTES_MAX = 256 * 1024;

/** Reads and checks the two files of an administrator's own certificate. */
export async function readOwnCertificate(
  files: { readonly certificateFile: string; readonly keyFile: string },
  nowMs: number,
): Promise<CertificatePair | { faults: readonly CertificateFault[] }> {
  const [cert, key] = [await readPem(files.certificateFile), await readPem(files.keyFile)];
  const faults: CertificateFault[] = [];
  if (cert === undefined) faults.push({ field: 'certificateFile', key: 'file' });
  if (key === undefined) faults.push({ field: 'keyFile', key: 'file' });
  if (cert === undefined || key === undefined) return { faults };
  const fault = pairFault({ cert, key }, nowMs);
  return fault === undefined ? { cert, key } : { faults: [fault] };
}

function pairFault({ cert, key }: CertificatePair, nowMs: number): CertificateFault | undefined {
  let certificate: X509Certificate;
  try {
    certificate = new X509Certificate(cert);
  } catch {
    return { field: 'certificateFile', key: 'no-certificate' };
  }
  if (/ENCRYPTED/.test(key)) return { field: 'keyFile', key: 'key-locked' };
  try {
    if (!certificate.checkPrivateKey(createPrivateKey(key))) return { field: 'keyFile', key: 'no-match' };
  } catch {
    return { field: 'keyFile', key: 'no-key' };
  }
  if (Date.parse(certificate.validTo) <= nowMs) return { field: 'certificateFile', key: 'expired' };
  try {
    // What OpenSSL itself refuses, such as a key that is too short.
    createSecureContext({ cert, key });
    return undefined;
  } catch {
    return { field: 'certificateFile', key: 'no-certificate' };
  }
}

/** undefined for what is no ordinary file, too large for one, or not readable. */
async function readPem(path: string): Promise<string | undefined> {
  try {
    // Without waiting: a pipe would have nobody at its other end.
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const stats = await file.stat();
      return stats.isFile() && stats.size <= PEM_BYTES_MAX ? await file.readFile('utf8') : undefined;
    } finally {
      await file.close();
    }
  } catch {
    return undefined;
  }
}

/** Apple's systems trust no certificate that is valid for longer (support.apple.com/102028). */
const SELF_SIGNED_DAYS = 825;
const RENEW_BEFORE_MS = 30 * 86_400_000;
const OPENSSL_MS_MAX = 30_000;
const NAMES_MAX = 30;

/**
 * The certificate that this service made for itself, from `stateDir`; made when there is none or it ends soon. It names
 * the NAS, its addresses, and `names`, by which it is opened.
 */
export async function selfSignedCertificate(
  stateDir: string,
  names: readonly string[],
  nowMs: number,
): Promise<CertificatePair | { faults: readonly CertificateFault[] }> {
  const folder = join(stateDir, 'web');
  const made = await readSelfSigned(folder, nowMs);
  if (made !== undefined && names.every((name) => isNamed(made.cert, name))) return made;
  try {
    await makeSelfSigned(folder, names);
  } catch {
    // One that lacks a name is better than none.
    return made ?? { faults: [{ field: 'encryption', key: 'no-openssl' }] };
  }
  return (await readSelfSigned(folder, nowMs)) ?? { faults: [{ field: 'encryption', key: 'no-openssl' }] };
}

async function readSelfSigned(folder: string, nowMs: number): Promise<CertificatePair | undefined> {
  // One file for both: a crash between two could leave halves that do not fit.
  const pem = await readFile(join(folder, SELF_SIGNED_FILE), 'utf8').catch(() => undefined);
  if (pem === undefined) return undefined;
  const pair = { cert: pem, key: pem };
  return pairFault(pair, nowMs + RENEW_BEFORE_MS) === undefined ? pair : undefined;
}

const SELF_SIGNED_FILE = 'self-signed.pem';

function isNamed(cert: string, name: string): boolean {
  if (!isPlainName(name)) return true;
  const certificate = new X509Certificate(cert);
  return certificate.checkHost(name) !== undefined || certificate.checkIP(name) !== undefined;
}

/** Node can read certificates and not make them; DSM and every Linux have this program. */
async function makeSelfSigned(folder: string, more: readonly string[]): Promise<void> {
  makePrivateFolder(folder);
  const work = await mkdtemp(join(folder, 'making-'));
  try {
    const machine = hostname();
    const addresses = Object.values(networkInterfaces()).flatMap((items) => items ?? []);
    const names = ['localhost', machine, `${machine}.local`, ...addresses.map((item) => item.address), ...more]
      .filter(isPlainName)
      .map((name) => `${/^[\d.]+$|:/.test(name) ? 'IP' : 'DNS'}:${name.toLowerCase()}`);
    const settings = [
      '[req]\ndistinguished_name = name\nx509_extensions = more\nprompt = no',
      '[name]\nCN = Site Backup',
      '[more]\nbasicConstraints = critical, CA:FALSE\nkeyUsage = critical, digitalSignature',
      `extendedKeyUsage = serverAuth\nsubjectAltName = ${[...new Set(names)].slice(0, NAMES_MAX).join(',')}\n`,
    ];
    // Not every machine has the settings that the program looks for by itself.
    await writeFile(join(work, 'request.cnf'), settings.join('\n'), { mode: 0o600 });
    const args = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-sha256'];
    const files = ['-config', 'request.cnf', '-keyout', 'key.pem', '-out', 'cert.pem'];
    await promisify(execFile)('openssl', [...args, '-days', String(SELF_SIGNED_DAYS), ...files], {
      cwd: work,
      timeout: OPENSSL_MS_MAX,
    });
    const [cert, key] = [await readFile(join(work, 'cert.pem'), 'utf8'), await readFile(join(work, 'key.pem'), 'utf8')];
    await writeFile(join(work, SELF_SIGNED_FILE), cert + key, { mode: 0o600 });
    await rename(join(work, SELF_SIGNED_FILE), join(folder, SELF_SIGNED_FILE));
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** What may stand in a certificate, and in the settings of the program that makes it. */
function isPlainName(name: string): boolean {
  return /^[A-Za-z0-9]([A-Za-z0-9.-]{0,252}[A-Za-z0-9])?$/.test(name) || /^[0-9a-fA-F]*:[0-9a-fA-F:.]+$/.test(name);
}

/** Until when a certificate is valid, in milliseconds since 1970, and its SHA-256 as browsers show it. */
export function certificateFacts({ cert }: CertificatePair): { readonly endsMs: number; readonly fingerprint: string } {
  const certificate = new X509Certificate(cert);
  return { endsMs: Date.parse(certificate.validTo), fingerprint: certificate.fingerprint256 };
}
