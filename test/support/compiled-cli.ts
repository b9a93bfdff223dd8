/** The command line as plain JavaScript: a child process of it starts in a fraction of the time that tsx takes. */
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, relative } from 'node:path';
import { transformSync } from 'esbuild';

export interface CompiledCli {
  /** The file to give to node. */
  readonly cliFile: string;
  /** Translates a file of the tests as well, and gives its place beside the command line, for `node --import`. */
  add(file: string): string;
  remove(): void;
}

/**
 * Translates `src` into a temporary folder, file by file and without checking types: that is the compiler's business. Where
 * test/run.ts has done so for all tests, that folder is used and stays.
 */
export function compileCli(): CompiledCli {
  const shared = process.env['SITE_BACKUP_COMPILED'];
  if (shared !== undefined) return compiledIn(dirname(shared), () => undefined);
  const root = dirname(dirname(import.meta.dirname));
  const folder = mkdtempSync(join(tmpdir(), 'site-backup-cli-'));
  const source = join(root, 'src');
  const files = readdirSync(source, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  for (const entry of files) {
    const from = join(entry.parentPath, entry.name);
    const to = join(folder, 'dist', relative(source, from)).replace(/\.ts$/, '.js');
    mkdirSync(dirname(to), { recursive: true });
    writeFileSync(to, from.endsWith('.ts') ? translated(from) : readFileSync(from));
  }
  cpSync(join(root, 'package.json'), join(folder, 'package.json'));
  symlinkSync(join(root, 'ui'), join(folder, 'ui'));
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  return compiledIn(folder, () => {
    rmSync(folder, { recursive: true, force: true });
  });
}

function compiledIn(folder: string, remove: () => void): CompiledCli {
  return {
    cliFile: join(folder, 'dist', 'cli.js'),
    add(file) {
      const to = join(folder, basename(file).replace(/\.ts$/, '.js'));
      // Another test may be about to start with it.
      writeFileSync(`${to}.${process.pid}`, translated(file));
      renameSync(`${to}.${process.pid}`, to);
      return to;
    },
    remove,
  };
}

function translated(file: string): string {
  const { code } = transformSync(readFileSync(file, 'utf8'), {
    loader: 'ts',
    format: 'esm',
    target: 'node20',
    sourcefile: file,
    tsconfigRaw: { compilerOptions: { verbatimModuleSyntax: true } },
  });
  // esbuild leaves the paths of imports as they are.
  return code.replace(/(\bfrom |\bimport |\bimport\()"(\.{1,2}\/[^"\n]+)\.ts"/g, '$1"$2.js"');
}
