import { stat, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';

export interface Volume {
  /** `1` for /volume1 of a Synology; undefined elsewhere. */
  readonly number: string | undefined;
  readonly usedBytes: number;
  readonly totalBytes: number;
}

const VOLUMES_MAX = 4;
const KEPT_MS = 30_000;
/** The first page does not wait longer for a disk that is asleep or a network share that is gone. */
const WAIT_MS = 250;

/** Fills of the volumes that hold the given folders; remembered for a while, because disks are slow to wake. */
export class VolumeWatch {
  readonly #nowMs: () => number;
  #known: readonly Volume[] = [];
  #askedMs = Number.NEGATIVE_INFINITY;
  #asking: Promise<void> | undefined;
  #hasWaited = false;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  async of(folders: readonly string[]): Promise<readonly Volume[]> {
    if (this.#nowMs() - this.#askedMs < KEPT_MS && this.#known.length > 0) return this.#known;
    this.#asking ??= this.#ask(folders).finally(() => {
      this.#asking = undefined;
    });
    // Once only: what is known is shown at once, and the next page has what is new.
    if (!this.#hasWaited)
      await Promise.race([this.#asking, new Promise((resolve) => setTimeout(resolve, WAIT_MS).unref())]);
    this.#hasWaited = true;
    return this.#known;
  }

  async #ask(folders: readonly string[]): Promise<void> {
    const found = new Map<number, Volume>();
    for (const folder of folders) {
      if (found.size >= VOLUMES_MAX) break;
      const volume = await volumeOf(folder);
      if (volume !== undefined) found.set(volume.device, volume.volume);
    }
    this.#known = [...found.values()];
    this.#askedMs = this.#nowMs();
  }
}

/** A folder that is not there yet will lie on the volume of its nearest parent. */
async function volumeOf(folder: string): Promise<{ device: number; volume: Volume } | undefined> {
  for (let path = folder; ; path = dirname(path)) {
    try {
      const { dev } = await stat(path);
      const { bsize, blocks, bavail } = await statfs(path);
      const number = /^\/volume(\d+)(\/|$)/.exec(folder)?.[1];
      return { device: dev, volume: { number, usedBytes: (blocks - bavail) * bsize, totalBytes: blocks * bsize } };
    } catch {
      if (path === dirname(path)) return undefined;
    }
  }
}
