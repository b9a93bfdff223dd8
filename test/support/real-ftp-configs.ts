/** The files and arguments with which each server starts: made anew for every start, in a folder of its own. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  findServerProgram,
  proftpdModuleFolder,
  serverEnvironment,
  type ServerSoftware,
} from './debian-package-files.ts';

export interface RealServerOptions {
  readonly software: ServerSoftware;
  /** With `explicit` and `implicit`, a log-in without TLS is refused. Pure-FTPd has no `implicit`. */
  readonly tls: 'none' | 'explicit' | 'implicit';
  /** The folder that clients see as `/`. It is read as an unprivileged user: its parents must be open to all. */
  readonly root: string;
  /** Connections of one client at a time; 100 unless told. vsftpd and Pure-FTPd answer 421 over it, ProFTPD 530. */
  readonly maxClientsPerIp?: number;
  /**
   * How many lines a listing shows before it is cut, `.` and `..` among them: by Pure-FTPd with a 226 that says so, by
   * ProFTPD without a word, and there without MLSD, which it never cuts. vsftpd has no such limit.
   */
  readonly listingEntriesMax?: number;
  /** ProFTPD only: HASH and X-commands tell the hashes of files (mod_digest). */
  readonly hasHashes?: boolean;
}

/** What one start needs. */
export interface ServerStart {
  readonly options: RealServerOptions;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  /** Configuration, process ids and sockets go here. */
  readonly runFolder: string;
  /** PEM files; undefined without TLS. */
  readonly certificate: { readonly certFile: string; readonly keyFile: string } | undefined;
}

/** Debian's `nobody`: it owns nothing, so that what only the tree's owner may read is refused. */
const SESSION_USER = { name: 'nobody', group: 'nogroup', uid: 65534, gid: 65534 };

/** The same for vsftpd, which wants to enter its user's home before the served folder, and `nobody` has none. */
const VSFTPD_USER = 'daemon';

const CLIENTS_PER_IP_DEFAULT = 100;

/** Writes what the server needs into its run folder and returns the command that starts it in the foreground. */
export function prepareServer(start: ServerStart): readonly [string, ...string[]] {
  switch (start.options.software) {
    case 'vsftpd':
      return prepareVsftpd(start);
    case 'proftpd':
      return prepareProftpd(start);
    case 'pure-ftpd':
      return preparePureFtpd(start);
  }
}

/** The name that the server knows its one account by. */
export function accountName(software: ServerSoftware): string {
  // vsftpd's own accounts need a file in /etc/pam.d; an anonymous one with a required password needs nothing.
  return software === 'vsftpd' ? 'anonymous' : 'site';
}

function prepareVsftpd({
  options,
  port,
  password,
  runFolder,
  certificate,
}: ServerStart): readonly [string, ...string[]] {
  const emptyFolder = join(runFolder, 'empty');
  mkdirSync(emptyFolder, { mode: 0o755 });
  const passwordFile = write(runFolder, 'passwords', [password]);
  // No spaces around "=", no trailing blanks: vsftpd would not start.
  const config = write(runFolder, 'vsftpd.conf', [
    'listen=YES',
    'listen_address=127.0.0.1',
    `listen_port=${port}`,
    'background=NO',
    'isolate=NO',
    'isolate_network=NO',
    'seccomp_sandbox=NO',
    'local_enable=NO',
    'anonymous_enable=YES',
    'secure_email_list_enable=YES',
    `email_password_file=${passwordFile}`,
    `ftp_username=${VSFTPD_USER}`,
    `anon_root=${options.root}`,
    'anon_world_readable_only=NO',
    'allow_writeable_chroot=YES',
    'delay_failed_login=0',
    `secure_chroot_dir=${emptyFolder}`,
    'use_localtime=NO',
    'utf8_filesystem=YES',
    'xferlog_enable=NO',
    `max_per_ip=${options.maxClientsPerIp ?? CLIENTS_PER_IP_DEFAULT}`,
    ...(certificate === undefined
      ? []
      : [
          'ssl_enable=YES',
          `rsa_cert_file=${certificate.certFile}`,
          `rsa_private_key_file=${certificate.keyFile}`,
          'ssl_ciphers=HIGH',
          'allow_anon_ssl=YES',
          'force_anon_logins_ssl=YES',
          'force_anon_data_ssl=YES',
          'require_ssl_reuse=YES',
          `implicit_ssl=${options.tls === 'implicit' ? 'YES' : 'NO'}`,
        ]),
  ]);
  return [programOf('vsftpd', 'vsftpd'), config];
}

function prepareProftpd({
  options,
  port,
  user,
  password,
  runFolder,
  certificate,
}: ServerStart): readonly [string, ...string[]] {
  const program = programOf('proftpd', 'proftpd');
  const { uid, gid } = SESSION_USER;
  const passwd = write(runFolder, 'passwd', [
    `${user}:${hashPassword(password)}:${uid}:${gid}::${options.root}:/bin/false`,
  ]);
  const config = write(runFolder, 'proftpd.conf', [
    `ModulePath ${proftpdModuleFolder(program)}`,
    'LoadModule mod_tls.c',
    // Else its cache answers for 30 seconds with what a file was.
    ...(options.hasHashes === true ? ['LoadModule mod_digest.c', 'DigestEngine on', 'DigestCache off'] : []),
    'ServerType standalone',
    'DefaultServer on',
    'DefaultAddress 127.0.0.1',
    'SocketBindTight on',
    `Port ${port}`,
    'UseIPv6 off',
    'UseReverseDNS off',
    `User ${SESSION_USER.name}`,
    `Group ${SESSION_USER.group}`,
    'WtmpLog off',
    'TransferLog none',
    `SystemLog ${join(runFolder, 'system.log')}`,
    `PidFile ${join(runFolder, 'pid')}`,
    `ScoreboardFile ${join(runFolder, 'scoreboard')}`,
    'DelayEngine off',
    'ControlsEngine off',
    'AuthOrder mod_auth_file.c',
    `AuthUserFile ${passwd}`,
    'RequireValidShell off',
    'DefaultRoot ~',
    'MaxInstances 300',
    `MaxClientsPerHost ${options.maxClientsPerIp ?? CLIENTS_PER_IP_DEFAULT}`,
    'TimesGMT on',
    ...(options.listingEntriesMax === undefined
      ? []
      : [`ListOptions "" maxfiles ${options.listingEntriesMax}`, '<Limit MLSD>', 'DenyAll', '</Limit>']),
    ...(certificate === undefined
      ? []
      : [
          'TLSEngine on',
          'TLSRequired on',
          `TLSRSACertificateFile ${certificate.certFile}`,
          `TLSRSACertificateKeyFile ${certificate.keyFile}`,
          `TLSLog ${join(runFolder, 'tls.log')}`,
          // Without an option, data connections must reuse the control connection's session.
          ...(options.tls === 'implicit' ? ['TLSOptions UseImplicitSSL'] : []),
        ]),
  ]);
  return [program, '--nodaemon', '--config', config];
}

function preparePureFtpd({
  options,
  port,
  user,
  password,
  runFolder,
  certificate,
}: ServerStart): readonly [string, ...string[]] {
  if (options.tls === 'implicit') throw new Error('Pure-FTPd has no implicit TLS');
  const { uid, gid } = SESSION_USER;
  const passwd = write(runFolder, 'passwd', [
    `${user}:${hashPassword(password)}:${uid}:${gid}::${options.root}/./::::::::::::`,
  ]);
  const database = join(runFolder, 'passwd.pdb');
  execFileSync(programOf('pure-ftpd', 'pure-pw'), ['mkdb', database, '-f', passwd], { env: serverEnvironment() });
  const perIp = options.maxClientsPerIp ?? CLIENTS_PER_IP_DEFAULT;
  return [
    programOf('pure-ftpd', 'pure-ftpd'),
    ...['--bind', `127.0.0.1,${port}`, '--login', `puredb:${database}`, '--pidfile', join(runFolder, 'pid')],
    ...['--noanonymous', '--chrooteveryone', '--dontresolve', '--displaydotfiles', '--syslogfacility', 'none'],
    ...['--minuid', '500', '--maxclientsnumber', '300', '--maxclientsperip', String(perIp)],
    ...['--limitrecursion', `${options.listingEntriesMax ?? 1_000_000}:100`],
    ...(certificate === undefined
      ? ['--tls', '0']
      : ['--tls', '3', '--certfile', `${certificate.certFile},${certificate.keyFile}`]),
  ];
}

function programOf(software: ServerSoftware, program: string): string {
  const found = findServerProgram(software, program);
  if (found === undefined) throw new Error(`${program} is missing: run test/support/install-servers.sh`);
  return found;
}

function hashPassword(password: string): string {
  return execFileSync('openssl', ['passwd', '-6', '-stdin'], { input: password, encoding: 'utf8' }).trim();
}

function write(folder: string, name: string, lines: readonly string[]): string {
  const file = join(folder, name);
  writeFileSync(file, `${lines.join('\n')}\n`, { mode: 0o600 });
  return file;
}
