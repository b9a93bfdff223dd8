/** `npm run mutants [-- part of a name]`: puts one fault after the other into a copy of the program, and sees a test fail. */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import ts from 'typescript';
import { MUTANTS } from './mutants.ts';
import type { Mutant } from './mutants.ts';

const ROOT = dirname(dirname(import.meta.dirname));
const TEST_MS_MAX = 240_000;

/** `killed`: an assertion failed. Everything else is a fault of the mutant or of the tests. */
export type Verdict = 'killed' | 'survived' | 'failed otherwise';

/** The file with the fault in it. Throws where the text to be replaced is not there exactly once. */
export function mutated({ name, file, text, replacement }: Mutant): string {
  const source = readFileSync(join(ROOT, 'src', file), 'utf8');
  if (source.split(text).length !== 2) throw new Error(`mutant "${name}": its text does not stand once in src/${file}`);
  return source.replace(text, () => replacement);
}

/** What the compiler says against the fault, unused names apart: a mutant that does not compile proves nothing. */
export function compileFaults(mutants: readonly Mutant[]): string[] {
  const config = ts.parseJsonConfigFileContent(
    ts.readConfigFile(join(ROOT, 'tsconfig.json'), (path) => ts.sys.readFile(path)).config,
    ts.sys,
    ROOT,
  );
  let overlay: { readonly path: string; readonly content: string; readonly version: string } | undefined;
  const service = ts.createLanguageService({
    getCompilationSettings: () => ({ ...config.options, noUnusedLocals: false, noUnusedParameters: false }),
    getScriptFileNames: () => mutants.map(({ file }) => join(ROOT, 'src', file)),
    getScriptVersion: (path) => (overlay?.path === path ? overlay.version : '0'),
    getScriptSnapshot: (path) => {
      const content = overlay?.path === path ? overlay.content : ts.sys.readFile(path);
      return content === undefined ? undefined : ts.ScriptSnapshot.fromString(content);
    },
    getCurrentDirectory: () => ROOT,
    getDefaultLibFileName: (options) => ts.getDefaultLibFilePath(options),
    fileExists: (path) => ts.sys.fileExists(path),
    readFile: (path) => ts.sys.readFile(path),
    directoryExists: (path) => ts.sys.directoryExists(path),
    getDirectories: (path) => ts.sys.getDirectories(path),
  });
  return mutants.flatMap((mutant) => {
    const path = join(ROOT, 'src', mutant.file);
    overlay = { path, content: mutated(mutant), version: mutant.name };
    const found = [...service.getSyntacticDiagnostics(path), ...service.getSemanticDiagnostics(path)];
    return found.map(({ messageText }) => `${mutant.name}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`);
  });
}

/** A copy of the program and its tests, in which faults can be put. */
export class MutantRoom {
  readonly folder = mkdtempSync(join(tmpdir(), 'site-backup-mutants-'));

  constructor() {
    for (const name of ['src', 'test', 'ui', 'package.json', 'tsconfig.json']) {
      cpSync(join(ROOT, name), join(this.folder, name), { recursive: true });
    }
    symlinkSync(join(ROOT, 'node_modules'), join(this.folder, 'node_modules'));
  }

  verdictOn(mutant: Mutant): Verdict {
    const file = join(this.folder, 'src', mutant.file);
    const original = readFileSync(file);
    writeFileSync(file, mutated(mutant));
    try {
      const { status, output } = this.#test(mutant);
      if (status === 0) return 'survived';
      return output.includes("code: 'ERR_ASSERTION'") ? 'killed' : 'failed otherwise';
    } finally {
      writeFileSync(file, original);
    }
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  #test({ tests, pattern }: Mutant): { status: number | null; output: string } {
    const files = tests.map((file) => join('test', file));
    // Inside a test, Node would take the tests below for its own children; and what they start must hold the fault, too.
    const env = { ...process.env, NODE_TEST_CONTEXT: undefined, SITE_BACKUP_COMPILED: undefined };
    const { status, stdout } = spawnSync(
      process.execPath,
      ['--import', 'tsx', '--test', '--test-reporter=tap', `--test-name-pattern=${pattern}`, ...files],
      { cwd: this.folder, env, encoding: 'utf8', timeout: TEST_MS_MAX, maxBuffer: 64 * 1024 * 1024 },
    );
    return { status, output: stdout };
  }
}

function main(wanted: string | undefined): void {
  const mutants = MUTANTS.filter(({ name }) => wanted === undefined || name.includes(wanted));
  const faults = compileFaults(mutants);
  for (const fault of faults) process.stdout.write(`does not compile: ${fault}\n`);
  const room = new MutantRoom();
  let alive = faults.length;
  try {
    for (const mutant of mutants) {
      const beganMs = performance.now();
      const verdict = room.verdictOn(mutant);
      if (verdict !== 'killed') alive++;
      const seconds = ((performance.now() - beganMs) / 1000).toFixed(1).padStart(6);
      process.stdout.write(`${verdict.padEnd(16)} ${seconds} s  ${mutant.name.padEnd(36)} ${mutant.tests.join(' ')}\n`);
    }
  } finally {
    room.remove();
  }
  process.exitCode = alive === 0 && mutants.length > 0 ? 0 : 1;
}

if (import.meta.filename === process.argv[1]) main(process.argv[2]);
