import { createHash, randomInt, timingSafeEqual } from 'node:crypto';
import type { Clock } from '../../clock.ts';

/** Without letters that can be taken for a digit or for one another. */
const LETTERS = 'ABCDEFGHJKMNPQRSTVWXYZ23456789';
const GROUPS = 4;
const GROUP_LENGTH = 4;

export const SETUP_CODE_MS = 60 * 60_000;

/** The code that lets the first person in. Only its hash is kept; it ends with its use or after SETUP_CODE_MS. */
export class SetupCode {
  readonly #hash: Buffer;
  readonly #endMs: number;
  readonly #clock: Clock;
  readonly #onSpent: () => void;
  #isSpent = false;

  /** `onSpent` is called when the code lets somebody in. */
  constructor(code: string, clock: Clock, onSpent: () => void = () => undefined) {
    this.#hash = hash(code);
    this.#endMs = clock.steadyMs() + SETUP_CODE_MS;
    this.#clock = clock;
    this.#onSpent = onSpent;
  }

  /** Each time another one of about 78 bits, such as `K7QM-2XWB-9DHT-RC4P`. Print the code and forget it. */
  static create(clock: Clock, onSpent?: () => void): { readonly code: string; readonly setupCode: SetupCode } {
    const group = (): string =>
      Array.from({ length: GROUP_LENGTH }, () => LETTERS.charAt(randomInt(LETTERS.length))).join('');
    const code = Array.from({ length: GROUPS }, group).join('-');
    return { code, setupCode: new SetupCode(code, clock, onSpent) };
  }

  get isOver(): boolean {
    return this.#isSpent || this.#clock.steadyMs() >= this.#endMs;
  }

  /** Case, spaces and hyphens do not count: the code is typed from a screen. */
  matches(typed: string): boolean {
    return !this.isOver && timingSafeEqual(hash(typed), this.#hash);
  }

  /** True for the right code, once: of two at the same moment one enters. */
  spend(typed: string): boolean {
    if (!this.matches(typed)) return false;
    this.#isSpent = true;
    this.#onSpent();
    return true;
  }
}

function hash(code: string): Buffer {
  return createHash('sha256').update(code.toUpperCase().replace(/[\s-]/g, '')).digest();
}
