import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { checkApp } from './check/check-app.ts';
import type { AppExpectations } from './check/check-app.ts';
import { checkArchive } from './check/check-archive.ts';
import { checkDsmUi } from './check/check-dsm-ui.ts';
import { checkInfo } from './check/check-info.ts';
import { checkPrivilege, checkResource } from './check/check-resources.ts';
import { checkShell } from './check/check-shell.ts';
import { checkWizards } from './check/check-wizards.ts';
import { openPackage } from './check/package-file.ts';
import type { PackageFile, Rule } from './check/package-file.ts';

/**
 * Every rule of DSM 7.2 and of ours that a finished .spk file breaks, as sentences that name the file; none for a good
 * one. Rules of DSM: Developer Guide, and the codes that Package Center logs behind "Invalid file format".
 */
export function checkSpk(bytes: Buffer, expected: AppExpectations): readonly string[] {
  let file: PackageFile;
  try {
    file = openPackage(bytes);
  } catch (error) {
    return [error instanceof Error ? error.message : String(error)];
  }
  return spkRules(expected).flatMap((rule) => rule(file));
}

/** All groups of rules, each of which needs nothing but the opened package. */
export function spkRules(expected: AppExpectations): readonly Rule[] {
  return [
    checkArchive,
    checkInfo,
    checkPrivilege,
    checkResource,
    checkWizards,
    checkDsmUi,
    checkShell,
    checkApp(expected),
  ];
}

/** The packages of package-lock.json that `npm ci --omit=dev` would not install. */
export function developmentPackages(root: string): readonly string[] {
  const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
    packages: Readonly<Record<string, { dev?: boolean }>>;
  };
  const nameOf = (path: string): string => path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);
  const entries = Object.entries(lock.packages).filter(([path]) => path.includes('node_modules/'));
  const needed = new Set(entries.filter(([, { dev }]) => dev !== true).map(([path]) => nameOf(path)));
  return [...new Set(entries.map(([path]) => nameOf(path)))].filter((name) => !needed.has(name)).sort();
}
