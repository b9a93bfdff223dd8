import { resolve } from 'node:path';
import { buildPackage } from '../../build/build-package.ts';

const ROOT = resolve(import.meta.dirname, '../..');

/** A package of this checkout with that version, for the processor of the tests; the path of its file. */
export async function spkForTests(version: string): Promise<string> {
  // A folder of its own for each test process: two of them may build the same version.
  const outDir = resolve(ROOT, '.cache/spk', String(process.pid));
  return (await buildPackage({ root: ROOT, outDir, version, processors: ['x64'] })).file;
}
