import { readFileSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Step } from './history.ts';
import { sha256Of } from './site.ts';

export type Damage = Extract<Step, { readonly do: 'damage' }>;

/** Damages a file below the task's folder, and gives the SHA-256 of what it was; undefined where there is none to damage. */
export function damageFile(targetFolder: string, { where, how, pick }: Damage): string | undefined {
  const files = readdirSync(join(targetFolder, where), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
    // Many files hold nothing: of those, one could not be told from another.
    .filter((path) => statSync(path).size > 0);
  const path = files[pick % Math.max(1, files.length)];
  if (path === undefined) return undefined;
  const content = readFileSync(path);
  const { atime, mtime } = statSync(path);
  if (how === 'lost') rmSync(path);
  else {
    writeFileSync(path, how === 'cut' ? content.subarray(0, -1) : content.map((byte) => byte ^ 0xff));
    if (how === 'flipped') utimesSync(path, atime, mtime);
  }
  return sha256Of(content);
}
