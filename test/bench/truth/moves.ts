/** What goes on under another name, or comes back otherwise: by its owner's hand, by accident, by an attack. */
import { ARCHIVE, COMPLETE, PAGES, makeLargeSite, rest } from './deletions.ts';
import type { ScriptedServer } from '../../support/scripted-ftp-server.ts';
import type { Night, ScriptedScenario } from './scenario.ts';
import { leaveSite } from './site.ts';

const DAY_MS = 86_400_000;
const SUMMER = '/photos/2026/summer.jpg';
const OLD = '/docs/old/one.txt';

/** A listing of the site that leaves the folder /docs out, without a trace. */
function leaveOutFolder(server: ScriptedServer): undefined {
  const mapListing = (lines: readonly string[]): readonly string[] => lines.filter((line) => !line.endsWith(' docs'));
  server.addFault({ command: ['MLSD', 'LIST'], path: '/' }, { mapListing });
  return undefined;
}

export const MOVE_SCENARIOS: readonly ScriptedScenario[] = [
  {
    name: 'file-renamed',
    about: 'A file is renamed on a server that tells identities: it is moved, not brought',
    run: ARCHIVE,
    nights: [
      {
        change: (site) => {
          site.rename(SUMMER, '/photos/summer 2026.jpg');
        },
        expect: { outcome: 'complete', downloaded: 0 },
      },
      rest({ outcome: 'complete', downloaded: 0 }),
    ],
  },
  {
    name: 'file-renamed-without-identity',
    about: 'The same on a server that tells none: brought under its new name, and gone under its old one',
    server: { uniqueFacts: false },
    run: ARCHIVE,
    nights: [
      {
        change: (site) => {
          site.rename(SUMMER, '/photos/summer 2026.jpg');
        },
        expect: { outcome: 'complete', downloaded: 1, vanished: 1, leftovers: [SUMMER] },
      },
      rest(COMPLETE),
    ],
  },
  {
    name: 'folder-renamed',
    about: 'A folder is renamed with all that is in it',
    run: ARCHIVE,
    nights: [
      {
        change: (site) => {
          site.rename('/docs', '/papers/2026');
        },
        expect: { outcome: 'complete', downloaded: 0 },
      },
      rest({ outcome: 'complete', downloaded: 0 }),
    ],
  },
  {
    name: 'names-exchanged',
    about: 'Two files of one size and time exchange their names',
    run: ARCHIVE,
    nights: [
      {
        change: (site) => {
          site.rename('/photos/p01.jpg', '/photos/away');
          site.rename('/photos/p02.jpg', '/photos/p01.jpg');
          site.rename('/photos/away', '/photos/p02.jpg');
        },
        expect: { outcome: 'complete', downloaded: 2 },
      },
    ],
  },
  {
    name: 'folder-emptied-and-filled',
    about: 'A folder is really empty for a night, and has another file of the same name the next',
    run: ARCHIVE,
    nights: [
      {
        change: (site) => {
          site.remove(OLD);
        },
        expect: { outcome: 'complete', vanished: 1, leftovers: [OLD] },
      },
      {
        change: (site) => {
          site.writeFile(OLD, 'another one');
        },
        expect: { outcome: 'complete', downloaded: 1 },
      },
      rest({ outcome: 'complete', downloaded: 0 }),
    ],
  },
  {
    name: 'folder-left-out-for-many-nights',
    about: 'The listing of the site leaves a folder out night after night; asked for by name, it is there',
    run: ARCHIVE,
    nights: [
      { change: leaveSite, trouble: leaveOutFolder, expect: { outcome: 'complete', vanished: 2 } },
      ...[1, 2].map((): Night => ({
        change: leaveSite,
        trouble: leaveOutFolder,
        expect: { outcome: 'incomplete', failures: ['listing-truncated /'] },
      })),
    ],
  },
];

export const MOVE_DISASTER_SCENARIOS: readonly ScriptedScenario[] = [
  {
    name: 'restored-from-an-older-backup',
    about: 'The host puts an old copy in place: every page is older and smaller',
    isDisaster: true,
    isLasting: true,
    site: makeLargeSite,
    run: ARCHIVE,
    nights: [
      {
        change: (site) => {
          const before = new Map([...site.files()].map(({ path, mtimeMs }) => [path, mtimeMs]));
          for (const path of PAGES) {
            site.writeFile(path, `<h1>${path}</h1>`, { mtimeMs: (before.get(path) ?? 0) - 400 * DAY_MS });
          }
        },
        expect: { outcome: 'held', cause: 'guard-held', behind: PAGES },
      },
    ],
  },
  {
    name: 'renamed-to-one-ending',
    about: 'Every page gets the ending .locked, its content as before',
    isDisaster: true,
    isLasting: true,
    site: makeLargeSite,
    run: ARCHIVE,
    nights: [
      {
        change: (site) => {
          for (const path of PAGES) site.rename(path, `${path}.locked`);
        },
        expect: { outcome: 'held', cause: 'guard-held', vanished: 60, leftovers: PAGES },
      },
    ],
  },
];
