/** Packages that break one rule: a good one, changed in memory and put together again. */
import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { openPackage } from '../../build/check/package-file.ts';
import { writeTar } from '../../build/tar.ts';
import type { TarFile } from '../../build/tar.ts';

const HEADER_BYTES = 512;

/** Whose fields can be overwritten in a member's header, and where they lie (POSIX ustar). */
const FIELDS = {
  mode: [100, 8],
  uid: [108, 8],
  gid: [116, 8],
  mtime: [136, 12],
  typeflag: [156, 1],
  uname: [265, 32],
} as const;

/** The parts of a package, to be changed freely. */
export class SpkDraft {
  info: string;
  readonly outer: Map<string, TarFile>;
  readonly target: Map<string, TarFile>;
  /** Applied to the finished archives. */
  readonly headerEdits: { place: 'outer' | 'target'; path: string; field: keyof typeof FIELDS; value: string }[] = [];
  /** Members that are written although one of that name is there. */
  readonly twice: TarFile[] = [];
  isChecksumKept = false;
  isSizeKept = false;
  readonly #goodTgz: Uint8Array;
  readonly #modifiedAt: number;
  readonly #goodTarget: ReadonlyMap<string, TarFile>;

  constructor(good: Buffer) {
    const file = openPackage(good);
    this.info = Buffer.from(file.outer.get('INFO')?.bytes ?? []).toString();
    this.outer = new Map([...file.outer].filter(([path]) => path !== 'INFO' && path !== 'package.tgz'));
    this.target = new Map(file.target);
    this.#goodTarget = new Map(file.target);
    this.#goodTgz = file.outer.get('package.tgz')?.bytes ?? Buffer.alloc(0);
    this.#modifiedAt = file.members[0]?.modifiedAt ?? 0;
  }

  /** Sets one field of INFO, or takes it away. */
  setInfo(key: string, value: string | undefined): void {
    const line = value === undefined ? '' : `${key}="${value}"\n`;
    const found = new RegExp(`^${key}=.*\n`, 'm');
    this.info = found.test(this.info) ? this.info.replace(found, () => line) : this.info + line;
  }

  text(path: string): string {
    const file = this.outer.get(path) ?? this.target.get(path);
    if (file === undefined) throw new Error(`the good package has no ${path}`);
    return Buffer.from(file.bytes).toString('utf8');
  }

  /** Writes a member, where it is or, for a new one, into `place`. */
  write(path: string, content: string | Uint8Array, place: 'outer' | 'target' = 'target'): void {
    const files = this.outer.has(path) ? this.outer : this.target.has(path) ? this.target : this[place];
    const bytes = typeof content === 'string' ? Buffer.from(content) : content;
    files.set(path, { path, mode: files.get(path)?.mode ?? 0o644, bytes });
  }

  /** Changes the text of a member; throws where nothing changes, for then the test would test nothing. */
  edit(path: string, change: (text: string) => string): void {
    const before = this.text(path);
    const after = change(before);
    if (after === before) throw new Error(`${path} is as before`);
    this.write(path, after);
  }

  editJson(path: string, change: (value: never) => void): void {
    this.edit(path, (text) => {
      const value = JSON.parse(text) as never;
      change(value);
      return JSON.stringify(value);
    });
  }

  remove(path: string): void {
    if (!this.outer.delete(path) && !this.target.delete(path)) throw new Error(`the good package has no ${path}`);
  }

  rename(path: string, to: string): void {
    const files = this.outer.has(path) ? this.outer : this.target;
    const file = files.get(path);
    this.remove(path);
    if (file !== undefined) files.set(to, { ...file, path: to });
  }

  /** Put together, with INFO's checksum and size made right where they are not what is wrong. */
  pack(): Buffer {
    const packageTgz = this.#isTargetChanged() ? this.#packTarget() : this.#goodTgz;
    if (!this.isChecksumKept) this.setInfo('checksum', createHash('md5').update(packageTgz).digest('hex'));
    if (!this.isSizeKept) {
      const bytes = [...this.target.values()].reduce((sum, file) => sum + file.bytes.length, 0);
      this.setInfo('extractsize', String(Math.ceil(bytes / 1024)));
    }
    const info = { path: 'INFO', mode: 0o644, bytes: Buffer.from(this.info) };
    const tgz = { path: 'package.tgz', mode: 0o644, bytes: packageTgz };
    const archive = writeTar([info, ...this.outer.values(), tgz, ...this.twice], this.#modifiedAt);
    return this.#withHeaderEdits(archive, 'outer');
  }

  #isTargetChanged(): boolean {
    const files = [...this.target];
    return (
      files.length !== this.#goodTarget.size ||
      files.some(([path, file]) => this.#goodTarget.get(path) !== file) ||
      this.headerEdits.some(({ place }) => place === 'target')
    );
  }

  #packTarget(): Buffer {
    const archive = writeTar([...this.target.values()], this.#modifiedAt);
    return gzipSync(this.#withHeaderEdits(archive, 'target'), { level: 1 });
  }

  #withHeaderEdits(archive: Buffer, place: 'outer' | 'target'): Buffer {
    for (const edit of this.headerEdits.filter((one) => one.place === place)) {
      const at = headerOf(archive, edit.path);
      const [from, length] = FIELDS[edit.field];
      archive.fill(0, at + from, at + from + length);
      archive.write(edit.value, at + from, 'latin1');
      const header = archive.subarray(at, at + HEADER_BYTES);
      header.fill(' ', 148, 156);
      const sum = header.reduce((total, byte) => total + byte, 0);
      header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
    }
    return archive;
  }
}

function headerOf(archive: Buffer, path: string): number {
  for (let at = 0; at < archive.length;) {
    const name = archive.toString('utf8', at, at + 100).replace(/\0.*$/s, '');
    if (name === path) return at;
    const sizeBytes = Number.parseInt(archive.toString('latin1', at + 124, at + 135), 8);
    at += HEADER_BYTES + Math.ceil(sizeBytes / HEADER_BYTES) * HEADER_BYTES;
  }
  throw new Error(`no member ${path}`);
}
