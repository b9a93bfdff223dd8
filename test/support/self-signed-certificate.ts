import { execFile } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** A certificate and its key in a folder of their own under the system's temporary folder. */
export interface TestCertificate {
  readonly folder: string;
  readonly certFile: string;
  readonly keyFile: string;
  /** The certificate that signed this one, for NODE_EXTRA_CA_CERTS; the certificate itself where nobody else signed. */
  readonly caFile: string;
  readonly cert: string;
  readonly key: string;
  readonly ca: string;
  /** SHA-256 of the certificate (DER) as 64 lower-case hex digits. */
  readonly fingerprint: string;
  remove(): Promise<void>;
}

export interface CertificateOptions {
  /** Common name and DNS name. Default `localhost`. */
  readonly host?: string;
  /** Whether 127.0.0.1 is among the names. Default true. */
  readonly namesLoopback?: boolean;
}

/** Makes an RSA certificate that signs itself, valid for a few days. Needs the `openssl` command. */
export async function makeSelfSignedCertificate(options: CertificateOptions = {}): Promise<TestCertificate> {
  const folder = await mkdtemp(join(tmpdir(), 'site-backup-cert-'));
  const { host = 'localhost' } = options;
  await openssl(folder, [
    ...['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '7'],
    ...['-subj', `/CN=${host}`, '-addext', `subjectAltName=${namesOf(options)}`],
    ...['-keyout', 'key.pem', '-out', 'cert.pem'],
  ]);
  return readCertificate(folder, 'cert.pem');
}

/** Makes a certificate authority and a certificate signed by it: a client that trusts `caFile` can verify it. */
export async function makeSignedCertificate(options: CertificateOptions = {}): Promise<TestCertificate> {
  const folder = await mkdtemp(join(tmpdir(), 'site-backup-cert-'));
  const { host = 'localhost' } = options;
  await writeFile(join(folder, 'leaf.ext'), `subjectAltName=${namesOf(options)}\nbasicConstraints=CA:FALSE\n`);
  await openssl(folder, [
    ...['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '7', '-subj', '/CN=Site Backup test authority'],
    ...['-keyout', 'ca-key.pem', '-out', 'ca.pem'],
  ]);
  await openssl(folder, [
    ...['req', '-new', '-newkey', 'rsa:2048', '-nodes', '-subj', `/CN=${host}`, '-keyout', 'key.pem'],
    ...['-out', 'leaf.csr'],
  ]);
  await openssl(folder, [
    ...['x509', '-req', '-in', 'leaf.csr', '-CA', 'ca.pem', '-CAkey', 'ca-key.pem', '-set_serial', '2'],
    ...['-days', '7', '-extfile', 'leaf.ext', '-out', 'cert.pem'],
  ]);
  return readCertificate(folder, 'ca.pem');
}

function namesOf(options: CertificateOptions): string {
  const names = [`DNS:${options.host ?? 'localhost'}`];
  if (options.namesLoopback !== false) names.push('IP:127.0.0.1');
  return names.join(',');
}

async function openssl(folder: string, args: readonly string[]): Promise<void> {
  await run('openssl', args, { cwd: folder });
}

async function readCertificate(folder: string, caName: string): Promise<TestCertificate> {
  const [certFile, keyFile, caFile] = [join(folder, 'cert.pem'), join(folder, 'key.pem'), join(folder, caName)];
  const cert = await readFile(certFile, 'utf8');
  return {
    folder,
    certFile,
    keyFile,
    caFile,
    cert,
    key: await readFile(keyFile, 'utf8'),
    ca: await readFile(caFile, 'utf8'),
    fingerprint: new X509Certificate(cert).fingerprint256.replaceAll(':', '').toLowerCase(),
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}
