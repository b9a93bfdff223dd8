import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { appFiles } from './app-files.ts';
import { checkSpk, developmentPackages } from './check-spk.ts';
import { nativeModules } from './native.ts';
import { spk } from './spk.ts';
import { NODE_ABI_NAMES, PROCESSOR_NAMES } from './targets.ts';
import type { Processor } from './targets.ts';
import { thirdPartyTexts } from './third-party.ts';

export interface BuildOptions {
  /** The checkout, with its node_modules. */
  readonly root: string;
  /** Where the .spk file goes; made at need. */
  readonly outDir: string;
  /** As DSM counts, `1.2.0-0034`; by default the one of package.json. */
  readonly version?: string;
  /** Both by default. A package for one is for tests: it is smaller and sooner made. */
  readonly processors?: readonly Processor[];
  /** Compilers and native modules; by default `.cache` of the checkout. */
  readonly cacheDir?: string;
}

export interface BuiltPackage {
  readonly file: string;
  readonly version: string;
  readonly sizeBytes: number;
}

/**
 * Makes `SiteBackup-<version>.spk` and checks it. The same commit gives the same bytes, with the same release of Node.js
 * (whose gzip it is). Throws with all faults, one a line, where the package breaks a rule of DSM.
 */
export async function buildPackage(options: BuildOptions): Promise<BuiltPackage> {
  const { root } = options;
  const own = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string; packageBuild: number };
  const version = options.version ?? `${own.version}-${String(own.packageBuild).padStart(4, '0')}`;
  const targets = (options.processors ?? PROCESSOR_NAMES).flatMap((processor) =>
    NODE_ABI_NAMES.map((abi) => ({ processor, abi })),
  );
  const [app, native] = await Promise.all([
    appFiles(root, version.replace(/-\d+$/, '')),
    nativeModules(targets, options.cacheDir ?? join(root, '.cache')),
  ]);
  const thirdParty = thirdPartyTexts(root, app.packages);
  const bytes = spk({ root, version, createdAt: createdAt(root), app: app.files, native, thirdParty });
  const faults = checkSpk(bytes, { developmentPackages: developmentPackages(root), buildFolders: [root] });
  mkdirSync(options.outDir, { recursive: true });
  const file = join(options.outDir, `SiteBackup-${version}.spk`);
  writeFileSync(file, bytes);
  if (faults.length > 0)
    throw new Error(`${file} breaks rules of DSM:\n${faults.map((line) => `- ${line}`).join('\n')}`);
  return { file, version, sizeBytes: bytes.length };
}

/** The time of the commit, or SOURCE_DATE_EPOCH (https://reproducible-builds.org/specs/source-date-epoch/). */
function createdAt(root: string): number {
  const given = process.env['SOURCE_DATE_EPOCH'];
  const text = given ?? execFileSync('git', ['log', '-1', '--format=%ct'], { cwd: root, encoding: 'utf8' });
  const seconds = Number(text);
  if (!Number.isSafeInteger(seconds) || seconds <= 0)
    throw new Error('set SOURCE_DATE_EPOCH: git knows no commit here');
  return seconds;
}
