/** Listings that are cut, empty, forged, or in a form of their own. */
import type { FaultAction } from '../../support/scripted-ftp-faults.ts';
import type { ListingLimit } from '../../support/scripted-ftp-limits.ts';
import type { ScriptedServerOptions } from '../../support/scripted-ftp-options.ts';
import type { Expected, Night, ScriptedScenario } from './scenario.ts';
import { HIDDEN, PHOTOS as PHOTOS_MADE, editSite, leaveSite, makeSite, photo } from './site.ts';

const PHOTOS = '/photos';
const AT_MS = Date.UTC(2026, 2, 4, 5);
/** No MLSD, and no line at all for an empty folder: only memory knows that a folder was full. */
const BARE_LIST = { hasMlsd: false, listOptions: 'ignored', showsHidden: 'always' } as const;
const LIST_ONLY = { hasMlsd: false, hasMlst: false } as const;
/** New, and in no listing: nobody knows its name. An edited file is asked for by the name that is known. */
const NEW = HIDDEN.slice(1);

/** Every listing of `path` is as `action` makes it, all night. */
function lie(path: string, action: FaultAction, expect: Expected, change?: Night['change']): Night {
  return {
    ...(change === undefined ? {} : { change }),
    trouble: (server) => {
      server.addFault({ command: ['MLSD', 'LIST'], path }, action);
      return undefined;
    },
    expect,
  };
}

/** `behind`: nothing, where the listing is cut and those in another order show what it hides. */
function lied(code: string, behind: readonly string[] = []): Expected {
  return { outcome: 'incomplete', failures: [`${code} ${PHOTOS}`], behind };
}

/** A folder with `lines` that are not believed, each told by itself. */
function unparsed(folder: string, behind: readonly string[], lines = 1): Expected {
  const rejected = Array.from({ length: lines }, () => `name-unusable ${folder}`);
  return { outcome: 'incomplete', failures: [`listing-unparsed ${folder}`, ...rejected], behind };
}

/** The line of the edited file is changed, all others stay. */
function forge(change: (line: string) => string): FaultAction {
  return { mapListing: (lines) => lines.map((line) => (line.endsWith('p11.jpg') ? change(line) : line)) };
}

function cut(reply?: string): FaultAction {
  return { truncateListing: { lines: 8, ...(reply === undefined ? {} : { reply }) } };
}

const whole: Night = { expect: { outcome: 'complete' } };

const truncated: readonly ScriptedScenario[] = [
  {
    name: 'truncated-226-en',
    about: 'A listing is cut at its limit and the closing reply says so in English',
    nights: [lie(PHOTOS, cut('226-Options: -a -l\n226 Output truncated to 8 matches'), lied('listing-truncated'))],
  },
  {
    name: 'truncated-226-fr',
    about: 'The same in French',
    nights: [lie(PHOTOS, cut('226-Options: -a -l\n226 Sortie tronquee a 8 elements'), lied('listing-truncated'))],
  },
  {
    name: 'truncated-226-de',
    about: 'The same in German, in Latin-1',
    nights: [lie(PHOTOS, cut('226 Ausgabe auf 8 Treffer beschr\xe4nkt'), lied('listing-truncated'))],
  },
  {
    name: 'truncated-226-counts-more',
    about: 'The closing reply counts more files than the listing shows',
    server: { matchesText: true },
    nights: [lie(PHOTOS, cut('226-Options: -a -l\n226 16 matches total'), lied('listing-truncated'))],
  },
  {
    name: 'truncated-silently-at-998',
    about: 'A listing stops after 998 names without a word',
    site: (site) => {
      makeSite(site);
      for (let i = 0; i < 986; i++) site.writeFile(`/photos/a${String(i).padStart(3, '0')}`, `${i}`);
      // What comes last is what is cut off.
      site.remove(photo(11));
      site.writeFile(photo(11), 'photo 11\n'.repeat(10));
    },
    nights: [lie(PHOTOS, { mapListing: (lines) => lines.slice(0, 1000) }, lied('listing-truncated'))],
  },
  {
    name: 'truncated-two-nights-running',
    about: 'The same cut on two nights does not make a file missing in two runs',
    nights: [
      lie(PHOTOS, cut('226 Output truncated to 8 matches'), lied('listing-truncated')),
      lie(PHOTOS, cut('226 Output truncated to 8 matches'), lied('listing-truncated'), leaveSite),
      lie(PHOTOS, cut('226 Output truncated to 8 matches'), lied('listing-truncated'), leaveSite),
    ],
    run: { deletion: { rule: 'archive' } },
  },
  {
    name: 'truncated-in-the-first-run',
    about:
      'The first run of all meets a listing that is cut: it brings what other listings show, and says that there may be more',
    isFirstRun: true,
    nights: [lie(PHOTOS, cut('226 Output truncated to 8 matches'), lied('listing-truncated'))],
  },
  {
    name: 'cut-mid-line',
    about: 'A listing ends in the middle of a line, with 226',
    nights: [
      lie(
        PHOTOS,
        { sendBytes: 520 },
        { ...lied('listing-truncated'), failures: [`listing-truncated ${PHOTOS}`, `name-unusable ${PHOTOS}`] },
      ),
    ],
  },
  {
    name: 'listing-reset-then-226',
    about: 'The data connection of a listing is reset, and the server says 226',
    nights: [
      lie(PHOTOS, { resetAfterBytes: 300, finalReply: '226 Directory send OK.' }, lied('listing-aborted', HIDDEN)),
    ],
  },
  {
    name: 'listing-426',
    about: 'A listing breaks off with 426',
    nights: [lie(PHOTOS, { sendBytes: 300, finalReply: '426 Aborted.' }, lied('listing-aborted', HIDDEN))],
  },
  {
    name: 'listing-451',
    about: 'A listing ends at a whole line, with 451',
    nights: [
      lie(
        PHOTOS,
        { truncateListing: { lines: 8 }, finalReply: '451 Local error in processing.' },
        lied('listing-aborted', HIDDEN),
      ),
    ],
  },
  {
    name: 'listing-aborted-once',
    about: 'A listing breaks off once, the next one is whole',
    nights: [
      {
        trouble: (server) => {
          const action = { sendBytes: 300, finalReply: '426 Aborted.' };
          server.addFault({ command: ['MLSD', 'LIST'], path: PHOTOS, nth: 1 }, action);
          return undefined;
        },
        expect: { outcome: 'complete' },
      },
    ],
  },
];

/** Listings of /photos from now on show so many lines of its 15, as those of a real server that is set so. */
function limit(lines: number, as: ListingLimit['as'], expect: Expected, change?: Night['change']): Night {
  return {
    ...(change === undefined ? {} : { change }),
    trouble: (server) => {
      server.options.listingLimit = { lines, as };
      return () => {
        server.options.listingLimit = undefined;
      };
    },
    expect,
  };
}

const KEPT: Expected = { ...lied('listing-truncated'), leftovers: [photo(6)] };

const limits: readonly ScriptedScenario[] = [
  {
    name: 'limit-sorted-then-cut',
    about: 'A server shows 9 of 15 lines, the first of each order, from one night on',
    run: { deletion: { rule: 'archive' } },
    nights: [
      limit(9, 'pure-ftpd', lied('listing-truncated')),
      limit(9, 'pure-ftpd', lied('listing-truncated'), leaveSite),
      limit(9, 'pure-ftpd', lied('listing-truncated'), leaveSite),
    ],
  },
  {
    name: 'limit-hides-a-known-file',
    about: 'A server shows 7 of 15 lines; a file is edited that no order shows, and one that is hidden goes',
    run: { deletion: { rule: 'archive' } },
    site: (site) => {
      makeSite(site);
      for (let i = 0; i < PHOTOS_MADE; i++)
        site.writeFile(photo(i), 'x'.repeat(4090 + i), { mtimeMs: AT_MS + i * 60_000 });
    },
    nights: [
      limit(7, 'pure-ftpd', KEPT, (site) => {
        site.writeFile(photo(5), 'y'.repeat(4095), { mtimeMs: AT_MS + 5 * 60_000 + 1000 });
        site.remove(photo(6));
      }),
      limit(7, 'pure-ftpd', KEPT, leaveSite),
      limit(7, 'pure-ftpd', KEPT, leaveSite),
    ],
  },
];

const empty: readonly ScriptedScenario[] = [
  {
    name: 'empty-226-folder',
    about: 'A folder that held files is an empty success, all night',
    nights: [lie(PHOTOS, { emptyListing: true }, lied('listing-suspiciously-empty', NEW))],
  },
  {
    name: 'empty-226-once',
    about: 'A folder is an empty success once, and as it is when asked again',
    server: BARE_LIST,
    nights: [
      {
        trouble: (server) => {
          server.addFault({ command: 'LIST', path: PHOTOS, nth: 1 }, { emptyListing: true });
          return undefined;
        },
        expect: { outcome: 'complete' },
      },
    ],
  },
  {
    name: 'empty-226-root',
    about: 'The whole site is an empty success (MLSD)',
    nights: [
      lie(
        '/',
        { emptyListing: true },
        {
          outcome: 'incomplete',
          failures: ['listing-suspiciously-empty /'],
        },
      ),
    ],
  },
  {
    name: 'empty-226-root-list',
    about: 'The whole site is an empty success (LIST, three nights)',
    server: BARE_LIST,
    run: { deletion: { rule: 'archive' } },
    nights: [editSite, leaveSite, leaveSite].map((change) =>
      lie('/', { emptyListing: true }, { outcome: 'incomplete', failures: ['listing-suspiciously-empty /'] }, change),
    ),
  },
  {
    name: 'empty-226-on-chmod-000',
    about: 'A folder is closed by its rights, and LIST of it is an empty success, as of vsftpd and Pure-FTPd',
    server: LIST_ONLY,
    nights: [
      {
        trouble: (server) => {
          server.tree.setMode(PHOTOS, 0o000);
          return () => {
            server.tree.setMode(PHOTOS, 0o755);
          };
        },
        expect: lied('listing-refused', HIDDEN),
      },
    ],
  },
  {
    name: 'empty-226-on-unlistable',
    about: 'A folder may be entered and not listed, and LIST of it is an empty success',
    server: LIST_ONLY,
    nights: [
      {
        trouble: (server) => {
          server.tree.setMode(PHOTOS, 0o311);
          return () => {
            server.tree.setMode(PHOTOS, 0o755);
          };
        },
        expect: lied('listing-suspiciously-empty', NEW),
      },
    ],
  },
  {
    name: 'folder-refused-550',
    about: 'A folder is refused with a bare 550 all night',
    nights: [
      {
        trouble: (server) => {
          server.addFault({ command: ['CWD', 'MLSD', 'LIST'], path: PHOTOS }, { reply: '550 Failed.' });
          return undefined;
        },
        expect: lied('listing-refused', HIDDEN),
      },
    ],
  },
  {
    name: 'mlsd-450-then-ok',
    about: 'The first MLSD is refused for the moment: no lesser listing for the rest of the night',
    nights: [
      {
        trouble: (server) => {
          server.addFault({ command: 'MLSD', nth: 1 }, { reply: '450 Try again.' });
          return undefined;
        },
        expect: { outcome: 'complete' },
      },
    ],
  },
];

const forged: readonly ScriptedScenario[] = [
  {
    name: 'dot-dot-name',
    about: 'An edited file is listed under a name with ../',
    nights: [
      lie(
        PHOTOS,
        forge((line) => line.replace('p11.jpg', '../../p11.jpg')),
        unparsed(PHOTOS, []),
      ),
    ],
  },
  {
    name: 'slash-name',
    about: 'An edited file is listed under an absolute path',
    nights: [
      lie(
        PHOTOS,
        forge((line) => line.replace('p11.jpg', '/etc/p11.jpg')),
        unparsed(PHOTOS, []),
      ),
    ],
  },
  {
    name: 'slash-name-list',
    about: 'The same by LIST',
    server: LIST_ONLY,
    nights: [
      lie(
        PHOTOS,
        forge((line) => line.replace('p11.jpg', '/etc/p11.jpg')),
        unparsed(PHOTOS, []),
      ),
    ],
  },
  {
    name: 'dot-as-file',
    about: 'An edited file is listed as "."',
    nights: [
      lie(
        PHOTOS,
        forge((line) => line.replace('p11.jpg', '.')),
        unparsed(PHOTOS, []),
      ),
    ],
  },
  {
    name: 'negative-size',
    about: 'An edited file is listed with a negative size',
    nights: [
      lie(
        PHOTOS,
        forge((line) => line.replace(/size=\d+/, 'size=-5')),
        unparsed(PHOTOS, []),
      ),
    ],
  },
  {
    name: 'size-beyond-2-53',
    about: 'An edited file is listed with more bytes than a number holds',
    nights: [
      lie(
        PHOTOS,
        forge((line) => line.replace(/size=\d+/, 'size=9007199254740993')),
        unparsed(PHOTOS, []),
      ),
    ],
  },
  {
    name: 'garbage-time',
    about: 'The times of a listing cannot be read: an edit is found all the same',
    nights: [
      lie(
        PHOTOS,
        { mapListing: (lines) => lines.map((line) => line.replace(/modify=\d+/, 'modify=20260631250000')) },
        { outcome: 'complete' },
      ),
    ],
  },
  {
    name: 'garbage-time-same-size',
    about: 'The times cannot be read, and a file was edited within its size',
    nights: [
      lie(
        PHOTOS,
        { mapListing: (lines) => lines.map((line) => line.replace(/modify=\d+/, 'modify=yesterday')) },
        { outcome: 'complete' },
        (site) => {
          site.writeFile(photo(5), 'PHOTO 5\n'.repeat(10));
        },
      ),
    ],
  },
  {
    name: 'no-known-form',
    about: 'A listing comes in a form that nobody knows',
    nights: [lie(PHOTOS, { rawListing: 'DISK$:[SITE]\r\nP11.JPG;2 3/4 21-NOV-2026\r\n' }, unparsed(PHOTOS, NEW, 2))],
  },
  {
    name: 'name-twice',
    about: 'An edited file is listed twice, the second time as it was before',
    nights: [
      lie(
        PHOTOS,
        { mapListing: (lines) => [...lines, (lines.at(-2) ?? '').replace(/^.* /, 'type=file;size=99; ')] },
        unparsed(PHOTOS, []),
      ),
    ],
  },
  {
    name: 'file-posing-as-folder',
    about: 'A line break in a name feigns a folder where an edited file lies',
    nights: [
      lie(
        '/',
        { mapListing: (lines) => ['type=dir;modify=20260101000000;unique=801Uffff; index.html', ...lines] },
        {
          outcome: 'incomplete',
          failures: ['listing-refused /index.html', 'listing-unparsed /', 'name-unusable /'],
          behind: ['/index.html'],
        },
      ),
    ],
  },
  {
    name: 'folder-posing-as-file',
    about: 'A line break in a name feigns a file where a folder lies',
    nights: [
      lie(
        '/',
        { mapListing: (lines) => ['type=file;size=9;modify=20260101000000;unique=801Uffff; photos', ...lines] },
        unparsed('/', HIDDEN),
      ),
    ],
  },
  {
    name: 'fake-entry-by-line-break',
    about: 'A name with line breaks injects a file and a folder into LIST',
    server: LIST_ONLY,
    nights: [
      {
        trouble: (server) => {
          const line = 'drwxr-xr-x 1 0 0 4096 Jan  1 2026 ';
          const name = `a\r\n${line}ghosts\r\n${line.replace('d', '-')}ghost`;
          server.tree.writeOddName('/docs', name, 'boo');
          return () => {
            server.tree.remove(`/docs/${name}`);
          };
        },
        expect: {
          outcome: 'incomplete',
          failures: ['file-refused /docs/a', 'file-refused /docs/ghost', 'listing-refused /docs/ghosts'],
          behind: ['/docs/a\r\ndrwxr-xr-x 1 0 0 4096 Jan  1 2026 ghosts\r\n-rwxr-xr-x 1 0 0 4096 Jan  1 2026 ghost'],
        },
      },
    ],
  },
];

/** Forms of LIST that are honest and must simply be read. */
const styles: readonly (readonly [
  name: string,
  about: string,
  server: Partial<ScriptedServerOptions>,
  peerOptions?: ScriptedScenario['peerOptions'],
])[] = [
  ['list-unix', 'A server without MLSD', LIST_ONLY],
  ['list-total-line', 'A LIST that begins with "total"', { ...LIST_ONLY, showsTotal: true }],
  ['list-months-fr', 'A LIST with French months', { ...LIST_ONLY, listStyle: 'unix-fr' }],
  ['list-day-first-fr', 'A LIST with French months behind the day', { ...LIST_ONLY, listStyle: 'unix-fr-day-first' }],
  ['list-iso', 'A LIST with ISO dates', { ...LIST_ONLY, listStyle: 'unix-iso' }],
  ['list-dos', 'A LIST as of IIS', { ...LIST_ONLY, listStyle: 'dos', showsHidden: 'always' }],
  [
    'list-option-as-name',
    'A LIST that takes -a for the name of a file',
    { ...LIST_ONLY, listOptions: 'as-name', showsHidden: 'always' },
  ],
  ['dot-files-only-with-a', 'Dot files that LIST shows only with -a', { ...LIST_ONLY, showsHidden: 'with-a' }],
  [
    'dot-files-hidden-by-mlsd',
    'Dot files that MLSD hides and LIST -a shows',
    { mlsdShowsHidden: false },
    { lftp: ['set ftp:use-mlsd no'], rclone: ['--ftp-force-list-hidden'] },
  ],
];

/** A dot file is edited, too: a tool that cannot see it has a stale copy. */
const readable: readonly ScriptedScenario[] = styles.map(([name, about, server, peerOptions]) => ({
  name,
  about,
  server,
  ...(peerOptions === undefined ? {} : { peerOptions }),
  nights: [
    {
      change: (site) => {
        editSite(site);
        site.writeFile('/.htaccess', 'deny from everybody');
      },
      expect: { outcome: 'complete' },
    },
  ],
}));

export const LISTING_SCENARIOS: readonly ScriptedScenario[] = [
  { name: 'honest-server', about: 'Nothing is wrong: the standard by which all others are read', nights: [whole] },
  ...truncated,
  ...limits,
  ...empty,
  ...forged,
  ...readable,
];
