import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';

/** The Node.js that stands for Synology's package Node.js_v22, from npm: it has the same interface for native code. */
export const NODE_22 = '22.23.3';

const CACHE = resolve(import.meta.dirname, '../../.cache/node');

/** The program `node` of that version for Linux on this processor family; fetched through npm once, then kept in .cache. */
export function nodeForTests(version = NODE_22, processor: 'x64' | 'arm64' = 'x64'): string {
  const folder = join(CACHE, `linux-${processor}-${version}`);
  const program = join(folder, 'bin/node');
  if (existsSync(program)) return program;
  mkdirSync(CACHE, { recursive: true });
  // Made aside and renamed: two tests may want it at the same moment.
  const part = mkdtempSync(join(CACHE, 'part-'));
  try {
    const name = `node-linux-${processor}@${version}`;
    execFileSync('npm', ['pack', name, '--silent', '--pack-destination', part], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const [archive] = readdirSync(part);
    if (archive === undefined) throw new Error(`npm gave nothing for ${name}`);
    const members = ['--strip-components=1', 'package/bin/node'];
    execFileSync('tar', ['-xzf', join(part, archive), '-C', part, ...members]);
    rmSync(join(part, archive));
    renameSync(part, folder);
  } catch (error) {
    rmSync(part, { recursive: true, force: true });
    if (!existsSync(program)) throw error;
  }
  return program;
}
