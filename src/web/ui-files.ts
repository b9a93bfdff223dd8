import { createHash } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** What the pages are made of beside code: views, style sheets, scripts, icons. */
export interface UiFiles {
  readonly viewsDir: string;
  readonly publicDir: string;
  /** Changes with every byte below `publicDir`: it stands in the URL of each file, so that none is ever stale. */
  readonly version: string;
  /** The symbols of icons.svg, to stand in each page: `<use>` of another file falls under the CSP differently by browser. */
  readonly sprite: string;
}

/** Reads the `ui` folder, by default the one that lies beside the sources. Throws where the installation is broken. */
export function readUiFiles(uiDir: string = fileURLToPath(new URL('../../ui/', import.meta.url))): UiFiles {
  const publicDir = join(uiDir, 'public');
  const hash = createHash('sha256');
  for (const name of readdirSync(publicDir).sort()) hash.update(name).update(readFileSync(join(publicDir, name)));
  const sprite = readFileSync(join(publicDir, 'icons.svg'), 'utf8').replace(/^<svg[^>]*>|<\/svg>\s*$/g, '');
  return { viewsDir: join(uiDir, 'views'), publicDir, version: hash.digest('base64url').slice(0, 12), sprite };
}
