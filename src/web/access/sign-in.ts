import type { Request, Response } from 'express';

/** Who sent a request, and by which session. */
export interface SignedIn {
  readonly account: string;
  readonly csrfToken: string;
  /** SHA-256 of the session's token. */
  readonly sessionHash: Buffer | undefined;
}

/** One browser that is signed in, as the settings show it. */
export interface SessionFacts {
  readonly tokenHash: Buffer;
  readonly address: string;
  /** The browser's own name for itself. */
  readonly browser: string;
  readonly createdMs: number;
  readonly seenMs: number;
}

/** One way to know who is at the other end: by password (password-login.ts), or by the session of DSM (dsm-login.ts). */
export interface SignIn {
  /**
   * undefined where nobody is signed in. `isUse` is false for what a page asks by itself: a tab that is left open does
   * not keep its session alive.
   */
  identify(req: Request, isUse: boolean): Promise<SignedIn | undefined>;
  /** True as long as the session of `signedIn` has not ended. */
  isValid(signedIn: SignedIn): boolean;
  /** The page where somebody who is not signed in has to go: `/setup` as long as nobody can be, else `/login`. */
  entryPath(): string;
  /** Ends this session, or all of the account's. */
  leave(
    req: Request,
    res: Response,
    signedIn: { account: string; sessionHash: Buffer | undefined },
    isEverywhere: boolean,
  ): void;
  /** Those of the account, the last used first. */
  sessions(account: string): readonly SessionFacts[];
}
