import type { Request, Response } from 'express';
import type { AccountStore, StoredSession } from '../../state/account-store.ts';
import type { Services } from '../services.ts';
import { COOKIES, readCookie, removeCookie, setCookie } from './cookies.ts';
import { isToken, newToken, tokenHash } from './csrf.ts';
import { hashPassword, verifyPassword } from './password-hash.ts';
import { ACCOUNT_RULE, ADDRESS_RULE, RateLimit, addressKey } from './rate-limit.ts';
import type { SetupCode } from './setup-code.ts';
import type { SessionFacts, SignIn, SignedIn } from './sign-in.ts';

/** A session ends after this, however much it is used. */
export const SESSION_MS_MAX = 7 * 24 * 60 * 60_000;
/** Of locked-out addresses one is noted on Activity in this time: whoever tries from thousands cannot flood it. */
const BLOCKED_NOTE_STEP_MS = 10 * 60_000;
/** Use is written down at most this often. */
const SEEN_STEP_MS = 30_000;
const BROWSER_LENGTH_MAX = 200;
export const ACCOUNT_NAME_LENGTH_MAX = 64;

/** What came of an attempt to enter. */
export type Entry =
  { readonly kind: 'in' } | { readonly kind: 'wrong' } | { readonly kind: 'wait'; readonly waitMs: number };

/** Accounts with a password of their own, and the sessions of those who entered with it. */
export class PasswordLogin implements SignIn {
  readonly #services: Services;
  readonly #accounts: AccountStore;
  readonly #setupCode: SetupCode | undefined;
  readonly #byAddress: RateLimit;
  readonly #byAccount: RateLimit;
  #blockedNoteMs = -Infinity;

  constructor(services: Services, setupCode: SetupCode | undefined) {
    this.#services = services;
    this.#accounts = services.accounts;
    this.#setupCode = setupCode;
    const steadyMs = (): number => services.clock.steadyMs();
    this.#byAddress = new RateLimit(ADDRESS_RULE, steadyMs);
    this.#byAccount = new RateLimit(ACCOUNT_RULE, steadyMs);
  }

  entryPath(): string {
    return this.#accounts.hasAccount() ? '/login' : '/setup';
  }

  identify(req: Request, isUse: boolean): Promise<SignedIn | undefined> {
    const token = readCookie(req, COOKIES.session);
    const session = isToken(token) ? this.#living(tokenHash(token)) : undefined;
    if (session === undefined) return Promise.resolve(undefined);
    const nowMs = this.#services.clock.nowMs();
    if (isUse && nowMs - session.seenMs >= SEEN_STEP_MS) this.#setSeen(session.tokenHash, nowMs);
    const { account, csrfToken } = session;
    return Promise.resolve({ account, csrfToken, sessionHash: session.tokenHash });
  }

  isValid(signedIn: SignedIn): boolean {
    return signedIn.sessionHash !== undefined && this.#living(signedIn.sessionHash) !== undefined;
  }

  /** Signs in. `wrong` tells not whether the name or the password was. Throws PasswordQueueFull. */
  async enter(req: Request, res: Response, name: string, password: string): Promise<Entry> {
    const address = addressKey(req.ip ?? '');
    const account = this.#accounts.find(name);
    const accountKey = (account?.name ?? name).toLowerCase();
    const isKnown = account !== undefined && this.#accounts.isKnownAddress(account.name, req.ip ?? '');
    // Who has entered from here before is not shut out by what strangers try elsewhere.
    const waitMs = Math.max(this.#byAddress.waitMs(address), isKnown ? 0 : this.#byAccount.waitMs(accountKey));
    if (waitMs > 0) return { kind: 'wait', waitMs };
    this.#byAddress.begin(address);
    if (!isKnown) this.#byAccount.begin(accountKey);
    if (!(await verifyPassword(password, account?.passwordHash)) || account === undefined) {
      // What was typed as the name may be the password: it is not written down.
      this.#services.log.warn('sign-in-refused', { address: req.ip });
      return this.#afterFailure(address, account?.name);
    }
    this.#byAddress.succeed(address);
    this.#byAccount.succeed(accountKey);
    this.#begin(req, res, account.name);
    this.#note(account.name, 'sign-in', req.ip);
    return { kind: 'in' };
  }

  /** Whether the first set-up still has a code that can be entered. */
  get canSetUp(): boolean {
    return this.#setupCode?.isOver === false && !this.#accounts.hasAccount();
  }

  /** Makes the first account and signs it in. `wrong`: the code is not right, or is over. Throws PasswordQueueFull. */
  async setUp(req: Request, res: Response, entered: { code: string; name: string; password: string }): Promise<Entry> {
    const address = addressKey(req.ip ?? '');
    const waitMs = this.#byAddress.begin(address);
    if (waitMs > 0) return { kind: 'wait', waitMs };
    if (this.#setupCode?.spend(entered.code) !== true) {
      this.#services.log.warn('set-up-refused', { address: req.ip });
      return this.#afterFailure(address, undefined);
    }
    this.#byAddress.succeed(address);
    const hash = await hashPassword(entered.password);
    if (!this.#accounts.addFirst(entered.name, hash, this.#services.clock.nowMs())) return { kind: 'wrong' };
    this.#begin(req, res, entered.name);
    this.#note(entered.name, 'set-up', req.ip);
    return { kind: 'in' };
  }

  /** Whether `password` is that of the account; a wrong one counts as a failed sign-in. Throws PasswordQueueFull. */
  async confirm(req: Request, name: string, password: string): Promise<Entry> {
    const address = addressKey(req.ip ?? '');
    const waitMs = this.#byAddress.begin(address);
    if (waitMs > 0) return { kind: 'wait', waitMs };
    if (!(await verifyPassword(password, this.#accounts.find(name)?.passwordHash))) return { kind: 'wrong' };
    this.#byAddress.succeed(address);
    return { kind: 'in' };
  }

  /** Gives the account another password and ends all its sessions but this one. Throws PasswordQueueFull. */
  async changePassword(
    signedIn: { account: string; sessionHash: Buffer | undefined },
    password: string,
  ): Promise<void> {
    const hash = await hashPassword(password);
    this.#accounts.setPasswordHash(signedIn.account, hash, this.#services.clock.nowMs());
    this.#accounts.removeSessions(signedIn.account, signedIn.sessionHash);
    this.#note(signedIn.account, 'password-changed', undefined);
  }

  sessions(account: string): readonly SessionFacts[] {
    return this.#accounts.sessions(account);
  }

  leave(
    req: Request,
    res: Response,
    signedIn: { account: string; sessionHash: Buffer | undefined },
    isEverywhere: boolean,
  ): void {
    if (isEverywhere) this.#accounts.removeSessions(signedIn.account);
    else if (signedIn.sessionHash !== undefined) this.#accounts.removeSession(signedIn.sessionHash);
    removeCookie(req, res, COOKIES.session);
    this.#note(signedIn.account, isEverywhere ? 'sign-out-everywhere' : 'sign-out', req.ip);
  }

  /** The token is a new one each time: one that was put into the browser before (session fixation) opens nothing. */
  #begin(req: Request, res: Response, account: string): void {
    const nowMs = this.#services.clock.nowMs();
    const before = readCookie(req, COOKIES.session);
    if (isToken(before)) this.#accounts.removeSession(tokenHash(before));
    this.#accounts.removeSessionsBefore(nowMs - SESSION_MS_MAX, nowMs - SESSION_MS_MAX);
    const token = newToken();
    this.#accounts.addSession({
      tokenHash: tokenHash(token),
      account,
      csrfToken: newToken(),
      address: req.ip ?? '',
      browser: (req.get('User-Agent') ?? '').slice(0, BROWSER_LENGTH_MAX),
      createdMs: nowMs,
      seenMs: nowMs,
    });
    setCookie(req, res, COOKIES.session, token);
    removeCookie(req, res, COOKIES.form);
  }

  /** On a full disk the pages are needed most: at worst this session ends sooner. */
  #setSeen(hash: Buffer, nowMs: number): void {
    try {
      this.#accounts.setSeen(hash, nowMs);
    } catch (error) {
      this.#services.log.warn('use-not-recorded', { error });
    }
  }

  #living(hash: Buffer): StoredSession | undefined {
    const session = this.#accounts.session(hash);
    if (session === undefined) return undefined;
    const nowMs = this.#services.clock.nowMs();
    const idleMsMax = this.#services.settings.read().idleMinutes * 60_000;
    const isOver = nowMs - session.seenMs >= idleMsMax || nowMs - session.createdMs >= SESSION_MS_MAX;
    return isOver ? undefined : session;
  }

  #afterFailure(address: string, account: string | undefined): Entry {
    const waitMs = this.#byAddress.waitMs(address);
    if (waitMs === 0) return { kind: 'wrong' };
    const nowMs = this.#services.clock.steadyMs();
    if (nowMs - this.#blockedNoteMs >= BLOCKED_NOTE_STEP_MS) {
      this.#blockedNoteMs = nowMs;
      this.#note(account, 'sign-in-blocked', address);
    }
    return { kind: 'wait', waitMs };
  }

  #note(actor: string | undefined, action: string, detail: string | undefined): void {
    this.#services.activity.add({
      atMs: this.#services.clock.nowMs(),
      actor,
      action,
      subject: undefined,
      detail,
    });
  }
}
