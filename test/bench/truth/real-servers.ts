/** What servers do as Debian builds them. */
import type { RealScenario, Site } from './scenario.ts';
import { editSite, makeSite } from './site.ts';

const DAY_MS = 86_400_000;
const CAPPED = 60;
const CAP = 50;
const SOFTWARE = ['vsftpd', 'proftpd', 'pure-ftpd'] as const;

function capped(index: number): string {
  return `/many/f${String(index).padStart(2, '0')}.txt`;
}

function withMany(site: Site): void {
  makeSite(site);
  for (let i = 0; i < CAPPED; i++) site.writeFile(capped(i), `file ${i}`);
}

const GLOBS = [
  '/app/[slug]/page.tsx',
  '/app/[slug]/[...rest]/page.tsx',
  '/app/*/star.txt',
  '/app/-draft/notes.txt',
  '/app/ s /t',
];

function writeGlobs(site: Site, text: string): void {
  for (const path of GLOBS) site.writeFile(path, `${text} of ${path}`);
}

export const REAL_SCENARIOS: readonly RealScenario[] = [
  {
    name: 'pure-ftpd-listing-cap',
    about: `Pure-FTPd shows ${CAP} of ${CAPPED} names from one day on; the files are all there`,
    software: 'pure-ftpd',
    site: withMany,
    nights: [
      {
        change: (site) => {
          editSite(site);
          for (let i = 0; i < CAPPED; i += 4) site.writeFile(capped(i), `edited file ${i}`);
        },
        trouble: async (server) => {
          await server.restart({ listingEntriesMax: CAP });
        },
        expect: { outcome: 'incomplete', failures: ['listing-truncated /many'] },
      },
    ],
  },
  ...SOFTWARE.flatMap((software): RealScenario[] => [
    {
      name: `${software}-honest`,
      about: `${software}, and nothing is wrong`,
      software,
      nights: [{ expect: { outcome: 'complete' } }],
    },
    {
      name: `${software}-same-size-edit`,
      about: `${software}: an edit within the size of a file, three days later`,
      software,
      nights: [
        {
          change: (site) => {
            const mtimeMs = [...site.files()].find(({ path }) => path === '/index.html')?.mtimeMs ?? 0;
            site.writeFile('/index.html', '<h1>Hoax</h1>', { mtimeMs: mtimeMs + 3 * DAY_MS });
          },
          expect: { outcome: 'complete' },
        },
      ],
    },
    {
      name: `${software}-dot-file-edit`,
      about: `${software}: .htaccess is edited`,
      software,
      nights: [
        {
          change: (site) => {
            site.writeFile('/.htaccess', 'deny from everybody');
          },
          expect: { outcome: 'complete' },
        },
      ],
    },
    {
      name: `${software}-globs`,
      about: `${software}: edits in folders named [slug], *, -draft, and with spaces at both ends`,
      software,
      site: (site) => {
        makeSite(site);
        writeGlobs(site, 'first');
      },
      nights: [
        {
          change: (site) => {
            writeGlobs(site, 'second edition');
          },
          expect: { outcome: 'complete' },
        },
      ],
    },
    {
      name: `${software}-folder-closed`,
      about: `${software}: a folder is closed by its rights`,
      software,
      nights: [
        {
          change: (site) => {
            editSite(site);
            site.setMode('/photos', 0o000);
          },
          expect: { outcome: 'incomplete', failures: ['listing-refused /photos'] },
        },
      ],
    },
    {
      name: `${software}-folder-unlistable`,
      about: `${software}: a folder may be entered and not listed`,
      software,
      nights: [
        {
          change: (site) => {
            editSite(site);
            site.setMode('/photos', 0o711);
          },
          // vsftpd: `226 Transfer done (but failed to open directory).`
          expect: {
            outcome: 'incomplete',
            failures: [`${software === 'vsftpd' ? 'listing-suspiciously-empty' : 'listing-refused'} /photos`],
          },
        },
      ],
    },
    {
      name: `${software}-latin1`,
      about: `${software}: a file with a Latin-1 name is edited`,
      software,
      site: (site) => {
        makeSite(site);
        site.writeFile('/docs/caf\xe9.txt', 'first');
      },
      nights: [
        {
          change: (site) => {
            site.writeFile('/docs/caf\xe9.txt', 'second edition');
          },
          expect: { outcome: 'complete' },
        },
      ],
    },
    {
      name: `${software}-link-loop`,
      about: `${software}: a link leads to the folder above it, another one to itself`,
      software,
      site: (site) => {
        makeSite(site);
        site.addLink('/docs/up', '..');
        site.addLink('/docs/self', 'self');
      },
      nights: [{ mayComplain: true, expect: { outcome: 'complete' } }],
    },
    {
      name: `${software}-file-closed`,
      about: `${software}: an edited file is closed by its rights`,
      software,
      nights: [
        {
          change: (site) => {
            editSite(site);
            site.setMode('/index.html', 0o000);
          },
          // vsftpd does not say why.
          expect: {
            outcome: 'incomplete',
            failures: [`${software === 'vsftpd' ? 'file-refused' : 'permission-denied'} /index.html`],
          },
        },
      ],
    },
  ]),
];
