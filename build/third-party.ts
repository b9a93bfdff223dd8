import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

const WIDTH = 80;

/**
 * Whose licences do not ask for their text where only compiled code is passed on; named all the same. `readelf -s` of
 * modules that were linked without `-s` tells the files.
 */
const COMPILED_IN = `The native modules also hold:
- SQLite (https://sqlite.org), which is in the public domain
- parts of libc++ and libc++abi of the LLVM project (https://llvm.org), under the Apache License 2.0 with LLVM Exceptions
- stat, fstat and lstat of the GNU C Library (https://www.gnu.org/software/libc), under the GNU Lesser General Public License
  2.1 or later with the permission to link these files with other programs without restriction
`;

/**
 * The licences of the packages whose code is in the package, `folders` being where each lies below `root`. Throws for one
 * that names no licence: it may not be passed on.
 */
export function thirdPartyTexts(root: string, folders: readonly string[]): string {
  const texts = folders.map((folder) => {
    const path = join(root, folder);
    const { name, version, license, author } = JSON.parse(readFileSync(join(path, 'package.json'), 'utf8')) as {
      name: string;
      version: string;
      license?: string;
      author?: string | { name: string };
    };
    if (typeof license !== 'string') throw new Error(`${folder} names no licence`);
    const files = readdirSync(path)
      .filter((file) => /^(licen[cs]e|copying|notice)([.-]|$)/i.test(file))
      .sort();
    const words = files.map((file) => readFileSync(join(path, file), 'utf8').replaceAll('\r\n', '\n').trim());
    if (words.length === 0) {
      const by = typeof author === 'object' ? author.name : (author ?? 'its authors');
      words.push(`Published by ${by} under the licence ${license}, without a text of it.`);
    }
    return `${'='.repeat(WIDTH)}\n${name} ${version} (${license})\n${'='.repeat(WIDTH)}\n\n${words.join('\n\n')}\n`;
  });
  return `Site Backup holds code of the following packages, under their licences.\n\n${COMPILED_IN}\n${texts.join('\n')}`;
}
