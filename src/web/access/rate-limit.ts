import { isIPv6 } from 'node:net';

export interface LimitRule {
  /** Wrong attempts in a row before the first wait. */
  readonly freeAttempts: number;
  /** The first wait; each further wrong attempt doubles it. */
  readonly firstWaitMs: number;
  readonly waitMsMax: number;
  /** After this long without a wrong attempt all is forgotten. */
  readonly forgetMs: number;
  /** Keys that are remembered; beyond it the one that has been quiet longest is forgotten. */
  readonly keysMax: number;
}

/** One address: a person who mistypes has five tries. */
export const ADDRESS_RULE: LimitRule = {
  freeAttempts: 5,
  firstWaitMs: 60_000,
  waitMsMax: 60 * 60_000,
  forgetMs: 24 * 60 * 60_000,
  keysMax: 10_000,
};

/** One account, tried from many addresses. Milder: a stranger must not be able to lock its owner out for long. */
export const ACCOUNT_RULE: LimitRule = {
  freeAttempts: 20,
  firstWaitMs: 30_000,
  waitMsMax: 15 * 60_000,
  forgetMs: 24 * 60 * 60_000,
  keysMax: 1000,
};

interface Attempts {
  failures: number;
  lastMs: number;
  blockedUntilMs: number;
}

/** Counts wrong attempts per key and says who has to wait. Its memory is bounded, its answer a map look-up. */
export class RateLimit {
  readonly #rule: LimitRule;
  readonly #nowMs: () => number;
  /** In the order of their last wrong attempt. */
  readonly #attempts = new Map<string, Attempts>();

  /** `nowMs` must only ever grow, or setting the clock would end or prolong a wait. */
  constructor(rule: LimitRule, nowMs: () => number) {
    this.#rule = rule;
    this.#nowMs = nowMs;
  }

  /** How long `key` has still to wait; 0 where it may try. */
  waitMs(key: string): number {
    return Math.max(0, (this.#current(key)?.blockedUntilMs ?? 0) - this.#nowMs());
  }

  /**
   * Counts an attempt, before its result is known: many at the same moment must not all be free. Gives the wait that
   * this one has to respect, 0 where it may go on. An attempt that has to wait is not counted.
   */
  begin(key: string): number {
    const waitMs = this.waitMs(key);
    if (waitMs > 0) return waitMs;
    const failures = (this.#current(key)?.failures ?? 0) + 1;
    const over = failures - this.#rule.freeAttempts;
    const nextWaitMs = over < 0 ? 0 : Math.min(this.#rule.waitMsMax, this.#rule.firstWaitMs * 2 ** Math.min(over, 30));
    this.#attempts.delete(key);
    this.#attempts.set(key, { failures, lastMs: this.#nowMs(), blockedUntilMs: this.#nowMs() + nextWaitMs });
    const quietest = this.#attempts.size > this.#rule.keysMax ? this.#attempts.keys().next().value : undefined;
    if (quietest !== undefined) this.#attempts.delete(quietest);
    return 0;
  }

  /** The attempt was right: nothing is held against `key` any more. */
  succeed(key: string): void {
    this.#attempts.delete(key);
  }

  get size(): number {
    return this.#attempts.size;
  }

  #current(key: string): Attempts | undefined {
    const attempts = this.#attempts.get(key);
    if (attempts === undefined || this.#nowMs() - attempts.lastMs < this.#rule.forgetMs) return attempts;
    this.#attempts.delete(key);
    return undefined;
  }
}

/** What counts as one address: of IPv6 the /64 that one customer gets, with IPv4 in IPv6 taken for what it is. */
export function addressKey(address: string): string {
  const plain = address.replace(/^::ffff:(?=\d+\.)/i, '');
  if (!isIPv6(plain)) return plain;
  const [head = '', tail = ''] = plain.replace(/%.*$/, '').split('::');
  const groups = (part: string): string[] => (part === '' ? [] : part.split(':'));
  const missing = Math.max(0, 8 - groups(head).length - groups(tail).length);
  const all = plain.includes('::')
    ? [...groups(head), ...Array<string>(missing).fill('0'), ...groups(tail)]
    : groups(head);
  return `${all
    .slice(0, 4)
    .map((group) => parseInt(group, 16).toString(16))
    .join(':')}::/64`;
}
