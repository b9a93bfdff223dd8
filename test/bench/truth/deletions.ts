/** What leaves the site: by its owner's hand, by a listing that leaves it out, by accident, by an attack. */
import type { GuardSettings } from '../../../src/settings/task-settings.ts';
import type { RunOverrides } from '../../support/backup-fixture.ts';
import type { ScriptedServer } from '../../support/scripted-ftp-server.ts';
import type { Expected, Night, ScriptedScenario, Site } from './scenario.ts';
import { HIDDEN, PHOTOS, editSite, leaveSite, makeSite, photo } from './site.ts';

/** The limits of a new task. */
const GUARDS: GuardSettings = {
  vanishedPercent: 10,
  vanishedFiles: 500,
  changedPercent: 30,
  shrunkPercent: 50,
  emptiedFiles: 20,
  suffixPercent: 80,
  emptiedFolders: true,
  serverChanged: true,
};
export const ARCHIVE: RunOverrides = { guards: GUARDS, deletion: { rule: 'archive' } };

const HOUR_MS = 3_600_000;
const GONE = '/docs/read me.txt';
export const COMPLETE: Expected = { outcome: 'complete' };
const MARKED: Expected = { outcome: 'complete', vanished: 1, leftovers: [GONE] };
const KEPT: Expected = { outcome: 'complete', leftovers: [GONE] };

export const PAGES = Array.from({ length: 60 }, (_, i) => `/pages/${i % 3}/page ${String(i).padStart(2, '0')}.html`);
const BEFORE = [
  ...Array.from({ length: PHOTOS }, (_, i) => photo(i)),
  ...['/index.html', '/.htaccess', '/photos/2026/summer.jpg', '/docs/read me.txt', '/docs/old/one.txt'],
];

export function makeLargeSite(site: Site): void {
  makeSite(site);
  for (const path of PAGES) site.writeFile(path, `<h1>${path}</h1>`.repeat(10));
}

function remove(...paths: readonly string[]): (site: Site) => void {
  return (site) => {
    for (const path of paths) site.remove(path);
  };
}

function refuse(server: ScriptedServer, path: string): undefined {
  server.addFault({ command: ['CWD', 'MLSD', 'LIST'], path }, { reply: '550 Failed.' });
  return undefined;
}

/** A listing of /photos that leaves one file out, without a trace. */
function leaveOut(server: ScriptedServer): undefined {
  const mapListing = (lines: readonly string[]): readonly string[] => lines.filter((line) => !line.endsWith('p03.jpg'));
  server.addFault({ command: ['MLSD', 'LIST'], path: '/photos' }, { mapListing });
  return undefined;
}

/** Nobody works on the site; `expect` is what the run says. */
export function rest(expect: Expected): Night {
  return { change: leaveSite, expect };
}

const deletions: readonly ScriptedScenario[] = [
  {
    name: 'deleted-by-its-owner',
    about: 'A file is deleted: marked the first night, moved to the versions the second',
    run: ARCHIVE,
    nights: [{ change: remove(GONE), expect: MARKED }, rest(COMPLETE)],
  },
  {
    name: 'deleted-and-kept',
    about: 'The same where the task keeps what was deleted',
    run: { ...ARCHIVE, deletion: { rule: 'keep' } },
    nights: [{ change: remove(GONE), expect: MARKED }, rest(KEPT), rest(KEPT)],
  },
  {
    name: 'deleted-and-back',
    about: 'A file is gone for one night and back the next',
    run: ARCHIVE,
    nights: [
      { change: remove(GONE), expect: MARKED },
      {
        change: (site) => {
          site.writeFile(GONE, 'please');
        },
        expect: COMPLETE,
      },
      rest({ outcome: 'complete', downloaded: 0 }),
    ],
  },
  {
    name: 'folder-deleted',
    about: 'A folder is deleted with all that is in it',
    run: ARCHIVE,
    nights: [
      {
        change: remove('/docs/old'),
        expect: { outcome: 'complete', vanished: 1, leftovers: ['/docs/old/one.txt'] },
      },
      rest(COMPLETE),
    ],
  },
  {
    name: 'deleted-while-elsewhere-fails',
    about: 'A file is deleted on a night when another folder cannot be seen: that night does not count',
    run: ARCHIVE,
    nights: [
      {
        change: remove(GONE),
        trouble: (server) => {
          refuse(server, '/photos');
        },
        expect: { outcome: 'incomplete', failures: ['listing-refused /photos'], vanished: 1, leftovers: [GONE] },
      },
      rest(KEPT),
      rest(COMPLETE),
    ],
  },
  {
    name: 'file-becomes-folder',
    about: 'A folder takes the place of a file',
    run: ARCHIVE,
    nights: [
      {
        change: (site) => {
          site.remove('/index.html');
          site.writeFile('/index.html/inside.txt', 'inside');
        },
        expect: COMPLETE,
      },
    ],
  },
  {
    name: 'folder-becomes-file',
    about: 'A file takes the place of a folder',
    run: ARCHIVE,
    nights: [
      {
        change: (site) => {
          site.remove('/docs/old');
          site.writeFile('/docs/old', 'a file now');
        },
        expect: COMPLETE,
      },
    ],
  },
];

const left: readonly ScriptedScenario[] = [
  {
    name: 'left-out-for-one-night',
    about: 'A listing leaves one file out, without a trace, for one night',
    run: ARCHIVE,
    nights: [{ trouble: leaveOut, expect: { outcome: 'complete', vanished: 1 } }, rest(COMPLETE)],
  },
  {
    name: 'left-out-for-many-nights',
    about: 'A listing leaves one file out night after night; asked for by name, it is there',
    run: ARCHIVE,
    nights: [
      { trouble: leaveOut, expect: { outcome: 'complete', vanished: 1 } },
      ...[1, 2, 3].map((): Night => ({
        change: leaveSite,
        trouble: leaveOut,
        expect: { outcome: 'incomplete', failures: ['listing-truncated /photos'] },
      })),
    ],
  },
];

const disasters: readonly ScriptedScenario[] = [
  {
    name: 'site-emptied',
    about: 'The whole site really is empty, for three nights',
    isDisaster: true,
    isLasting: true,
    run: ARCHIVE,
    nights: [remove('/index.html', '/.htaccess', '/photos', '/docs'), leaveSite, leaveSite].map((change) => ({
      change,
      expect: { outcome: 'incomplete', failures: ['listing-suspiciously-empty /'], leftovers: BEFORE },
    })),
  },
  {
    name: 'site-wiped-but-for-a-page',
    about: 'All is gone but for a page of the attacker, for three nights',
    isDisaster: true,
    isLasting: true,
    site: makeLargeSite,
    run: ARCHIVE,
    nights: [
      (site: Site): void => {
        remove('/index.html', '/.htaccess', '/photos', '/docs', '/pages')(site);
        site.writeFile('/owned.html', 'owned');
      },
      leaveSite,
      leaveSite,
    ].map((change) => ({
      change,
      expect: { outcome: 'held', cause: 'guard-held', vanished: 77, leftovers: [...BEFORE, ...PAGES] },
    })),
  },
  {
    name: 'folder-lost-and-restored',
    about: 'A large folder is gone for two nights, and is put back',
    isDisaster: true,
    site: makeLargeSite,
    run: ARCHIVE,
    nights: [
      {
        change: (site) => {
          editSite(site);
          site.rename('/pages', '/docs/elsewhere');
          site.remove('/docs/elsewhere');
        },
        expect: {
          outcome: 'held',
          cause: 'guard-held',
          vanished: 60,
          leftovers: PAGES,
          behind: ['/index.html', HIDDEN[0] ?? ''],
        },
      },
      rest({
        outcome: 'held',
        cause: 'guard-held',
        vanished: 60,
        leftovers: PAGES,
        behind: ['/index.html', HIDDEN[0] ?? ''],
      }),
      {
        change: (site) => {
          for (const path of PAGES) site.writeFile(path, `<h1>${path}</h1>`.repeat(10));
        },
        expect: COMPLETE,
      },
    ],
  },
  {
    name: 'encrypted-and-renamed',
    about: 'Every page is encrypted and gets the ending .locked',
    isDisaster: true,
    isLasting: true,
    site: makeLargeSite,
    run: ARCHIVE,
    nights: [
      {
        change: (site) => {
          for (const [index, path] of PAGES.entries()) {
            site.remove(path);
            site.writeFile(`${path}.locked`, { sizeBytes: 300, seed: index + 1 });
          }
        },
        expect: { outcome: 'held', cause: 'guard-held', vanished: 60, leftovers: PAGES },
      },
    ],
  },
  {
    name: 'overwritten-in-place',
    about: 'Every page is overwritten under its own name',
    isDisaster: true,
    isLasting: true,
    site: makeLargeSite,
    run: ARCHIVE,
    nights: [
      {
        change: (site) => {
          for (const [index, path] of PAGES.entries()) site.writeFile(path, { sizeBytes: 300, seed: index + 1 });
        },
        expect: { outcome: 'held', cause: 'guard-held', behind: PAGES },
      },
    ],
  },
  {
    name: 'emptied-en-masse',
    about: 'A full disk at the host leaves 21 files with no bytes',
    isDisaster: true,
    isLasting: true,
    site: makeLargeSite,
    run: ARCHIVE,
    nights: [
      {
        change: (site) => {
          for (const path of PAGES.slice(0, 21)) site.writeFile(path, '');
        },
        expect: { outcome: 'held', cause: 'guard-held', behind: PAGES.slice(0, 21) },
      },
    ],
  },
  {
    name: 'one-page-defaced',
    about: 'One page is overwritten: no reason to hold anything, and its older content is kept',
    isDisaster: true,
    site: makeLargeSite,
    run: ARCHIVE,
    nights: [
      {
        change: (site) => {
          site.writeFile('/index.html', '<h1>Hoax</h1>');
        },
        expect: COMPLETE,
      },
    ],
  },
];

const clocks: readonly ScriptedScenario[] = [
  {
    name: 'summer-time',
    about: 'All times of the server move by an hour; one file was edited, too',
    site: makeLargeSite,
    run: ARCHIVE,
    nights: [
      {
        change: leaveSite,
        trouble: (server) => {
          for (const file of [...server.tree.files()]) server.tree.touch(file.path, file.mtimeMs + HOUR_MS);
          server.tree.writeFile('/index.html', '<h1>Changed</h1>');
          return undefined;
        },
        expect: { outcome: 'complete', downloaded: 1, notices: ['clock-shifted'] },
      },
    ],
  },
  {
    name: 'summer-time-hides-an-edit',
    isLasting: true,
    about: 'All times of the server move by an hour, and one file was edited within its size and has moved alike',
    site: (site) => {
      makeSite(site);
      for (const path of PAGES.slice(0, 20)) site.writeFile(path, `<h1>${path}</h1>`);
    },
    run: ARCHIVE,
    nights: [
      {
        change: leaveSite,
        trouble: (server) => {
          for (const file of [...server.tree.files()]) {
            const mtimeMs = file.mtimeMs + HOUR_MS;
            if (file.path === '/index.html') server.tree.writeFile(file.path, '<h1>Hoax</h1>', { mtimeMs });
            else server.tree.touch(file.path, mtimeMs);
          }
          return undefined;
        },
        // Where one of them lies, nothing is believed without asking.
        expect: { outcome: 'held', cause: 'guard-held', behind: ['/index.html'] },
      },
    ],
  },
];

export const DELETION_SCENARIOS: readonly ScriptedScenario[] = [...deletions, ...left];
export const DISASTER_SCENARIOS: readonly ScriptedScenario[] = [...disasters];
export const SHIFT_SCENARIOS: readonly ScriptedScenario[] = [...clocks];
