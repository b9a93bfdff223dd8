import { createHash } from 'node:crypto';
import type { RemoteEntry } from '../remote/remote.ts';

const LANES = 8;

/**
 * A digest of a listing that does not depend on the order of its lines, so that it can be taken while they stream by:
 * the sum, lane by lane, of each line's SHA-256. `salt` stands for everything else that decides what the listing means
 * for us, such as the filters.
 */
export class ListingFingerprint {
  readonly #sum = new Uint32Array(LANES);
  readonly #salt: string;
  #count = 0;

  constructor(salt: string) {
    this.#salt = salt;
  }

  add(entry: RemoteEntry): void {
    // A folder's own time and size change with what lies in it, which its own listing tells better.
    const told =
      entry.type === 'file'
        ? `f/${entry.sizeBytes}/${entry.modified?.raw ?? ''}/${entry.unique ?? ''}/${entry.mode ?? ''}`
        : `${entry.type}//${entry.unique ?? ''}/${entry.linkTarget ?? ''}`;
    // No name holds a slash, so that no two different entries give the same text.
    const digest = createHash('sha256').update(`${entry.name}/${told}`, 'latin1').digest();
    for (let lane = 0; lane < LANES; lane++) {
      this.#sum[lane] = ((this.#sum[lane] ?? 0) + digest.readUInt32LE(lane * 4)) >>> 0;
    }
    this.#count++;
  }

  digest(): Buffer {
    return createHash('sha256')
      .update(`${this.#salt}\n${this.#count}\n`)
      .update(Buffer.from(this.#sum.buffer))
      .digest()
      .subarray(0, 16);
  }
}
