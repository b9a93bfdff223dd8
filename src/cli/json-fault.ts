/** Nesting of a settings file; a deeper one is reported as wrong at that place. */
const DEPTH_MAX = 100;

/**
 * Where `text` stops being JSON, counted from 1, or undefined where it is JSON throughout. The engine's own message is
 * no use here: it repeats the text around the place, which may be a password.
 */
export function jsonFault(text: string): { line: number; column: number } | undefined {
  const end = new Scanner(text).document();
  if (end === undefined) return undefined;
  const before = text.slice(0, end).split('\n');
  return { line: before.length, column: (before.at(-1) ?? '').length + 1 };
}

class Scanner {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  /** The index of the first character that does not fit, or undefined. */
  document(): number | undefined {
    const isWhole = this.#value(0) && this.#at === this.#text.length;
    return isWhole ? undefined : this.#at;
  }

  #value(depth: number): boolean {
    this.#take(/[ \t\r\n]*/y);
    if (depth > DEPTH_MAX) return false;
    const isRead = this.#take(/\{/y)
      ? this.#list(/\}/y, () => this.#member(depth))
      : this.#take(/\[/y)
        ? this.#list(/\]/y, () => this.#value(depth + 1))
        : this.#take(STRING) || this.#take(NUMBER) || this.#take(/true|false|null/y);
    if (isRead) this.#take(/[ \t\r\n]*/y);
    return isRead;
  }

  #list(end: RegExp, item: () => boolean): boolean {
    this.#take(/[ \t\r\n]*/y);
    if (this.#take(end)) return true;
    do {
      if (!item()) return false;
    } while (this.#take(/,/y));
    return this.#take(end);
  }

  #member(depth: number): boolean {
    this.#take(/[ \t\r\n]*/y);
    if (!this.#take(STRING)) return false;
    this.#take(/[ \t\r\n]*/y);
    return this.#take(/:/y) && this.#value(depth + 1);
  }

  #take(pattern: RegExp): boolean {
    pattern.lastIndex = this.#at;
    const match = pattern.exec(this.#text);
    if (match === null) return false;
    this.#at += match[0].length;
    return true;
  }
}

const STRING = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
