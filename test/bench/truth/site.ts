/** The site that most scenarios are about, and its owner's work of one day. */
import type { Site } from './scenario.ts';

export const PHOTOS = 12;

export function makeSite(site: Site): void {
  site.writeFile('/index.html', '<h1>Home</h1>');
  site.writeFile('/.htaccess', 'deny from all');
  for (let i = 0; i < PHOTOS; i++) site.writeFile(photo(i), `photo ${i}\n`.repeat(10));
  site.writeFile('/photos/2026/summer.jpg', 'sun');
  site.writeFile('/docs/read me.txt', 'please');
  site.writeFile('/docs/old/one.txt', 'one');
}

/**
 * One day: something new and something edited in a folder that no scenario troubles, and both also at the end of
 * /photos, where a listing that is cut hides them. So a run that says it is whole and has not seen them lies.
 */
export function editSite(site: Site): void {
  site.writeFile('/docs/new.txt', 'new');
  site.writeFile('/index.html', '<h1>Changed</h1>');
  site.writeFile(photo(PHOTOS - 1), 'edited\n'.repeat(20));
  site.writeFile(photo(PHOTOS), 'added\n'.repeat(15));
}

/** What editSite did at the end of /photos. */
export const HIDDEN = [photo(PHOTOS - 1), photo(PHOTOS)];

/** All that editSite did. */
export const EVERY_EDIT = [...HIDDEN, '/index.html', '/docs/new.txt'];

export function photo(index: number): string {
  return `/photos/p${String(index).padStart(2, '0')}.jpg`;
}

/** A day on which nothing was done. */
export function leaveSite(): void {
  // Nothing.
}
