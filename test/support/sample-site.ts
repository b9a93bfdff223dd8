import type { FileContent } from './scripted-ftp-content.ts';
import { utf8Name, type ScriptedTree } from './scripted-ftp-tree.ts';

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
const FIRST_UPLOAD_MS = Date.UTC(2024, 2, 4, 9, 12, 37);
const LAST_EDIT_MS = Date.UTC(2026, 10, 17, 16, 40, 8);
const BIG_FILE_BYTES = 50 * 1024 * 1024;

export const BIG_FILE_PATH = '/wp-content/uploads/2026/11/visite-atelier.mp4';

/** What changeSampleSite did. Paths as in the tree: bytes held as latin1 text. */
export interface SampleChanges {
  readonly added: readonly string[];
  readonly edited: readonly string[];
  /** Edited with the same number of bytes: only the time tells. */
  readonly editedSameSize: readonly string[];
  readonly removed: readonly string[];
  readonly renamed: readonly { readonly from: string; readonly to: string }[];
}

/**
 * Fills `tree` with a small company's site of about a hundred files: code, uploads, accents in UTF-8 and one name in
 * Latin-1, dot files, an empty file, brackets, spaces, and one large video. The same at every call.
 */
export function makeSampleSite(tree: ScriptedTree, options: { readonly bigFileBytes?: number } = {}): void {
  const { bigFileBytes = BIG_FILE_BYTES } = options;
  let count = 0;
  const write = (path: string, content: FileContent): void => {
    count += 1;
    // Spread over two and a half years, to the second, as uploads over the life of a site are.
    const mtimeMs = FIRST_UPLOAD_MS + ((count * 79) % 940) * DAY_MS + ((count * 397) % 1440) * MINUTE_MS + count * 1000;
    tree.writeFile(utf8Name(path), content, { mtimeMs });
  };
  const noise = (sizeBytes: number): FileContent => ({ sizeBytes, seed: count + 1 });

  write('/index.php', "<?php\ndefine('WP_USE_THEMES', true);\nrequire __DIR__ . '/wp-blog-header.php';\n");
  write('/index.html', page('Atelier Martin', 'Meubles sur mesure depuis 1987.'));
  write('/.htaccess', 'RewriteEngine On\nRewriteBase /\nRewriteRule ^index\\.php$ - [L]\n');
  write('/.ovhconfig', 'app.engine=php\napp.engine.version=8.3\n');
  write('/.well-known/security.txt', 'Contact: mailto:securite@example.org\nExpires: 2027-01-01T00:00:00Z\n');
  write('/.well-known/acme-challenge/.gitkeep', '');
  write('/robots.txt', 'User-agent: *\nDisallow: /wp-admin/\n');
  write('/favicon.ico', noise(1150));
  write('/wp-config.php', "<?php\ndefine('DB_NAME', 'atelier');\n$table_prefix = 'wp_';\n");
  write('/contact.html', page('Contact', 'Ouvert du mardi au samedi.'));
  write('/maintenance.flag', '');
  write('/Mentions légales.html', page('Mentions légales', 'Éditeur : Atelier Martin.'));

  for (let i = 1; i <= 18; i++) write(`/wp-includes/class-wp-part-${i}.php`, noise(900 + i * 733));
  for (let i = 1; i <= 8; i++) write(`/wp-includes/js/script-${i}.min.js`, noise(4_000 + i * 2_111));
  for (const name of ['style.css', 'functions.php', 'header.php', 'footer.php', 'screenshot.png']) {
    write(`/wp-content/themes/atelier/${name}`, noise(2_000 + name.length * 301));
  }
  for (const plugin of ['contact-form', 'seo']) {
    for (let i = 1; i <= 6; i++) write(`/wp-content/plugins/${plugin}/includes/module-${i}.php`, noise(1_200 * i));
    write(`/wp-content/plugins/${plugin}/readme.txt`, `=== ${plugin} ===\nStable tag: 2.4.1\n`);
  }
  for (const [month, photos] of [
    ['2025/06', 9],
    ['2026/03', 7],
    ['2026/11', 5],
  ] as const) {
    for (let i = 1; i <= photos; i++)
      write(`/wp-content/uploads/${month}/IMG_${4100 + i}.jpg`, noise(18_000 + i * 977));
  }
  write('/wp-content/uploads/2026/11/Été à Paris.jpg', noise(48_211));
  write('/wp-content/uploads/2026/11/Où êtes-vous ?.pdf', noise(21_300));
  write('/wp-content/uploads/2026/11/devis & conditions #2 (final).pdf', noise(33_019));
  write('/wp-content/uploads/2026/11/日本の椅子.webp', noise(27_440));
  write('/wp-content/cache/.htaccess', 'Deny from all\n');
  write('/app/[slug]/page.tsx', 'export function Page() {\n  return null;\n}\n');
  write('/app/[slug]/[...rest]/page.tsx', 'export function Page() {\n  return undefined;\n}\n');
  write('/app/-draft/notes *.txt', 'Not published.\n');
  write('/Dossier partagé/catalogue 2026/liste de prix.csv', 'ref;prix\nA-1;129,00\nA-2;89,50\n');
  write('/Dossier partagé/catalogue 2026/vide.csv', '');
  write(BIG_FILE_PATH, noise(bigFileBytes));

  tree.writeFile('/old/caf\xe9.html', page('Café', 'Ancienne page.'), { mtimeMs: Date.UTC(2019, 4, 2, 7, 30, 0) });
  tree.makeFolder('/wp-content/upgrade', { mtimeMs: FIRST_UPLOAD_MS });
}

/** Works on the site of makeSampleSite as its owner would on one day. May be called once. */
export function changeSampleSite(tree: ScriptedTree): SampleChanges {
  const uploads = '/wp-content/uploads/2026/11';
  const changes = {
    added: [`${uploads}/salon Noël.jpg`, `${uploads}/IMG_4107.jpg`, '/actualités/2026-11-21.html'].map(utf8Name),
    edited: ['/index.html', '/wp-content/themes/atelier/style.css'],
    editedSameSize: ['/wp-config.php'],
    removed: ['/maintenance.flag', '/wp-content/plugins/seo/includes/module-6.php'],
    renamed: [
      { from: '/contact.html', to: '/nous-joindre.html' },
      { from: utf8Name(`${uploads}/Été à Paris.jpg`), to: utf8Name(`${uploads}/Été à Lyon.jpg`) },
    ],
  };
  let stepMs = 0;
  const next = (): { mtimeMs: number } => ({ mtimeMs: LAST_EDIT_MS + (stepMs += 97_000) });
  for (const [index, path] of changes.added.entries()) {
    tree.writeFile(path, { sizeBytes: 12_345 + index * 4_001, seed: 9000 + index }, next());
  }
  tree.writeFile('/index.html', page('Atelier Martin', 'Portes ouvertes le 12 décembre.'), next());
  tree.writeFile('/wp-content/themes/atelier/style.css', { sizeBytes: 5_120, seed: 9100 }, next());
  tree.writeFile('/wp-config.php', "<?php\ndefine('DB_NAME', 'atelier');\n$table_prefix = 'am_';\n", next());
  for (const path of changes.removed) tree.remove(path);
  for (const { from, to } of changes.renamed) tree.rename(from, to);
  return changes;
}

function page(title: string, text: string): string {
  return `<!doctype html>\n<html lang="fr">\n<title>${title}</title>\n<p>${text}</p>\n</html>\n`;
}
