import type { TextFacts } from '../text.ts';

export type FlashTone = 'ok' | 'info' | 'warn' | 'err';

/** What the next page says about what was just done. */
export interface Flash {
  readonly tone: FlashTone;
  readonly key: string;
  readonly facts: TextFacts;
}

/** Sessions that wait for a notice at the same time; beyond it the oldest notice is forgotten. */
const FLASHES_MAX = 1000;

/** Notices that wait for the next page of their session. They do not outlive the service: what was done is on Activity. */
export class FlashBox {
  readonly #waiting = new Map<string, Flash>();

  put(session: string, flash: Flash): void {
    this.#waiting.delete(session);
    const oldest = this.#waiting.size >= FLASHES_MAX ? this.#waiting.keys().next().value : undefined;
    if (oldest !== undefined) this.#waiting.delete(oldest);
    this.#waiting.set(session, flash);
  }

  take(session: string): Flash | undefined {
    const flash = this.#waiting.get(session);
    this.#waiting.delete(session);
    return flash;
  }
}
