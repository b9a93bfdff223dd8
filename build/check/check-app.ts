import { NODE_ABI_NAMES, PROCESSORS, SYMBOL_VERSIONS_MAX, nativeFileName } from '../targets.ts';
import { readElf } from './elf.ts';
import { jsonOf, textOf, valueAt } from './package-file.ts';
import type { PackageFile, Rule } from './package-file.ts';

/** What the program opens by name: without any of these it does not start, or only until somebody comes by. */
const REQUIRED = [
  'app/main.js',
  'app/cli.js',
  'app/package.json',
  'views/layout.ejs',
  'public/icons.svg',
  'public/ui.css',
  'texts/en.json',
  'texts/fr.json',
  'bin/site-backup',
  'THIRD-PARTY.txt',
];

/** Part of the C library of every Linux, also of the oldest DSM 7. */
const LIBRARIES = /^(libc\.so\.6|libm\.so\.6|libdl\.so\.2|libpthread\.so\.0|ld-linux[\w-]*\.so\.\d)$/;
/** What Node itself gives to its modules: V8, Node's own interfaces, libuv. */
const GIVEN_BY_NODE = /^(_ZNK?\d*v8|_ZNK?S?t?2v8|_ZTIN2v8|_ZN4node|_ZNK4node|node_|napi_|uv_)/;

export interface AppExpectations {
  /** Names of packages that only developers need. */
  readonly developmentPackages: readonly string[];
  /** Folders of the machine that built it, which nothing in the package may name. */
  readonly buildFolders: readonly string[];
}

/** The program: complete, made of production packages only, each with its licence; and native modules that load. */
export function checkApp(expected: AppExpectations): Rule {
  return (file) => [
    ...REQUIRED.filter((path) => !file.target.has(path)).map((path) => `${path} is missing.`),
    ...threadFaults(file),
    ...versionFaults(file),
    ...bundleFaults(file, expected),
    ...pathFaults(file, expected.buildFolders),
    ...nativeFaults(file),
  ];
}

/** What the program starts by name in a thread (src/tasks/start-thread.ts). */
function threadFaults({ target }: PackageFile): readonly string[] {
  const code = [...target].filter(([path]) => /^app\/[^/]*\.js$/.test(path)).map(([, member]) => textOf(member));
  const names = code.flatMap((text) =>
    [...text.matchAll(/startThread\d*\("([\w-]+)"/g)].map((match) => match[1] ?? ''),
  );
  if (names.length === 0) return ['app: no thread can be told: how does the program start them?'];
  return [...new Set(names)]
    .map((name) => `app/${name}.js`)
    .filter((path) => !target.has(path))
    .map((path) => `${path} is missing: the program starts it in a thread.`);
}

function versionFaults({ target, info }: PackageFile): readonly string[] {
  const manifest = jsonOf(target.get('app/package.json'));
  const faults: string[] = [];
  if (valueAt(manifest, 'type') !== 'module') faults.push('app/package.json: type is not "module".');
  const version = (info.get('version') ?? '').replace(/-\d+$/, '');
  if (valueAt(manifest, 'version') !== version) faults.push(`app/package.json: version is not ${version}, as in INFO.`);
  return faults;
}

/** esbuild names the source of every part of a bundle in a comment: `// node_modules/<package>/…`. */
function bundleFaults({ target }: PackageFile, { developmentPackages }: AppExpectations): readonly string[] {
  const packages = new Set<string>();
  const faults: string[] = [];
  for (const [path, member] of target) {
    if (!/^app\/[^/]*\.js$/.test(path)) continue;
    const text = textOf(member);
    for (const [, name = ''] of text.matchAll(/^ *\/\/ (?:.*\/)?node_modules\/((?:@[^/\n]+\/)?[^/\n]+)\//gm))
      packages.add(name);
    if (text.includes('sourceMappingURL=')) faults.push(`${path} points to a source map.`);
    if (/^ *\/\/ (?:test|build)\//m.test(text)) faults.push(`${path} holds code of test/ or build/.`);
  }
  if (packages.size === 0) faults.push('app: no bundled package can be told: are there comments in the bundle?');
  const licences = textOf(target.get('THIRD-PARTY.txt'));
  for (const name of [...packages].sort()) {
    if (developmentPackages.includes(name)) faults.push(`app holds ${name}, which only developers need.`);
    if (!licences.includes(`\n${name} `)) faults.push(`THIRD-PARTY.txt has no licence of ${name}.`);
  }
  return faults;
}

function pathFaults({ target, outer }: PackageFile, buildFolders: readonly string[]): readonly string[] {
  const members = [...target, ...[...outer].filter(([path]) => path !== 'package.tgz')];
  return members.flatMap(([path, { bytes }]) =>
    buildFolders
      .filter((folder) => Buffer.from(bytes).includes(folder))
      .map((folder) => `${path} names ${folder}, a folder of the machine that built it.`),
  );
}

function nativeFaults({ target, info }: PackageFile): readonly string[] {
  const faults: string[] = [];
  const archs = (info.get('arch') ?? '').split(' ');
  for (const [processor, { dsmArch }] of Object.entries(PROCESSORS) as [
    keyof typeof PROCESSORS,
    { dsmArch: string },
  ][]) {
    if (!archs.includes(dsmArch)) continue;
    for (const abi of NODE_ABI_NAMES) {
      const path = `app/native/${nativeFileName(processor, abi)}`;
      const member = target.get(path);
      if (member === undefined) faults.push(`${path} is missing.`);
      else faults.push(...moduleFaults(Buffer.from(member.bytes), processor, abi).map((fault) => `${path} ${fault}`));
    }
  }
  return faults;
}

function moduleFaults(bytes: Buffer, processor: string, abi: string): readonly string[] {
  let elf;
  try {
    elf = readElf(bytes);
  } catch (error) {
    return [`cannot be read: ${error instanceof Error ? error.message : String(error)}.`];
  }
  const faults: string[] = [];
  if (elf.processor !== processor) faults.push(`is made for another processor than ${processor}.`);
  for (const name of elf.symbolVersions) {
    const [family = '', version = ''] = name.split('_');
    const newest = Object.entries(SYMBOL_VERSIONS_MAX).find(([known]) => known === family)?.[1];
    if (newest === undefined || isNewer(version, newest)) faults.push(`needs ${name}, which DSM 7.2 does not have.`);
  }
  for (const library of elf.libraries.filter((name) => !LIBRARIES.test(name))) {
    faults.push(`needs the library ${library}, which may not be there.`);
  }
  for (const symbol of elf.foreignSymbols.filter((name) => !GIVEN_BY_NODE.test(name))) {
    faults.push(`needs ${symbol}, which Node.js does not give.`);
  }
  // The one way in of an addon; more would take the place of Node's own functions. The linker adds bounds of sections.
  const given = elf.ownSymbols.filter((name) => !/^__(start|stop)_/.test(name));
  if (given.join(' ') !== `node_register_module_v${abi}`) {
    faults.push(`gives ${given.slice(0, 5).join(', ') || 'nothing'}, not node_register_module_v${abi} alone.`);
  }
  return faults;
}

function isNewer(version: string, newest: string): boolean {
  return version.localeCompare(newest, 'en', { numeric: true }) > 0;
}
