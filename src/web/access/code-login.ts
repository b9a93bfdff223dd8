import type { Request, Response } from 'express';
import type { Clock } from '../../clock.ts';
import { COOKIES, readCookie, removeCookie, setCookie } from './cookies.ts';
import { isToken, newToken, tokenHash } from './csrf.ts';
import { ADDRESS_RULE, RateLimit, addressKey } from './rate-limit.ts';
import type { SetupCode } from './setup-code.ts';
import type { SessionFacts, SignIn, SignedIn } from './sign-in.ts';

/** As long as the repair may take; there is nothing behind it but that. */
const SESSION_MS = 60 * 60_000;

/**
 * Lets one browser in by the one-time code that the service prints: for as long as the accounts cannot be read. The code
 * shows what a password would: that this is somebody who may start the service.
 */
export class CodeLogin implements SignIn {
  readonly #code: SetupCode;
  readonly #clock: Clock;
  readonly #byAddress: RateLimit;
  #session: { readonly hash: Buffer; readonly csrfToken: string; readonly endMs: number } | undefined;

  constructor(code: SetupCode, clock: Clock) {
    this.#code = code;
    this.#clock = clock;
    this.#byAddress = new RateLimit(ADDRESS_RULE, () => clock.steadyMs());
  }

  entryPath(): string {
    return '/login';
  }

  identify(req: Request): Promise<SignedIn | undefined> {
    const token = readCookie(req, COOKIES.session);
    const hash = isToken(token) ? tokenHash(token) : undefined;
    const session = hash !== undefined && this.#isLiving(hash) ? this.#session : undefined;
    return Promise.resolve(
      session === undefined ? undefined : { account: '', csrfToken: session.csrfToken, sessionHash: session.hash },
    );
  }

  isValid(signedIn: SignedIn): boolean {
    return signedIn.sessionHash !== undefined && this.#isLiving(signedIn.sessionHash);
  }

  /** How long the browser has to wait after wrong ones; 0 where `code` was looked at. */
  enter(req: Request, res: Response, code: string): { readonly isIn: boolean; readonly waitMs: number } {
    const address = addressKey(req.ip ?? '');
    const waitMs = this.#byAddress.begin(address);
    if (waitMs > 0) return { isIn: false, waitMs };
    if (!this.#code.spend(code)) return { isIn: false, waitMs: 0 };
    const token = newToken();
    this.#session = {
      hash: tokenHash(token),
      csrfToken: newToken(),
      endMs: this.#clock.steadyMs() + SESSION_MS,
    };
    setCookie(req, res, COOKIES.session, token, undefined, 'strict');
    removeCookie(req, res, COOKIES.form);
    return { isIn: true, waitMs: 0 };
  }

  leave(req: Request, res: Response): void {
    this.#session = undefined;
    removeCookie(req, res, COOKIES.session);
  }

  sessions(): readonly SessionFacts[] {
    return [];
  }

  #isLiving(hash: Buffer): boolean {
    const session = this.#session;
    return session !== undefined && session.hash.equals(hash) && this.#clock.steadyMs() < session.endMs;
  }
}
