import { gunzipSync } from 'node:zlib';
import { readInfo } from '../info.ts';
import { readTar } from '../tar.ts';
import type { TarMember } from '../tar.ts';

/** What package.tgz may unpack to: a bound against a file that unpacks for ever. */
const TARGET_BYTES_MAX = 256 * 1024 * 1024;

/** A finished .spk file, opened. `target` is what lies in package.tgz. Where a name comes twice, the last one counts. */
export interface PackageFile {
  readonly bytes: Buffer;
  readonly members: readonly TarMember[];
  readonly outer: ReadonlyMap<string, TarMember>;
  readonly targetMembers: readonly TarMember[];
  readonly target: ReadonlyMap<string, TarMember>;
  readonly info: ReadonlyMap<string, string | undefined>;
}

/** What is wrong with the package, in sentences that begin with the name of the file. */
export type Rule = (file: PackageFile) => readonly string[];

/** Throws with a sentence for a file that Package Center could not open either. */
export function openPackage(bytes: Buffer): PackageFile {
  if (bytes.subarray(0, 2).toString('hex') === '1f8b' || bytes.subarray(0, 6).toString('hex') === 'fd377a585a00') {
    throw new Error('The package is compressed: DSM reads a plain tar archive only (code 263).');
  }
  const members = inWords('The package', () => readTar(bytes));
  const outer = byPath(members);
  const packageTgz = outer.get('package.tgz');
  if (packageTgz === undefined) throw new Error('package.tgz is missing.');
  const targetMembers = inWords('package.tgz', () =>
    readTar(gunzipSync(packageTgz.bytes, { maxOutputLength: TARGET_BYTES_MAX })),
  );
  const info = readInfo(textOf(outer.get('INFO')));
  return { bytes, members, outer, targetMembers, target: byPath(targetMembers), info };
}

function byPath(members: readonly TarMember[]): ReadonlyMap<string, TarMember> {
  return new Map(members.filter(({ isFolder }) => !isFolder).map((member) => [member.path, member]));
}

function inWords<T>(subject: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new Error(`${subject} cannot be read: ${error instanceof Error ? error.message : String(error)}.`, {
      cause: error,
    });
  }
}

/** Its text; nothing for a file that is not there. */
export function textOf(member: TarMember | undefined): string {
  return member === undefined ? '' : Buffer.from(member.bytes).toString('utf8');
}

/** What a JSON file holds, or undefined where it is missing or no JSON: that is a fault of its own. */
export function jsonOf(member: TarMember | undefined): unknown {
  try {
    return JSON.parse(textOf(member));
  } catch {
    return undefined;
  }
}

/** The value below these keys; undefined where there is none. */
export function valueAt(value: unknown, ...keys: readonly (string | number)[]): unknown {
  return keys.reduce<unknown>(
    (inner, key) => (typeof inner === 'object' && inner !== null ? (inner as Record<string, unknown>)[key] : undefined),
    value,
  );
}

/** A list, or nothing where the value is none. */
export function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** Each pair of an object, or nothing where the value is none. */
export function entriesOf(value: unknown): readonly (readonly [string, unknown])[] {
  return typeof value === 'object' && value !== null ? Object.entries(value) : [];
}
