/** Edits that hide behind equal sizes and times, and clocks that move without an edit. */
import type { VersionSettings } from '../../../src/settings/task-settings.ts';
import type { ScriptedServerOptions } from '../../support/scripted-ftp-options.ts';
import type { Night, ScriptedScenario, Site } from './scenario.ts';
import { leaveSite, makeSite, photo } from './site.ts';

const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;
const LIST_ONLY = { hasMlsd: false, hasMlst: false } as const;
const FILE = '/index.html';
const SAME_SIZE = '<h1>Hoax</h1>';

/** Of FILE, in whole seconds. */
function timeOf(site: Pick<Site, 'files'>, path: string): number {
  return [...site.files()].find((file) => file.path === path)?.mtimeMs ?? 0;
}

/** The site, with FILE of this age at a whole minute. */
function withFileOfAge(ageMs: number, secondMs = 0): (site: Site) => void {
  return (site) => {
    makeSite(site);
    const mtimeMs = Math.floor((Date.now() - ageMs) / MINUTE_MS) * MINUTE_MS + secondMs;
    site.writeFile(FILE, '<h1>Home</h1>', { mtimeMs });
  };
}

/** FILE is edited within its size; its time moves by `stepMs`. */
function edit(stepMs: number, isReplaced = false): (site: Site) => void {
  return (site) => {
    site.writeFile(FILE, SAME_SIZE, { mtimeMs: timeOf(site, FILE) + stepMs, isReplaced });
  };
}

const WITHIN_30_DAYS: VersionSettings = {
  keep: 'within',
  count: 1,
  days: 30,
  hourly: 0,
  daily: 0,
  weekly: 0,
  monthly: 0,
  yearly: 0,
  quotaBytes: undefined,
};

const found: Night['expect'] = { outcome: 'complete', downloaded: 1 };
const quiet: Night['expect'] = { outcome: 'complete', downloaded: 0 };

function edited(
  name: string,
  about: string,
  server: Partial<ScriptedServerOptions>,
  change: (site: Site) => void,
  site?: (site: Site) => void,
): ScriptedScenario {
  return { name, about, server, nights: [{ change, expect: found }], ...(site === undefined ? {} : { site }) };
}

/** The server's idea of today moves; nobody has edited anything. */
function todayMoves(fromMs: number, toMs: number): Pick<ScriptedScenario, 'server' | 'nights'> {
  return {
    server: { ...LIST_ONLY, nowMs: fromMs },
    nights: [
      {
        change: leaveSite,
        trouble: (server) => {
          server.options.nowMs = toMs;
          return undefined;
        },
        expect: quiet,
      },
    ],
  };
}

export const TIME_SCENARIOS: readonly ScriptedScenario[] = [
  edited('same-size-edit', 'An edit within the size of a file, by MLSD', {}, edit(3 * DAY_MS)),
  edited('same-size-edit-list', 'The same by LIST, with MDTM', LIST_ONLY, edit(3 * DAY_MS)),
  edited(
    'same-size-edit-list-only',
    'The same by LIST alone',
    { ...LIST_ONLY, hasMdtm: false, hasSize: false },
    edit(3 * DAY_MS),
  ),
  edited(
    'same-minute-edit-list',
    'Two edits within a minute, of which the first was copied; LIST tells minutes',
    LIST_ONLY,
    edit(20_000),
    withFileOfAge(HOUR_MS, 5000),
  ),
  edited('one-second-later', 'An edit within the size of a file, one second later', {}, edit(1000)),
  edited('older-time', 'A file is replaced by an older one of the same size', {}, edit(-400 * DAY_MS)),
  edited('older-time-list', 'The same by LIST', LIST_ONLY, edit(-400 * DAY_MS)),
  edited('older-time-other-size', 'A file is replaced by an older one of another size', {}, (site) => {
    site.writeFile(FILE, '<h1>As it was</h1>', { mtimeMs: timeOf(site, FILE) - 400 * DAY_MS });
  }),
  edited(
    'replaced-under-same-size-and-time',
    'Another file takes the place of one, with the same size and time: only its identity tells',
    {},
    edit(0, true),
  ),
  edited(
    'time-in-the-future',
    'A server whose clock is a day ahead: an edit in the future is an edit',
    {},
    edit(7 * MINUTE_MS),
    withFileOfAge(-DAY_MS),
  ),
  {
    name: 'six-month-flip',
    about: 'LIST tells the year of a file instead of its hour, because half a year has passed',
    site: withFileOfAge(150 * DAY_MS),
    ...todayMoves(Date.now(), Date.now() + 60 * DAY_MS),
  },
  {
    name: 'year-roll-over',
    about: 'New Year passes between two runs, and LIST tells no year',
    site: (site) => {
      makeSite(site);
      site.writeFile(FILE, '<h1>Home</h1>', { mtimeMs: Date.UTC(2025, 11, 31, 10, 0) });
    },
    ...todayMoves(Date.UTC(2025, 11, 31, 23, 59), Date.UTC(2026, 0, 1, 2, 0)),
  },
  {
    name: 'emptied-and-filled',
    about: 'A file is empty one night and as before the next',
    nights: [
      {
        change: (site) => {
          site.writeFile(photo(3), '');
        },
        expect: found,
      },
      {
        change: (site) => {
          site.writeFile(photo(3), 'photo 3\n'.repeat(10));
        },
        expect: found,
      },
    ],
  },
  {
    name: 'time-stomped',
    about: 'A page is edited within its size and its time is put back: only reading it again tells',
    run: { verification: { sampleBytes: 1_000_000, sampleSeconds: 60 } },
    nights: [
      {
        change: edit(0),
        expect: { outcome: 'incomplete', failures: [`content-differs ${FILE}`], behind: [FILE], downloaded: 0 },
      },
      { change: leaveSite, expect: found },
    ],
  },
  {
    name: 'nas-clock-back-a-year-for-a-night',
    about:
      'The clock of the NAS is a year back in the night in which a file goes to the versions, which keep it 90 days',
    ownOnly: 'it is about the clock of the machine',
    run: { deletion: { rule: 'delete', days: 90 } },
    nights: [
      {
        change: (site) => {
          site.remove(photo(4));
        },
        expect: { outcome: 'complete', vanished: 1, leftovers: [photo(4)] },
      },
      { change: leaveSite, nasClockMs: -365 * DAY_MS, expect: quiet },
      { change: leaveSite, expect: quiet },
    ],
  },
  {
    name: 'nas-clock-years-ahead-for-a-night',
    about: 'The clock of the NAS is ten years ahead for one night; versions are kept for 30 days, what has gone for 90',
    ownOnly: 'it is about the clock of the machine',
    run: { deletion: { rule: 'delete', days: 90 }, versions: WITHIN_30_DAYS },
    nights: [
      {
        change: (site) => {
          site.remove(photo(4));
          edit(MINUTE_MS)(site);
        },
        expect: { outcome: 'complete', downloaded: 1, vanished: 1, leftovers: [photo(4)] },
      },
      { change: leaveSite, expect: quiet },
      { change: leaveSite, nasClockMs: 3650 * DAY_MS, expect: quiet },
      { change: leaveSite, expect: quiet },
    ],
  },
  {
    name: 'nas-clock-goes-back',
    about: 'The clock of the NAS goes back 40 days between two runs',
    ownOnly: 'it is about the clock of the machine',
    nights: [{ nasClockMs: -40 * DAY_MS, expect: { outcome: 'complete' } }],
  },
  {
    name: 'nas-clock-jumps-ahead',
    about: 'The clock of the NAS is three years ahead for one run',
    ownOnly: 'it is about the clock of the machine',
    nights: [
      { nasClockMs: 3 * 365 * DAY_MS, expect: { outcome: 'complete' } },
      {
        change: edit(1000),
        expect: found,
      },
    ],
  },
];
