import type { Response } from 'express';
import { pageOf } from './page-context.ts';

/** The answer to a form that was accepted: the browser gets `path` (below the base path), and reload repeats nothing. */
export function redirect(res: Response, path: string): void {
  res.redirect(303, pageOf(res).url(path));
}

const PATH_LENGTH_MAX = 2000;

/**
 * `value` where it is a path of this product below the base path, else `/`. What a browser would take for another host
 * (`//host`, `/\host`, control characters that it leaves out) is none.
 */
export function ownPath(value: unknown): string {
  if (typeof value !== 'string' || value.length > PATH_LENGTH_MAX) return '/';
  return /^\/(?![/\\])[^\\\p{Cc}]*$/u.test(value) ? value : '/';
}
