/** A longer line of a listing is not a line of a listing (a path has at most 4096 bytes). */
export const LINE_BYTES_MAX = 8192;

/** Cuts the bytes of a listing into lines at LF, without a CR before it. Holds at most one line. */
export class FtpLineSplitter {
  #rest = '';
  #isOverlong = false;
  readonly #onLine: (line: string) => void;
  readonly #onOverlong: (beginning: string) => void;

  constructor(onLine: (line: string) => void, onOverlong: (beginning: string) => void) {
    this.#onLine = onLine;
    this.#onOverlong = onOverlong;
  }

  push(chunk: Buffer): void {
    const text = chunk.toString('latin1');
    let at = 0;
    for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', at)) {
      this.#complete(text, at, end);
      at = end + 1;
    }
    this.#keep(text.slice(at));
  }

  /** What came after the last LF: a line that was cut short, or one whose server ends the last line without LF. */
  get remainder(): string | undefined {
    return this.#rest === '' && !this.#isOverlong ? undefined : this.#rest;
  }

  #complete(text: string, from: number, end: number): void {
    const line = this.#rest === '' ? text.slice(from, end) : this.#rest + text.slice(from, end);
    const wasOverlong = this.#isOverlong;
    this.#rest = '';
    this.#isOverlong = false;
    if (wasOverlong || line.length > LINE_BYTES_MAX) this.#onOverlong(line.slice(0, LINE_BYTES_MAX));
    else this.#onLine(line.endsWith('\r') ? line.slice(0, -1) : line);
  }

  #keep(text: string): void {
    if (this.#isOverlong || text === '') return;
    this.#rest += text;
    if (this.#rest.length > LINE_BYTES_MAX) {
      this.#isOverlong = true;
      this.#rest = this.#rest.slice(0, LINE_BYTES_MAX);
    }
  }
}
