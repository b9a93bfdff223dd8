import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';

/**
 * Makes `folder` and what is missing above it, for their owner only. Step by step: Node's own recursive mkdir never
 * returns below /proc and its like (seen with 20.20.2).
 */
export function makePrivateFolder(folder: string): void {
  try {
    mkdirSync(folder, { mode: 0o700 });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') return;
    const above = dirname(folder);
    if (code !== 'ENOENT' || above === folder) throw error;
    makePrivateFolder(above);
    mkdirSync(folder, { mode: 0o700 });
  }
}
