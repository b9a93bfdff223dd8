import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Request } from 'express';
import { formOf } from '../form.ts';

const TOKEN_BYTES = 32;

export function newToken(): string {
  return randomBytes(TOKEN_BYTES).toString('base64url');
}

const TOKEN = /^[\w-]{43}$/;

export function isToken(value: string | undefined): value is string {
  return value !== undefined && TOKEN.test(value);
}

/** Compares in the same time whatever the difference. */
export function isSameToken(a: string, b: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
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
