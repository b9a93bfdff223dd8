import { createHash } from 'node:crypto';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import { gzipSync } from 'node:zlib';
import { infoText } from './info.ts';
import type { NativeModule } from './native.ts';
import { writeTar } from './tar.ts';
import type { TarFile } from './tar.ts';
import { PROCESSORS } from './targets.ts';

/** Folders of the repository that go into `/var/packages/SiteBackup/target` as they are, and their name there. */
const TARGET_FOLDERS = [
  ['ui/views', 'views'],
  ['ui/public', 'public'],
  ['ui/texts', 'texts'],
  ['ui/dsm', 'ui'],
  ['spk/nginx', 'nginx'],
  ['spk/target-conf', 'conf'],
  ['spk/bin', 'bin'],
  ['spk/lib', 'lib'],
] as const;

/** Folders and files of the repository that stand beside package.tgz. */
const OUTER_FOLDERS = [
  ['spk/conf', 'conf'],
  ['spk/scripts', 'scripts'],
  ['spk/WIZARD_UIFILES', 'WIZARD_UIFILES'],
] as const;
const OUTER_FILES = [
  ['LICENSE', 'LICENSE'],
  ['spk/PACKAGE_ICON.PNG', 'PACKAGE_ICON.PNG'],
  ['spk/PACKAGE_ICON_256.PNG', 'PACKAGE_ICON_256.PNG'],
] as const;

export interface SpkParts {
  /** The checkout. */
  readonly root: string;
  /** As DSM counts: `1.2.0-0034`. */
  readonly version: string;
  /** The time of every member, in seconds since 1970. */
  readonly createdAt: number;
  /** The compiled program, below `app/`. */
  readonly app: readonly TarFile[];
  readonly native: readonly NativeModule[];
  /** Licences of the packages in it. */
  readonly thirdParty: string;
}

/** The members of package.tgz. */
function targetFiles(parts: SpkParts): readonly TarFile[] {
  const native = parts.native.map(({ fileName, bytes }) => ({ path: `app/native/${fileName}`, mode: 0o644, bytes }));
  const thirdParty = { path: 'THIRD-PARTY.txt', mode: 0o644, bytes: Buffer.from(parts.thirdParty) };
  const folders = TARGET_FOLDERS.flatMap(([from, to]) => filesOf(parts.root, from, to));
  return sorted([...parts.app, ...native, ...folders, thirdParty]);
}

/** The .spk file. The same parts give the same bytes. */
export function spk(parts: SpkParts): Buffer {
  const target = targetFiles(parts);
  const packageTgz = gzipSync(writeTar(target, parts.createdAt), { level: 9 });
  const processors = [...new Set(parts.native.map(({ processor }) => processor))];
  const info = infoText(readFileSync(join(parts.root, 'INFO.template'), 'utf8'), {
    version: parts.version,
    archs: processors.map((processor) => PROCESSORS[processor].dsmArch),
    extractedBytes: target.reduce((sum, { bytes }) => sum + bytes.length, 0),
    checksum: createHash('md5').update(packageTgz).digest('hex'),
    createdAt: parts.createdAt,
  });
  const others = [
    ...OUTER_FOLDERS.flatMap(([from, to]) => filesOf(parts.root, from, to)),
    ...OUTER_FILES.filter(([from]) => existsSync(join(parts.root, from))).map(([from, to]) =>
      file(parts.root, from, to),
    ),
    { path: 'package.tgz', mode: 0o644, bytes: packageTgz },
  ];
  // INFO first: readers that stop there need not read megabytes.
  return writeTar([{ path: 'INFO', mode: 0o644, bytes: Buffer.from(info) }, ...sorted(others)], parts.createdAt);
}

function filesOf(root: string, from: string, to: string): readonly TarFile[] {
  const folder = join(root, from);
  if (!existsSync(folder)) return [];
  return (
    readdirSync(folder, { recursive: true, withFileTypes: true })
      // Editors leave copies, systems leave their own.
      .filter((entry) => entry.isFile() && !/^\.|~$/.test(entry.name))
      .map((entry) => {
        const path = relative(folder, join(entry.parentPath, entry.name));
        return file(root, `${from}/${path}`, `${to}/${path}`);
      })
  );
}

/** The mode follows from the place: what git and umask made of it on this machine does not count. */
function file(root: string, from: string, to: string): TarFile {
  const isProgram = /^(scripts|bin)\/|^WIZARD_UIFILES\/.*\.sh$/.test(to);
  return { path: to, mode: isProgram ? 0o755 : 0o644, bytes: readFileSync(join(root, from)) };
}

/** By bytes, not by the rules of a language. */
function sorted(files: readonly TarFile[]): readonly TarFile[] {
  return [...files].sort((a, b) => (a.path < b.path ? -1 : 1));
}
