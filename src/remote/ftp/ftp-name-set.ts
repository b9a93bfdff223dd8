/**
 * The names of one listing as 53-bit hashes: 16 bytes a name at most, whatever its length. It finds names that come
 * twice, and compares whole listings: `contents` is the same for the same names in any order, `order` is not.
 * Two names of one folder of a million share a hash once in 20,000 such folders; they would count as a duplicate,
 * which makes that listing incomplete and loses nothing.
 */
export class FtpNameSet {
  #slots = new Float64Array(256);
  #size = 0;
  #sumHigh = 0;
  #sumLow = 0;
  #order = 0;

  /** False where the name was there already. */
  add(name: string): boolean {
    const [high, low] = hashName(name);
    this.#sumHigh = (this.#sumHigh + high) >>> 0;
    this.#sumLow = (this.#sumLow + low) >>> 0;
    this.#order = (Math.imul(this.#order, 31) + low) >>> 0;
    // Never 0, which marks a free slot.
    const key = (high & 0x1fffff) * 0x100000000 + low + 1;
    if (!insert(this.#slots, key)) return false;
    this.#size++;
    if (this.#size * 2 > this.#slots.length) this.#grow();
    return true;
  }

  get contents(): string {
    return `${this.#size}:${this.#sumHigh}:${this.#sumLow}`;
  }

  get order(): number {
    return this.#order;
  }

  #grow(): void {
    const larger = new Float64Array(this.#slots.length * 2);
    for (const key of this.#slots) if (key !== 0) insert(larger, key);
    this.#slots = larger;
  }
}

function insert(slots: Float64Array, key: number): boolean {
  const mask = slots.length - 1;
  for (let at = key % slots.length; ; at = (at + 1) & mask) {
    const there = slots[at];
    if (there === key) return false;
    if (there === 0) {
      slots[at] = key;
      return true;
    }
  }
}

/** Two FNV-1a sums with different beginnings, each stirred at the end (MurmurHash3's finalizer). */
function hashName(name: string): readonly [number, number] {
  let first = 0x811c9dc5;
  let second = 0x9747b28c;
  for (let i = 0; i < name.length; i++) {
    const code = name.charCodeAt(i);
    first = Math.imul(first ^ code, 0x01000193);
    second = Math.imul(second ^ code, 0x5bd1e995);
  }
  return [stir(first), stir(second ^ name.length)];
}

function stir(value: number): number {
  let h = value;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
