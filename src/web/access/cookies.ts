import { parseCookie, stringifySetCookie } from 'cookie';
import type { Request, Response } from 'express';
import { pageOf } from '../page-context.ts';

/** Named after the product: cookies do not know ports, and DSM has its own under the same host name. */
export const COOKIES = {
  session: 'sitebackup_session',
  /** What forms before the sign-in send back. */
  form: 'sitebackup_form',
  language: 'sitebackup_language',
  theme: 'sitebackup_theme',
} as const;

const COOKIE_BYTES_MAX = 16 * 1024;

/**
 * Over HTTPS our cookies have names of their own: a browser that holds a secure one refuses a plain one of the same name
 * (RFC 6265bis §5.7), and nobody could sign in over HTTP any more; nor can a plain one be slipped in.
 */
function nameOn(req: Request, name: string): string {
  return req.secure && OWN_NAMES.has(name) ? `__Secure-${name}` : name;
}

const OWN_NAMES: ReadonlySet<string> = new Set(Object.values(COOKIES));

export function readCookie(req: Request, name: string): string | undefined {
  const header = req.headers.cookie;
  return header === undefined || header.length > COOKIE_BYTES_MAX ? undefined : parseCookie(header)[nameOn(req, name)];
}

/**
 * Sets a cookie of this product that no script can read. Lax, not Strict: a link in a mail about a failed run must open
 * the run and not the sign-in. No GET changes anything, and every POST has its token. Without `maxAgeSeconds` it ends
 * with the browser.
 */
export function setCookie(
  req: Request,
  res: Response,
  name: string,
  value: string,
  maxAgeSeconds?: number,
  sameSite: 'lax' | 'strict' = 'lax',
): void {
  const cookie = stringifySetCookie({
    name: nameOn(req, name),
    value,
    path: pageOf(res).basePath,
    httpOnly: true,
    sameSite,
    secure: req.secure,
    ...(maxAgeSeconds === undefined ? {} : { maxAge: maxAgeSeconds }),
  });
  res.append('Set-Cookie', cookie);
}

export function removeCookie(req: Request, res: Response, name: string): void {
  setCookie(req, res, name, '', 0);
}
