import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { buildPackage } from '../../build/build-package.ts';

const ROOT = resolve(import.meta.dirname, '../..');

let outDir: string | undefined;

/** A package of this checkout with that version, for the processor of the tests: the path of its file, until the process ends. */
export async function spkForTests(version: string): Promise<string> {
  outDir ??= folderOfThisProcess();
  return (await buildPackage({ root: ROOT, outDir, version, processors: ['x64'] })).file;
}

function folderOfThisProcess(): string {
  const folder = mkdtempSync(join(tmpdir(), 'site-backup-spk-'));
  process.once('exit', () => {
    rmSync(folder, { recursive: true, force: true });
  });
  return folder;
}
