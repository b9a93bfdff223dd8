import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Request } from 'express';
import { formOf } from '../form.ts';

const TOKEN_BYTES = 32;

/** One that nobody guesses, as letters that may stand in a cookie or a form. */
export function newToken(): string {
  return randomBytes(TOKEN_BYTES).toString('base64url');
}

const TOKEN = /^[\w-]{43}$/;

/** Whether it looks like one of `newToken`. */
export function isToken(value: string | undefined): value is string {
  return value !== undefined && TOKEN.test(value);
}

/** SHA-256: all that is kept of the token of a session. */
export function tokenHash(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}

/** Compares in the same time whatever the difference. */
export function isSameToken(a: string, b: string): boolean {
  return timingSafeEqual(tokenHash(a), tokenHash(b));
}

/**
 * True where the request changes nothing, or comes from a form of this session: it holds the token, in the field `_csrf`
 * or (scripts) in the header `X-CSRF-Token`, and the browser does not say that another site sent it.
 */
export function isOwnForm(req: Request, csrfToken: string): boolean {
  if (['GET', 'HEAD', 'OPTIONS'].includes(req.method)) return true;
  // Sent by browsers over HTTPS only; another port of this host is `same-site`, and not ours.
  const sender = req.get('Sec-Fetch-Site');
  if (sender !== undefined && sender !== 'same-origin' && sender !== 'none') return false;
  return isSameToken(req.get('X-CSRF-Token') ?? formOf(req).text('_csrf'), csrfToken);
}
