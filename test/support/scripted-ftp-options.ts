import type { ListingLimit } from './scripted-ftp-limits.ts';
import type { TestCertificate } from './self-signed-certificate.ts';

/**
 * The personality of a scripted server. May be changed while it runs, but for `tls`, `tlsVersionMax` and
 * `certificate`.
 */
export interface ScriptedServerOptions {
  hasMlsd: boolean;
  hasMlst: boolean;
  hasMdtm: boolean;
  hasSize: boolean;
  hasEpsv: boolean;
  hasPasv: boolean;
  hasRest: boolean;
  hasFeat: boolean;
  /** FEAT names MFMT, as most servers do: by it some clients judge whether times can be trusted. It is never granted. */
  hasMfmt: boolean;
  /** Commands that tell the hash of a file, and whether they tell the truth. */
  hashes: readonly ('HASH' | 'XSHA256' | 'XMD5')[];
  hashesLie: boolean;
  /** The lines of FEAT without their leading space, instead of the true ones. */
  features: readonly string[] | undefined;

  /** `unix-fr`: `févr. 21 00:43`; `unix-fr-day-first`: `21 févr. 00:43`; `unix-iso`: `2026-02-21 00:43`. */
  listStyle: 'unix' | 'unix-fr' | 'unix-fr-day-first' | 'unix-iso' | 'dos';
  /** What becomes of `-a` in `LIST -a`: an option, the name of a file to list, or nothing. */
  listOptions: 'honoured' | 'as-name' | 'ignored';
  /** Names that begin with a dot in LIST and NLST. */
  showsHidden: 'always' | 'with-a' | 'never';
  /** The same in MLSD; undefined: yes, unless `showsHidden` is `never`. */
  mlsdShowsHidden: boolean | undefined;
  /** LIST begins with `total N`. */
  showsTotal: boolean;
  /** MLSD shows the `unique` fact. */
  uniqueFacts: boolean;
  /** Listings end by `226 N matches total`, as of Pure-FTPd, instead of `226 Directory send OK.` */
  matchesText: boolean;
  /** Listings are cut; patterns of names are known then, too. */
  listingLimit: ListingLimit | undefined;
  /** LIST of a missing or unreadable folder: an empty success (vsftpd, Pure-FTPd) or a 450 (ProFTPD). */
  missingListing: 'empty' | 'refused';
  /** Added to the times of LIST, as servers do that show their local time. */
  listUtcOffsetMinutes: number;
  /** Today for LIST, which tells hours only of the last six months. undefined: the real time. */
  nowMs: number | undefined;

  tls: 'none' | 'explicit' | 'implicit';
  /** No log-in and no data connection without TLS. */
  tlsRequired: boolean;
  /** 522 for a data connection that does not go on with the control connection's TLS session. */
  requireTlsSessionReuse: boolean;
  tlsVersionMax: 'TLSv1.2' | 'TLSv1.3';
  /** Made at the start where it is needed and not given. */
  certificate: TestCertificate | undefined;

  /** Passwords by user; undefined: any password. */
  users: Readonly<Record<string, string | undefined>>;
  greeting: string;
  welcome: string;
  /** The folder after log-in. */
  home: string;
  /** Open connections allowed; one more gets `maxConnectionsReply`, at the greeting or after its password. */
  maxConnections: number;
  maxConnectionsReply: string;
  maxConnectionsAt: 'greeting' | 'login';
  /** The address of this machine that it listens on, for control and data. */
  listensOn: string;
  /** The address in the answer to PASV, which may be a lie. */
  pasvHost: string;
  /** Wait before every reply. */
  delayMs: number;
  /** A connection without a command for so long gets a 421. undefined: never. */
  idleTimeoutMs: number | undefined;
  /** false: commands are only counted, for servers with very many files. */
  keepsLog: boolean;
}

export const SCRIPTED_USER = 'site';
export const SCRIPTED_PASSWORD = 'correct horse';

export const DEFAULT_OPTIONS: ScriptedServerOptions = {
  hasMlsd: true,
  hasMlst: true,
  hasMdtm: true,
  hasSize: true,
  hasEpsv: true,
  hasPasv: true,
  hasRest: true,
  hasFeat: true,
  hasMfmt: false,
  hashes: [],
  hashesLie: false,
  features: undefined,
  listStyle: 'unix',
  listOptions: 'honoured',
  showsHidden: 'with-a',
  mlsdShowsHidden: undefined,
  showsTotal: false,
  uniqueFacts: true,
  matchesText: false,
  listingLimit: undefined,
  missingListing: 'empty',
  listUtcOffsetMinutes: 0,
  nowMs: undefined,
  tls: 'none',
  tlsRequired: false,
  requireTlsSessionReuse: false,
  tlsVersionMax: 'TLSv1.3',
  certificate: undefined,
  users: { [SCRIPTED_USER]: SCRIPTED_PASSWORD },
  greeting: '220 Scripted FTP server ready.',
  welcome: '230 Login successful.',
  home: '/',
  maxConnections: Infinity,
  maxConnectionsReply: '421 Too many connections from this IP address.',
  maxConnectionsAt: 'greeting',
  listensOn: '127.0.0.1',
  pasvHost: '127.0.0.1',
  delayMs: 0,
  idleTimeoutMs: undefined,
  keepsLog: true,
};
