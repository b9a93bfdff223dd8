import { createHash } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { UI_DIR } from '../program-files.ts';

/** What the pages are made of beside code: views, style sheets, scripts, icons. */
export interface UiFiles {
  readonly viewsDir: string;
  readonly publicDir: string;
  /** Changes with every byte below `publicDir`: it stands in the URL of each file, so that none is ever stale. */
  readonly version: string;
  /**
   * The symbols of icons.svg by name, to stand in the pages that use them: `<use>` of another file falls under the CSP
   * differently by browser.
   */
  readonly icons: ReadonlyMap<string, string>;
  /** Names of icons that scripts may ask for. */
  readonly scriptIcons: readonly string[];
}

/** Reads the `ui` folder, by default the program's own. Throws where the installation is broken. */
export function readUiFiles(uiDir: string = UI_DIR): UiFiles {
  const publicDir = join(uiDir, 'public');
  const hash = createHash('sha256');
  for (const name of readdirSync(publicDir).sort()) hash.update(name).update(readFileSync(join(publicDir, name)));
  const symbols = readFileSync(join(publicDir, 'icons.svg'), 'utf8').matchAll(/<symbol id="i-([\w-]+)".*?<\/symbol>/g);
  const icons = new Map([...symbols].map(([symbol, name = '']) => [name, symbol]));
  const scripts = readdirSync(publicDir).filter((name) => name.endsWith('.js'));
  const words = scripts.flatMap(
    (name) => readFileSync(join(publicDir, name), 'utf8').match(/(?<=')[\w-]+(?=')/g) ?? [],
  );
  const scriptIcons = [...new Set(words)].filter((word) => icons.has(word));
  const version = hash.digest('base64url').slice(0, 12);
  return { viewsDir: join(uiDir, 'views'), publicDir, version, icons, scriptIcons };
}
