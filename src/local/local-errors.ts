import { constants } from 'node:os';
import { BackupError } from '../errors.ts';
import type { ErrorCode } from '../errors.ts';

/** Errors of the system that this many names stand for; Node itself does not know all of them (EDQUOT, ESTALE). */
const NAME_BY_ERRNO = new Map(Object.entries(constants.errno).map(([name, errno]) => [errno, name]));

const CODE_BY_NAME: Readonly<Record<string, ErrorCode>> = {
  ENOSPC: 'disk-full',
  EDQUOT: 'disk-full',
  EROFS: 'target-read-only',
  ENAMETOOLONG: 'name-unusable',
  EILSEQ: 'name-unusable',
};

/** These say that our own code is wrong, whatever the disk does. */
const PROGRAM_FAULTS = new Set(['EBADF', 'EFAULT']);

/** These can mean that the volume below a path is gone. */
const GONE = new Set(['ENOENT', 'ENOTDIR', 'ESTALE', 'ENODEV', 'ENXIO', 'ENOTCONN']);

const FORBIDDEN = new Set(['EACCES', 'EPERM']);

/** The system's name for a failed call, such as `ENOSPC`; undefined for anything that is not a failed system call. */
export function errnoName(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('errno' in error) || typeof error.errno !== 'number') return undefined;
  return NAME_BY_ERRNO.get(Math.abs(error.errno));
}

/** True where the error may come from a volume that is no longer there. */
export function meansGone(error: unknown): boolean {
  return GONE.has(errnoName(error) ?? '');
}

/**
 * A failed disk call as a BackupError: `path` is what it was about, `isRoot` that this is the target itself and not one
 * file in it. Errors of our own making and BackupErrors come back as they are.
 */
export function localError(error: unknown, path: string, isRoot = false): Error {
  const name = errnoName(error);
  if (name === undefined || PROGRAM_FAULTS.has(name)) return error instanceof Error ? error : new Error(String(error));
  return new BackupError(codeFor(name, isRoot), { cause: error, facts: { path }, detail: name });
}

function codeFor(name: string, isRoot: boolean): ErrorCode {
  if (isRoot && FORBIDDEN.has(name)) return 'target-read-only';
  if (isRoot && GONE.has(name)) return 'target-missing';
  return CODE_BY_NAME[name] ?? 'target-unwritable';
}
