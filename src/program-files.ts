import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** `src` or `dist` of a checkout, or `app` of the package: esbuild puts all code into files of that one folder. */
const programDir = dirname(fileURLToPath(import.meta.url));
/** Only `app` of the package holds a package.json of its own. */
const isPackaged = existsSync(join(programDir, 'package.json'));

/** The folder with `views`, `public` and `texts`. */
export const UI_DIR = isPackaged ? dirname(programDir) : join(dirname(programDir), 'ui');

/** The folder with the package's SQLite modules, one for each processor and Node ABI; undefined in a checkout. */
export const NATIVE_DIR = isPackaged ? join(programDir, 'native') : undefined;

/** The version of the program, such as `1.2.0`. Throws where the installation is broken. */
export function programVersion(): string {
  const file = join(isPackaged ? programDir : dirname(programDir), 'package.json');
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}
