import { constants } from 'node:fs';
import { dirname, join } from 'node:path';
import { errnoName } from './local-errors.ts';
import { markerPath } from './target-disk.ts';
import type { TargetDisk } from './target-disk.ts';
import { FILE_MODE } from './target-fs.ts';
import type { TargetFile } from './target-fs.ts';

/** What a complete run leaves beside `current/`: what it holds, for programs and for `sha256sum -c`. */
export const MANIFEST_NAMES = ['manifest.jsonl', 'SHA256SUMS'] as const;
export type ManifestName = (typeof MANIFEST_NAMES)[number];

/** Text that waits in memory. */
const BUFFER_BYTES = 256 * 1024;

/** One of the manifests while it is being written, out of sight; seen whole or not at all. Throws what `Target` throws. */
export class ManifestWriter {
  readonly #disk: TargetDisk;
  readonly #file: TargetFile;
  readonly #name: ManifestName;
  #waiting: string[] = [];
  #waitingChars = 0;
  #at = 0;

  private constructor(disk: TargetDisk, file: TargetFile, name: ManifestName) {
    this.#disk = disk;
    this.#file = file;
    this.#name = name;
  }

  static async open(disk: TargetDisk, name: ManifestName): Promise<ManifestWriter> {
    const path = newPath(disk, name);
    const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | constants.O_NOFOLLOW;
    const file = await disk.attempt(path, () => disk.fs.open(path, flags, FILE_MODE));
    return new ManifestWriter(disk, file, name);
  }

  /** Adds a line; its end is added. */
  async line(text: string): Promise<void> {
    this.#waiting.push(text, '\n');
    this.#waitingChars += text.length + 1;
    if (this.#waitingChars >= BUFFER_BYTES) await this.#write();
  }

  /** All that was added is on the disk, still out of sight. */
  async sync(): Promise<void> {
    await this.#write();
    await this.#disk.attempt(this.#path, () => this.#file.sync());
    await this.#disk.attempt(this.#path, () => this.#file.close());
  }

  /** After `sync`: takes the place of the one before. Survives a power cut after the target's next flush. */
  async show(): Promise<void> {
    const to = join(this.#disk.root, this.#name);
    await this.#disk.attempt(to, () => this.#disk.fs.rename(this.#path, to));
    await this.#disk.touchParent(to);
  }

  /** Gives up, in whatever state; the one before stays. */
  async discard(): Promise<void> {
    await this.#file.close().catch(() => undefined);
    await this.#disk.attempt(this.#path, async () => {
      try {
        await this.#disk.fs.unlink(this.#path);
      } catch (error) {
        if (errnoName(error) !== 'ENOENT') throw error;
      }
    });
  }

  get #path(): string {
    return newPath(this.#disk, this.#name);
  }

  async #write(): Promise<void> {
    const bytes = Buffer.from(this.#waiting.join(''));
    this.#waiting = [];
    this.#waitingChars = 0;
    await this.#disk.attempt(this.#path, async () => {
      for (let done = 0; done < bytes.length;) {
        const { bytesWritten } = await this.#file.write(bytes, done, bytes.length - done, this.#at);
        done += bytesWritten;
        this.#at += bytesWritten;
      }
    });
  }
}

/**
 * A line of SHA256SUMS. A path with a backslash or a line break is escaped, and the line begins with a backslash, as GNU
 * coreutils write and read it (manual, "cksum: output format").
 */
export function sumLine(sha256: Buffer, path: string): string {
  const escaped = path.replace(/[\\\n\r]/g, (character) => ESCAPES[character] ?? '');
  return `${escaped === path ? '' : '\\'}${sha256.toString('hex')}  ${escaped}`;
}

const ESCAPES: Readonly<Record<string, string>> = { '\\': '\\\\', '\n': '\\n', '\r': '\\r' };

/** In the task's own folder, so that nothing half written is seen beside `current/`. */
function newPath(disk: TargetDisk, name: ManifestName): string {
  return join(dirname(markerPath(disk.root)), `${name}.new`);
}
