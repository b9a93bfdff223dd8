import { createHash } from 'node:crypto';
import { parseCookie } from 'cookie';
import type { Request, Response } from 'express';
import type { Services } from '../services.ts';
import { COOKIES, readCookie, removeCookie, setCookie } from './cookies.ts';
import { isToken, newToken, tokenHash } from './csrf.ts';
import { DsmAsker } from './dsm-programs.ts';
import type { DsmAnswer, DsmAsking, DsmPrograms } from './dsm-programs.ts';
import { RateLimit, addressKey } from './rate-limit.ts';
import type { LimitRule } from './rate-limit.ts';
import type { SessionFacts, SignIn, SignedIn } from './sign-in.ts';

/** A session ends after this, however much it is used; with the session of DSM still there a new one begins by itself. */
export const DSM_SESSION_MS_MAX = 24 * 60 * 60_000;
/** All browsers together; beyond it the one that has been quiet longest is forgotten. */
const SESSIONS_MAX = 200;
/** What DSM said is believed this long: for looking, and for changing something. */
export const BELIEVED_MS = { reading: 60_000, changing: 10_000 } as const;
/** And this long where DSM does not answer, as a NAS under load may not. */
export const UNANSWERED_MS_MAX = 5 * 60_000;
const COOKIE_BYTES_MAX = 16 * 1024;
const TOKEN_LENGTH_MAX = 256;
const BROWSER_LENGTH_MAX = 200;

/** Refused sign-ins of one address: each costs a process of DSM. */
const RULE: LimitRule = {
  freeAttempts: 20,
  firstWaitMs: 60_000,
  waitMsMax: 15 * 60_000,
  forgetMs: 60 * 60_000,
  keysMax: 1000,
};

/** What came of an attempt to enter. */
export type DsmEntry =
  | { readonly kind: 'in' }
  | { readonly kind: 'nobody' | 'missing' | 'silent' }
  | { readonly kind: 'not-administrator'; readonly name: string }
  | { readonly kind: 'wait'; readonly waitMs: number };

interface DsmSession extends SessionFacts {
  readonly account: string;
  readonly csrfToken: string;
  /** SHA-256 of the cookie by which DSM knows the browser. */
  readonly dsmId: string;
  /** The SynoToken; never written anywhere. */
  readonly token: string;
  seenMs: number;
  /** As the browser showed itself last. */
  asking: DsmAsking;
  /** When DSM last said that this is an administrator, by the clock that is never set. */
  confirmedMs: number;
  confirming: Promise<void> | undefined;
}

type Needed = Pick<Services, 'clock' | 'log'> & {
  readonly settings: Pick<Services['settings'], 'read'>;
  readonly activity: Pick<Services['activity'], 'add'>;
};

/**
 * Lets administrators of DSM in by the session that their browser has there. Each gets a session of ours, which holds
 * for one DSM session, one address and one SynoToken, and which DSM has to confirm again and again. Sessions live in
 * memory: the token of DSM does not belong on a disk, and after a restart the sign-in page makes a new one by itself.
 */
export class DsmLogin implements SignIn {
  readonly #services: Needed;
  readonly #asker: DsmAsker;
  readonly #byAddress: RateLimit;
  /** By the hash of our token, in the order of their last use. */
  readonly #sessions = new Map<string, DsmSession>();

  constructor(services: Needed, programs: DsmPrograms) {
    this.#services = services;
    this.#asker = new DsmAsker(programs, services.log);
    this.#byAddress = new RateLimit(RULE, () => services.clock.steadyMs());
  }

  entryPath(): string {
    return '/login';
  }

  async identify(req: Request, isUse: boolean): Promise<SignedIn | undefined> {
    const token = readCookie(req, COOKIES.session);
    const session = isToken(token) ? this.#living(tokenHash(token)) : undefined;
    if (session === undefined) return undefined;
    const cookie = dsmCookies(req);
    // A stolen cookie of ours opens nothing elsewhere, and whoever signs in to DSM anew is somebody else.
    if (session.address !== req.ip || session.dsmId !== dsmIdOf(cookie)) return undefined;
    session.asking = { ...session.asking, cookie };
    const isChange = req.method !== 'GET' && req.method !== 'HEAD';
    await this.#confirm(session, isChange ? BELIEVED_MS.changing : BELIEVED_MS.reading);
    if (this.#living(session.tokenHash) === undefined) return undefined;
    if (isUse) this.#use(session);
    return { account: session.account, csrfToken: session.csrfToken, sessionHash: session.tokenHash };
  }

  /** Asks DSM again behind the answer: a stream notices the sign-out at its next heartbeat but one. */
  isValid(signedIn: SignedIn): boolean {
    const session = signedIn.sessionHash === undefined ? undefined : this.#living(signedIn.sessionHash);
    if (session === undefined) return false;
    void this.#confirm(session, BELIEVED_MS.reading);
    return true;
  }

  /** Signs in whoever DSM calls an administrator, by the cookies of the request and `synoToken`. */
  async enter(req: Request, res: Response, synoToken: string): Promise<DsmEntry> {
    const address = addressKey(req.ip ?? '');
    const cookie = dsmCookies(req);
    const isHopeless = dsmIdOf(cookie) === undefined || !isSynoToken(synoToken);
    if (isHopeless) return { kind: 'nobody' };
    const waitMs = this.#byAddress.begin(address);
    if (waitMs > 0) return { kind: 'wait', waitMs };
    const asking: DsmAsking = {
      cookie,
      token: synoToken,
      address: req.ip ?? '',
      host: req.get('Host') ?? '',
      userAgent: (req.get('User-Agent') ?? '').slice(0, BROWSER_LENGTH_MAX),
      isEncrypted: req.secure,
    };
    const answer = await this.#asker.ask(asking);
    // Only what DSM refused is held against the address.
    if (answer.kind !== 'nobody' && answer.kind !== 'user') this.#byAddress.succeed(address);
    if (answer.kind === 'administrator') {
      this.#begin(req, res, answer.name, asking);
      return { kind: 'in' };
    }
    if (answer.kind !== 'missing') this.#services.log.warn('sign-in-refused', { address: req.ip, reason: answer.kind });
    return answer.kind === 'user' ? { kind: 'not-administrator', name: answer.name } : { kind: answer.kind };
  }

  leave(
    req: Request,
    res: Response,
    signedIn: { account: string; sessionHash: Buffer | undefined },
    isEverywhere: boolean,
  ): void {
    if (signedIn.sessionHash !== undefined) this.#sessions.delete(signedIn.sessionHash.toString('hex'));
    if (isEverywhere) {
      for (const [key, session] of this.#sessions) {
        if (session.account === signedIn.account) this.#sessions.delete(key);
      }
    }
    removeCookie(req, res, COOKIES.session);
    this.#note(signedIn.account, isEverywhere ? 'sign-out-everywhere' : 'sign-out', req.ip);
  }

  sessions(account: string): readonly SessionFacts[] {
    return [...this.#sessions.values()].filter((session) => session.account === account).reverse();
  }

  /** The token is a new one each time: one that was put into the browser before (session fixation) opens nothing. */
  #begin(req: Request, res: Response, account: string, asking: DsmAsking): void {
    const before = readCookie(req, COOKIES.session);
    if (isToken(before)) this.#sessions.delete(tokenHash(before).toString('hex'));
    const token = newToken();
    const nowMs = this.#services.clock.nowMs();
    this.#keep({
      tokenHash: tokenHash(token),
      account,
      csrfToken: newToken(),
      dsmId: dsmIdOf(asking.cookie) ?? '',
      token: asking.token,
      address: asking.address,
      browser: asking.userAgent,
      createdMs: nowMs,
      seenMs: nowMs,
      asking,
      confirmedMs: this.#services.clock.steadyMs(),
      confirming: undefined,
    });
    // Strict: whoever comes by a link of another site is signed in anew by the sign-in page, without being asked.
    setCookie(req, res, COOKIES.session, token, undefined, 'strict');
    removeCookie(req, res, COOKIES.form);
    this.#note(account, 'sign-in', req.ip);
  }

  #use(session: DsmSession): void {
    session.seenMs = this.#services.clock.nowMs();
    this.#sessions.delete(session.tokenHash.toString('hex'));
    this.#keep(session);
  }

  #keep(session: DsmSession): void {
    this.#sessions.set(session.tokenHash.toString('hex'), session);
    const quietest = this.#sessions.size > SESSIONS_MAX ? this.#sessions.keys().next().value : undefined;
    if (quietest !== undefined) this.#sessions.delete(quietest);
  }

  #living(hash: Buffer): DsmSession | undefined {
    const key = hash.toString('hex');
    const session = this.#sessions.get(key);
    if (session === undefined) return undefined;
    const nowMs = this.#services.clock.nowMs();
    const idleMsMax = this.#services.settings.read().idleMinutes * 60_000;
    const isOver = nowMs - session.seenMs >= idleMsMax || nowMs - session.createdMs >= DSM_SESSION_MS_MAX;
    if (!isOver) return session;
    this.#sessions.delete(key);
    return undefined;
  }

  /** Asks DSM where its last word is older than `believedMs`; once for all who wait. Ends the session by its answer. */
  async #confirm(session: DsmSession, believedMs: number): Promise<void> {
    if (this.#services.clock.steadyMs() - session.confirmedMs < believedMs) return;
    session.confirming ??= this.#asker
      .ask(session.asking)
      .then((answer) => {
        this.#take(session, answer);
      })
      .finally(() => {
        session.confirming = undefined;
      });
    await session.confirming;
  }

  #take(session: DsmSession, answer: DsmAnswer): void {
    const nowMs = this.#services.clock.steadyMs();
    if (answer.kind === 'administrator' && answer.name === session.account) {
      session.confirmedMs = nowMs;
      return;
    }
    const isUnanswered = answer.kind === 'silent' || answer.kind === 'missing';
    if (isUnanswered && nowMs - session.confirmedMs < UNANSWERED_MS_MAX) return;
    this.#sessions.delete(session.tokenHash.toString('hex'));
    this.#services.log.info('dsm-session-ended', { account: session.account, reason: answer.kind });
  }

  #note(actor: string, action: string, detail: string | undefined): void {
    const atMs = this.#services.clock.nowMs();
    this.#services.activity.add({ atMs, actor, action, subject: undefined, detail });
  }
}

/** The cookies of the browser without ours, which are none of DSM's business. */
function dsmCookies(req: Request): string {
  const header = req.headers.cookie ?? '';
  if (header.length > COOKIE_BYTES_MAX) return '';
  return header
    .split(';')
    .map((pair) => pair.trim())
    .filter((pair) => !OWN_COOKIE.test(pair))
    .join('; ');
}

const OWN_COOKIE = /^(__Secure-)?sitebackup_/;

/** Of the cookie `id`, which is DSM's session; undefined where there is none. */
function dsmIdOf(cookie: string): string | undefined {
  const id = parseCookie(cookie)['id'];
  return id === undefined || id === '' ? undefined : createHash('sha256').update(id).digest('hex');
}

function isSynoToken(text: string): boolean {
  return text.length <= TOKEN_LENGTH_MAX && /^[\x21-\x7e]+$/.test(text);
}
