/**
 * Compiles better-sqlite3 for each processor and Node ABI of the package, with zig's clang against glibc 2.17: so the
 * binaries ask less of the NAS than Node itself. Of the C++ library only what is used is compiled in.
 */
import { createHash } from 'node:crypto';
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { NODES, ZIG, ZIG_LIB, npmPackage } from './npm-package.ts';
import { NODE_ABIS, PROCESSORS, nativeFileName } from './targets.ts';
import type { NodeAbi, Processor } from './targets.ts';

const execute = promisify(execFile);

const COMPILER_OUTPUT_BYTES_MAX = 64 * 1024 * 1024;

/** The parts of zig's C++ library that the addon refers to. Building all of that library takes minutes. */
const CXX_LIBRARY_PARTS = [
  'libcxx/src/call_once.cpp',
  'libcxx/src/hash.cpp',
  'libcxx/src/new_handler.cpp',
  'libcxx/src/string.cpp',
  'libcxx/src/verbose_abort.cpp',
  'libcxxabi/src/abort_message.cpp',
  'libcxxabi/src/stdlib_new_delete.cpp',
];

const FLAGS = ['-O2', '-fPIC', '-DNDEBUG', '-w', '-fno-sanitize=all', '-fvisibility=hidden', '-ffunction-sections'];
const CXX_FLAGS = ['-fno-exceptions', '-fno-rtti', '-fvisibility-inlines-hidden'];
const LIBRARY_FLAGS = ['-std=c++23', '-D_LIBCPP_BUILDING_LIBRARY', '-D_LIBCXXABI_BUILDING_LIBRARY'];
const ADDON_FLAGS = [
  '-std=c++20',
  '-DNODE_GYP_MODULE_NAME=better_sqlite3',
  '-DUSING_UV_SHARED=1',
  '-DUSING_V8_SHARED=1',
  '-DBUILDING_NODE_EXTENSION',
];
const LINK_FLAGS = ['-shared', '-s', '-Wl,--gc-sections', '-Wl,-Bsymbolic'];
/** Without it, operator new and delete would be exported, and used by Node. */
const EXPORTS = '{ global: node_register_module_v*; local: *; };\n';

export interface NativeModule {
  readonly processor: Processor;
  readonly abi: NodeAbi;
  readonly fileName: string;
  readonly bytes: Buffer;
}

/**
 * The native modules for these targets, from `cacheDir` where the same compiler has made them of the same sources before.
 * Takes seconds to two minutes. Throws where the compiler cannot be had or refuses.
 */
export async function nativeModules(
  targets: readonly { readonly processor: Processor; readonly abi: NodeAbi }[],
  cacheDir: string,
): Promise<readonly NativeModule[]> {
  const madeDir = join(cacheDir, 'native', fingerprint());
  const named = targets.map((target) => ({ ...target, fileName: nativeFileName(target.processor, target.abi) }));
  const missing = named.filter(({ fileName }) => !existsSync(join(madeDir, fileName)));
  if (missing.length > 0) await compile(missing, madeDir, cacheDir);
  return named.map((module) => ({ ...module, bytes: readFileSync(join(madeDir, module.fileName)) }));
}

interface Wanted {
  readonly processor: Processor;
  readonly abi: NodeAbi;
  readonly fileName: string;
}

async function compile(wanted: readonly Wanted[], madeDir: string, cacheDir: string): Promise<void> {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    throw new Error('the native modules of the package are compiled on Linux x64 only');
  }
  const packages = join(cacheDir, 'packages');
  const [zig, zigLib] = await Promise.all([npmPackage(ZIG, packages), npmPackage(ZIG_LIB, packages)]);
  const abis = [...new Set(wanted.map(({ abi }) => abi))];
  const headers = new Map(await Promise.all(abis.map(async (abi) => [abi, await nodeHeaders(abi, packages)] as const)));
  const objects = `${madeDir}.${process.pid}`;
  mkdirSync(objects, { recursive: true });
  mkdirSync(madeDir, { recursive: true });
  const environment = {
    ...process.env,
    ZIG_LIB_DIR: zigLib,
    ZIG_GLOBAL_CACHE_DIR: join(cacheDir, 'native/zig'),
    ZIG_LOCAL_CACHE_DIR: join(cacheDir, 'native/zig'),
  };
  const run = async (processor: Processor, language: 'cc' | 'c++', args: readonly string[]): Promise<void> => {
    const all = [language, '-target', PROCESSORS[processor].zigTarget, ...args];
    try {
      await execute(join(zig, 'bin/zig'), all, { env: environment, maxBuffer: COMPILER_OUTPUT_BYTES_MAX });
    } catch (error) {
      const said = (error as { stderr?: string }).stderr ?? '';
      const faults = said.split('\n').filter((line) => /error|undefined/.test(line));
      throw new Error(`compiling for ${processor} failed: ${args.at(-1) ?? ''}\n${faults.slice(0, 40).join('\n')}`, {
        cause: error,
      });
    }
  };
  const sqlite = betterSqliteDir();
  // Paths of this machine stay out of the binaries: the same sources give the same bytes everywhere.
  const mapped = [
    [sqlite, 'better-sqlite3'],
    [zigLib, 'zig'],
    [packages, 'packages'],
  ] as const;
  const flags = [...FLAGS, ...mapped.map(([from, to]) => `-ffile-prefix-map=${from}=${to}`)];
  const cxxFlags = [...flags, ...CXX_FLAGS];
  const object = (processor: Processor, name: string): string => join(objects, `${processor}-${name}.o`);
  const processors = [...new Set(wanted.map(({ processor }) => processor))];
  const libraryParts = CXX_LIBRARY_PARTS.map((part) => ({ part, name: basename(part, '.cpp') }));
  try {
    // SQLite first: it takes as long as all the rest.
    await inParallel([
      ...processors.map((processor) => () => {
        const source = join(sqlite, 'deps/sqlite3/sqlite3.c');
        const args = [...flags, '-std=c99', ...sqliteDefines(sqlite), '-o', object(processor, 'sqlite3'), '-c', source];
        return run(processor, 'cc', args);
      }),
      ...wanted.map(({ processor, abi }) => () => {
        const source = join(sqlite, 'src/better_sqlite3.cpp');
        const include = [`-I${headers.get(abi) ?? ''}`, `-I${join(sqlite, 'deps/sqlite3')}`];
        const args = [...cxxFlags, ...ADDON_FLAGS, ...include, '-o', object(processor, `addon-${abi}`), '-c', source];
        return run(processor, 'c++', args);
      }),
      ...processors.flatMap((processor) =>
        libraryParts.map(({ part, name }) => () => {
          const include = ['libcxx/src', 'libcxx/include', 'libcxxabi/include'].map((dir) => `-I${join(zigLib, dir)}`);
          const args = [
            ...cxxFlags,
            ...LIBRARY_FLAGS,
            ...include,
            '-o',
            object(processor, name),
            '-c',
            join(zigLib, part),
          ];
          return run(processor, 'c++', args);
        }),
      ),
    ]);
    const exportsFile = join(objects, 'exports.map');
    writeFileSync(exportsFile, EXPORTS);
    await inParallel(
      wanted.map(({ processor, abi, fileName }) => async () => {
        const parts = [`addon-${abi}`, 'sqlite3', ...libraryParts.map(({ name }) => name)];
        const out = join(objects, fileName);
        const inputs = parts.map((name) => object(processor, name));
        // Linked as C: as C++ zig would add its whole C++ library.
        const libraries = ['-lm', '-ldl', '-lpthread'];
        await run(processor, 'cc', [
          ...LINK_FLAGS,
          `-Wl,--version-script=${exportsFile}`,
          ...inputs,
          ...libraries,
          '-o',
          out,
        ]);
        renameSync(out, join(madeDir, fileName));
      }),
    );
  } finally {
    rmSync(objects, { recursive: true, force: true });
  }
}

/** The headers of the Node release that stands for an ABI. */
async function nodeHeaders(abi: NodeAbi, packages: string): Promise<string> {
  const version = NODE_ABIS[abi];
  const headers = join(await npmPackage(NODES[`x64-${version}`], packages), 'include/node');
  const text = (name: string): string => readFileSync(join(headers, name), 'utf8');
  const found = /define NODE_MODULE_VERSION (\d+)/.exec(text('node_version.h'))?.[1];
  if (found !== abi) throw new Error(`Node.js ${version} has ABI ${found ?? '?'}, not ${abi}`);
  // Addons made with the headers of Node 24.19 to 24.21 abort every Node 24 when objects are collected (nodejs/node#65446).
  if (text('node_object_wrap.h').includes('CleanupHook')) {
    throw new Error(`the headers of Node.js ${version} make addons that abort`);
  }
  return headers;
}

function betterSqliteDir(): string {
  return dirname(createRequire(import.meta.url).resolve('better-sqlite3/package.json'));
}

/** How better-sqlite3 wants SQLite: the list of its own build. */
function sqliteDefines(sqlite: string): readonly string[] {
  const list = readFileSync(join(sqlite, 'deps/defines.gypi'), 'utf8');
  const defines = [...list.matchAll(/^\s+'([A-Z0-9_]+(?:=[^']*)?)',?$/gm)].map((match) => `-D${match[1] ?? ''}`);
  if (!defines.includes('-DSQLITE_THREADSAFE=2')) throw new Error('better-sqlite3 has another list of defines');
  return defines;
}

/** Changes with everything that goes into the modules: sources, compiler, headers, and how they are put together. */
function fingerprint(): string {
  const lock = readFileSync(join(betterSqliteDir(), 'package.json'), 'utf8');
  const hash = createHash('sha256').update(lock);
  for (const name of ['native.ts', 'npm-package.ts', 'targets.ts']) {
    hash.update(readFileSync(join(import.meta.dirname, name)));
  }
  return hash.digest('hex').slice(0, 16);
}

/** Runs all jobs in their order, as many at a time as there are processors; fails with the first that fails. */
async function inParallel(jobs: readonly (() => Promise<void>)[]): Promise<void> {
  const queue = [...jobs];
  const work = async (): Promise<void> => {
    for (let job = queue.shift(); job !== undefined; job = queue.shift()) await job();
  };
  await Promise.all(Array.from({ length: availableParallelism() }, work));
}
