import { isBuiltin } from 'node:module';
import { join } from 'node:path';
import { build } from 'esbuild';
import type { TarFile } from './tar.ts';

/** Each program of the package, and each that it starts in a thread, by the name that it has there. */
const ENTRIES = {
  main: 'src/main.ts',
  cli: 'src/cli.ts',
  'run-worker': 'src/tasks/run-worker.ts',
  'maintenance-worker': 'src/tasks/maintenance-worker.ts',
  'adopt-worker': 'src/tasks/adopt-worker.ts',
  'delete-worker': 'src/tasks/delete-worker.ts',
  'prune-worker': 'src/tasks/prune-worker.ts',
} as const;

/** Asked for by packages that do without: the finder of native modules, whose file the program names itself, and colours. */
const EXTERNAL = ['bindings', 'supports-color'];

/** Packages written for `require` find it. */
const BANNER = "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);";

export interface AppFiles {
  readonly files: readonly TarFile[];
  /** The folders below `node_modules` whose code is in them, sorted. */
  readonly packages: readonly string[];
}

/**
 * The compiled program with all that it imports, as files below `app/` that need no node_modules. They are left
 * readable: an error's stack names functions and lines of the package. Throws where the sources do not compile.
 */
export async function appFiles(root: string, version: string): Promise<AppFiles> {
  const result = await build({
    absWorkingDir: root,
    entryPoints: Object.entries(ENTRIES).map(([out, from]) => ({ in: from, out })),
    outdir: 'app',
    write: false,
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node22',
    external: EXTERNAL,
    // Else a checkout whose node_modules is a link would give other bytes.
    preserveSymlinks: true,
    banner: { js: BANNER },
    chunkNames: 'part-[hash]',
    legalComments: 'none',
    minifySyntax: true,
    metafile: true,
    logLevel: 'silent',
  });
  const foreign = Object.values(result.metafile.outputs).flatMap((output) =>
    output.imports.filter(({ path, external }) => external === true && !path.startsWith('node:') && !isKnown(path)),
  );
  if (foreign.length > 0) throw new Error(`not in the bundle: ${foreign.map(({ path }) => path).join(', ')}`);
  const packages = new Set<string>();
  for (const input of Object.keys(result.metafile.inputs)) {
    const found = /^(?:.*\/)?node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(input);
    if (found !== null) packages.add(found[0].slice(0, -1));
  }
  const bundled = result.outputFiles.map((file) => ({
    path: file.path.slice(join(root, '/').length),
    mode: 0o644,
    bytes: file.contents,
  }));
  const own = { name: 'site-backup', version, private: true, type: 'module' };
  const manifest = {
    path: 'app/package.json',
    mode: 0o644,
    bytes: Buffer.from(`${JSON.stringify(own, undefined, 2)}\n`),
  };
  return { files: [...bundled, manifest], packages: [...packages].sort() };
}

function isKnown(path: string): boolean {
  return EXTERNAL.includes(path) || isBuiltin(path);
}
