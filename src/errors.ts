/** How far an expected error reaches: one file, one folder's listing, one connection, the whole run, or the program. */
export type ErrorScope = 'file' | 'folder' | 'session' | 'run' | 'app';

interface ErrorRow {
  readonly scope: ErrorScope;
  /** True where trying the same thing again, after a pause, can succeed. */
  readonly isRetried: boolean;
}

/**
 * The one table of expected errors. A code is also a text key: every code has `error.<code>` (the cause) and
 * `error.<code>.do` (the next step) in each language, and a test holds the two lists together.
 */
export const ERROR_TABLE = {
  'permission-denied': { scope: 'file', isRetried: false },
  'file-refused': { scope: 'file', isRetried: false },
  'file-vanished': { scope: 'file', isRetried: false },
  'changed-meanwhile': { scope: 'file', isRetried: true },
  'size-mismatch': { scope: 'file', isRetried: true },
  'transfer-aborted': { scope: 'file', isRetried: true },
  'name-unusable': { scope: 'file', isRetried: false },
  'target-unwritable': { scope: 'file', isRetried: false },
  'content-differs': { scope: 'file', isRetried: false },
  'copy-damaged': { scope: 'file', isRetried: false },
  'copy-missing': { scope: 'file', isRetried: false },
  'copy-unreadable': { scope: 'file', isRetried: false },
  'version-unreadable': { scope: 'file', isRetried: false },

  'listing-refused': { scope: 'folder', isRetried: false },
  'listing-aborted': { scope: 'folder', isRetried: true },
  'listing-truncated': { scope: 'folder', isRetried: false },
  'listing-unparsed': { scope: 'folder', isRetried: false },
  'listing-suspiciously-empty': { scope: 'folder', isRetried: false },
  'folder-loop': { scope: 'folder', isRetried: false },
  'folder-too-deep': { scope: 'folder', isRetried: false },

  'connection-lost': { scope: 'session', isRetried: true },
  'timed-out': { scope: 'session', isRetried: true },
  'server-busy': { scope: 'session', isRetried: true },

  'connection-refused': { scope: 'run', isRetried: true },
  'host-unknown': { scope: 'run', isRetried: false },
  'login-rejected': { scope: 'run', isRetried: false },
  'tls-refused': { scope: 'run', isRetried: false },
  'certificate-untrusted': { scope: 'run', isRetried: false },
  'certificate-changed': { scope: 'run', isRetried: false },
  'protocol-unusable': { scope: 'run', isRetried: false },
  'remote-folder-missing': { scope: 'run', isRetried: false },
  'disk-full': { scope: 'run', isRetried: false },
  'target-missing': { scope: 'run', isRetried: false },
  'target-read-only': { scope: 'run', isRetried: false },
  'target-taken': { scope: 'run', isRetried: false },
  'nothing-to-adopt': { scope: 'run', isRetried: false },
  'folder-in-use': { scope: 'run', isRetried: false },
  'task-has-backup': { scope: 'run', isRetried: false },
  'already-running': { scope: 'run', isRetried: false },
  'guard-held': { scope: 'run', isRetried: false },
  cancelled: { scope: 'run', isRetried: false },

  'settings-invalid': { scope: 'app', isRetried: false },
  'port-taken': { scope: 'app', isRetried: false },
  'address-unusable': { scope: 'app', isRetried: false },
  'state-unreadable': { scope: 'app', isRetried: false },
  'state-newer-than-program': { scope: 'app', isRetried: false },
  'node-unsupported': { scope: 'app', isRetried: false },
  internal: { scope: 'app', isRetried: false },
} as const satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof ERROR_TABLE;

/** A code as it was written down, perhaps by another version: what this one does not know is an internal error. */
export function asErrorCode(code: string): ErrorCode {
  return Object.hasOwn(ERROR_TABLE, code) ? (code as ErrorCode) : 'internal';
}

/** Values that the texts of a code may name, such as host, port or path. Never a secret. */
export type ErrorFacts = Readonly<Record<string, string | number>>;

/**
 * An error that the product expects and can explain. `detail` is the raw word of the server or of the system, for
 * people who want it; nobody but the adapter that made it reads meaning from it.
 */
export class BackupError extends Error {
  override readonly name = 'BackupError';
  readonly code: ErrorCode;
  readonly facts: ErrorFacts;
  readonly detail: string | undefined;

  constructor(code: ErrorCode, options: { cause?: unknown; facts?: ErrorFacts; detail?: string } = {}) {
    super(options.detail === undefined ? code : `${code}: ${options.detail}`, { cause: options.cause });
    this.code = code;
    this.facts = options.facts ?? {};
    this.detail = options.detail;
  }

  get scope(): ErrorScope {
    return ERROR_TABLE[this.code].scope;
  }

  get isRetried(): boolean {
    return ERROR_TABLE[this.code].isRetried;
  }
}

/** True where `error` is a BackupError, with that code if one is given. */
export function isBackupError(error: unknown, code?: ErrorCode): error is BackupError {
  return error instanceof BackupError && (code === undefined || error.code === code);
}

/** Things worth knowing about a run that are no failure. Each has a text `notice.<code>`; a test holds them together. */
export const NOTICE_CODES = [
  'run-resumed',
  'index-out-of-step',
  'folder-alias',
  'link-not-followed',
  'special-not-copied',
  'hidden-names-unseen',
  'hidden-found',
  'connection-not-encrypted',
  'connections-reduced',
  'file-gone',
  'file-emptied',
  'guard-tripped',
  'guard-accepted',
  'clock-shifted',
  'clock-shift-refuted',
  'version-pruned',
  'version-deleted',
  'content-deleted',
  'prune-failed',
  'verify-broken-off',
] as const;

export type NoticeCode = (typeof NOTICE_CODES)[number];
