import { closeSync, fsyncSync, openSync, readdirSync } from 'node:fs';

/** Returns once the file, or the names in the folder, survive a power cut. Throws the system's errors. */
export function flush(path: string): void {
  const file = openSync(path, 'r');
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/** What lies in the folder; nothing where it cannot be read. */
export function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
