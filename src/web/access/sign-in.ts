import type { Request } from 'express';

/** Who sent a request, and by which session. */
export interface SignedIn {
  readonly account: string;
  readonly csrfToken: string;
  /** SHA-256 of the session's token. */
  readonly sessionHash: Buffer | undefined;
}

/** One way to know who is at the other end: by password here, by the session of DSM in the package. */
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
}
