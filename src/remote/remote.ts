import type { Writable } from 'node:stream';

declare const remoteNameBrand: unique symbol;
declare const remotePathBrand: unique symbol;

/**
 * One name as the server sent it: its bytes, held as latin1 text (one character a byte). Never empty, never `.` or
 * `..`, without `/`, NUL, CR or LF.
 */
export type RemoteName = string & { readonly [remoteNameBrand]: true };

/**
 * A path below the folder that the task backs up: `/` is that folder, `/a/b` an object in it. Never ends in `/` but for
 * the root. Only the adapter knows where on the server the folder lies.
 */
export type RemotePath = string & { readonly [remotePathBrand]: true };

export const REMOTE_ROOT = '/' as RemotePath;

/** The longest path that is followed, in bytes; longer ones are reported, not fetched (Linux PATH_MAX). */
export const REMOTE_PATH_BYTES_MAX = 4096;

/** Why a name from a server cannot be used, or undefined where it can. */
export function remoteNameFault(text: string): string | undefined {
  if (text === '') return 'empty name';
  if (text === '.' || text === '..') return 'a name for another folder';
  if (/[/\0\r\n]/.test(text)) return 'a character that no file name may hold';
  if (text.length > 255) return 'longer than 255 bytes';
  return undefined;
}

/** `text` as a RemoteName, or undefined where remoteNameFault finds fault with it. */
export function asRemoteName(text: string): RemoteName | undefined {
  return remoteNameFault(text) === undefined ? (text as RemoteName) : undefined;
}

export function joinRemote(folder: RemotePath, name: RemoteName): RemotePath {
  return (folder === REMOTE_ROOT ? `/${name}` : `${folder}/${name}`) as RemotePath;
}

/** How exactly a server tells a file's time. `none`: it told no time that can be read. */
export type TimePrecision = 'second' | 'minute' | 'day' | 'none';

/** When a file was last modified, as one server tells it. */
export interface RemoteTime {
  /** The text as received: compared for equality with what the same server said earlier, never ordered. */
  readonly raw: string;
  /** The same as milliseconds since 1970, read as UTC; undefined where the text cannot be read. */
  readonly ms: number | undefined;
  readonly precision: TimePrecision;
}

export type RemoteEntryType = 'file' | 'folder' | 'link' | 'other';

/** One line of a listing. */
export interface RemoteEntry {
  readonly name: RemoteName;
  readonly type: RemoteEntryType;
  /** Bytes; 0 for anything but a file. */
  readonly sizeBytes: number;
  readonly modified: RemoteTime | undefined;
  /** The server's identity for the object (MLSD `unique`: device and inode), where it gives one. */
  readonly unique: string | undefined;
  /** Permission bits as octal text, `0644`, where the server tells them. */
  readonly mode: string | undefined;
  /** Where a link leads, as received. */
  readonly linkTarget: string | undefined;
}

export type IncompleteReason =
  | 'listing-truncated'
  | 'listing-unparsed'
  | 'listing-suspiciously-empty'
  /** Only of a folder that can be entered, and only for `thorough`: otherwise it is thrown. */
  | 'listing-refused';

/** What became of one folder's listing. The entries themselves went to the caller's `onEntries`. */
export interface FolderListing {
  /** Entries handed over, `.` and `..` not counted. */
  readonly entryCount: number;
  /** Of these, how many no listing of the whole folder showed at first: they were found by other means. */
  readonly gathered?: number;
  /** undefined: the folder was seen whole. Otherwise nothing may be concluded from what is absent. */
  readonly incomplete: { readonly reason: IncompleteReason; readonly detail: string } | undefined;
  /** Lines that could not become an entry, at most REJECTED_SAMPLES_MAX of them, as received. */
  readonly rejected: readonly { readonly line: string; readonly why: string }[];
  /** The closing reply of the server, as received. */
  readonly reply: string;
}

/** How many unusable lines of one listing are kept for the report; all of them are counted in `detail`. */
export const REJECTED_SAMPLES_MAX = 20;

/** What a server says of one file when asked directly. Each field is undefined where the server does not tell. */
export interface RemoteStat {
  readonly sizeBytes: number | undefined;
  readonly modified: RemoteTime | undefined;
  readonly unique: string | undefined;
}

/** Hashes that a server may tell and that can be made here, too. */
export type HashAlgorithm = 'md5' | 'sha1' | 'sha256' | 'sha512';

/** What a server says that the content of one whole file hashes to. `hex` in lower case. */
export interface RemoteHash {
  readonly algorithm: HashAlgorithm;
  readonly hex: string;
}

/** What was found out about a server by trying, not by believing its feature list. */
export interface RemoteCapabilities {
  /** For people: `MLSD`, `LIST -a`, `LIST`. */
  readonly listing: string;
  /** The precision of the times in listings. */
  readonly timePrecision: TimePrecision;
  /** True where a file can be asked for directly (MLST, or MDTM and SIZE). */
  readonly hasStat: boolean;
  /** True where a transfer can start in the middle of a file. Only the bytes prove it: see transfer.ts. */
  readonly hasRestart: boolean;
  /** Whether names that begin with a dot are shown. */
  readonly showsHidden: 'yes' | 'no' | 'unknown';
  /** False for plain FTP: password and files cross the network readable by anyone on the way. */
  readonly isEncrypted: boolean;
  /** Hashes of files that the server says it can tell; undefined: none. Only an answer to `hash` proves it. */
  readonly hash?: HashAlgorithm | undefined;
  /** Feature lines as the server sent them, for people. */
  readonly features: readonly string[];
}

/**
 * One connection. Calls are made one after the other. After an error of scope `session` or `run` the session is dead:
 * close it and open another. After one of scope `file` or `folder` it can go on.
 */
export interface RemoteSession {
  readonly capabilities: RemoteCapabilities;
  /**
   * What the server shows of itself, by name (`greeting`, `certificate`): stays the same, but for renewals and upgrades,
   * as long as it is the same server. What is different at each connection, such as a time, is left out.
   */
  readonly identity: Readonly<Record<string, string>>;

  /**
   * Lists `folder`, and hands its entries over in batches of at most LISTING_BATCH, in the order received, before it
   * resolves. Throws `listing-refused` where the server will not show the folder, `listing-aborted` where the listing
   * broke off; what was handed over before a throw must be forgotten. `thorough`: of a folder whose listing was cut
   * short, other listings are asked for what it hides, and one that can be entered and not listed is one of which nothing
   * was shown; that leaves both incomplete.
   */
  list(
    folder: RemotePath,
    onEntries: (entries: readonly RemoteEntry[]) => void,
    effort?: 'once' | 'thorough',
  ): Promise<FolderListing>;

  /** Asks for one file. undefined: the server cannot tell, or says no; FTP's 550 does not say which. */
  stat(path: RemotePath): Promise<RemoteStat | undefined>;

  /**
   * Whether the server says for good that it has no such file, or no folder there to be entered. False where there is
   * one. Throws where its answer leaves that open: trouble that may pass, a refusal for rights, a command unknown here.
   */
  isGone(path: RemotePath, kind: 'file' | 'folder'): Promise<boolean>;

  /**
   * Writes the bytes of a file from `startAt` on into `sink` and resolves once the server has confirmed the end, with
   * the number of bytes written. It neither knows nor checks the file's size: that is the caller's. `sink` is ended on
   * success and destroyed on error. Throws `file-refused`, `transfer-aborted`, or a `session` error.
   */
  download(path: RemotePath, sink: Writable, startAt: number): Promise<number>;

  /** Asks the server to hash one whole file. undefined: it cannot, or says no. Its word is not proof of a difference. */
  hash?(path: RemotePath): Promise<RemoteHash | undefined>;

  /** Ends the connection at once; calls under way reject. Never throws. */
  close(): void;
}

/** How many entries a listing hands over at a time: it bounds memory, whatever the folder's size. */
export const LISTING_BATCH = 1000;

/** A configured server. */
export interface RemoteSource {
  /** For people: `ftps://user@host:21/folder`. Without password. */
  readonly label: string;
  /** The key under which connection limits are remembered: protocol, host, port and account. */
  readonly hostKey: string;
  /**
   * Opens one connection, logs in and makes it ready. The first one also finds out the capabilities.
   * Throws an error of scope `run`, or `server-busy`, `timed-out`, `connection-lost`.
   */
  open(signal: AbortSignal): Promise<RemoteSession>;
}
