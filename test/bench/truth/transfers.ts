/** Transfers that end early, late, never, or bring something else. */
import type { ErrorCode } from '../../../src/errors.ts';
import type { RunOverrides } from '../../support/backup-fixture.ts';
import type { FaultAction, FaultTrigger } from '../../support/scripted-ftp-faults.ts';
import type { Expected, Night, ScriptedScenario } from './scenario.ts';
import { editSite, makeSite, photo } from './site.ts';

const EDITED = photo(11);
const BIG = '/video/big.mp4';
const BIG_BYTES = 3 * 1024 * 1024;

/** A server that says nothing more is given up soon. */
const SHORT: RunOverrides = { source: { idleSeconds: 0.4 }, attempts: 2 };

function retrieve(on: Omit<FaultTrigger, 'command'>, action: FaultAction, expect: Expected): Night {
  return {
    trouble: (server) => {
      server.addFault({ command: 'RETR', ...on }, action);
      return undefined;
    },
    expect,
  };
}

const always: readonly (readonly [name: string, about: string, action: FaultAction, code: ErrorCode])[] = [
  ['40-of-140-and-226', 'An edited file comes cut short, with 226', { sendBytes: 40 }, 'size-mismatch'],
  ['nothing-and-226', 'An edited file comes empty, with 226', { sendBytes: 0 }, 'size-mismatch'],
  ['longer-than-size', 'An edited file comes with a byte too many', { extraBytes: 1 }, 'size-mismatch'],
  ['reset-mid-file', 'The transfer of an edited file is reset, with 426', { resetAfterBytes: 40 }, 'transfer-aborted'],
  [
    'reset-mid-file-and-226',
    'The transfer of an edited file is reset, with 226',
    { resetAfterBytes: 40, finalReply: '226 Transfer complete.' },
    'transfer-aborted',
  ],
  [
    'transfer-426',
    'A transfer ends early, with 426',
    { sendBytes: 40, finalReply: '426 Aborted.' },
    'transfer-aborted',
  ],
  [
    'transfer-451',
    'A transfer ends early, with 451',
    { sendBytes: 40, finalReply: '451 Read error.' },
    'transfer-aborted',
  ],
  ['transfer-451-after-all', 'All bytes come, and then 451', { finalReply: '451 Read error.' }, 'transfer-aborted'],
  ['transfer-425', 'No data connection for one file', { reply: '425 No data connection.' }, 'transfer-aborted'],
  ['transfer-550-listed', 'A listed file is refused', { reply: '550 Failed to open file.' }, 'file-refused'],
  ['transfer-no-226', 'All bytes come, and no closing reply ever', { finalReply: 'none' }, 'connection-lost'],
  [
    'transfer-closed-mid-file',
    'Both connections end in the middle',
    { sendBytes: 40, dropAfterData: true },
    'connection-lost',
  ],
  ['transfer-stalls', 'A transfer stops and never ends', { stallAfterBytes: 40 }, 'timed-out'],
  ['transfer-never-begins', 'No answer to RETR, ever', { hang: true }, 'timed-out'],
  ['transfer-421', 'The server closes at one file, every time', { reply: '421 Service not available.' }, 'server-busy'],
];

const once: readonly (readonly [name: string, about: string, action: FaultAction])[] = [
  ['once-40-of-140', 'An edited file comes cut short once', { sendBytes: 40 }],
  ['once-reset', 'A transfer is reset once', { resetAfterBytes: 40 }],
  ['once-451', 'A transfer ends with 451 once', { finalReply: '451 Read error.' }],
  ['once-no-226', 'A closing reply is missing once', { finalReply: 'none' }],
  ['once-closed', 'Both connections end in the middle of a file once', { sendBytes: 40, dropAfterData: true }],
];

const moving: readonly ScriptedScenario[] = [
  {
    name: 'vanished-before-its-transfer',
    about: 'An edited file is deleted between its listing and its transfer',
    nights: [
      {
        mayComplain: true,
        trouble: (server) => {
          const run = (): void => {
            server.tree.remove(EDITED);
          };
          server.addFault({ command: 'RETR', path: EDITED, nth: 1 }, { run });
          return undefined;
        },
        expect: { outcome: 'complete', leftovers: [EDITED], notices: [`file-gone ${EDITED}`] },
      },
    ],
  },
  {
    name: 'grows-while-reading',
    about: 'A log grows during its transfer, twice',
    nights: [
      {
        trouble: (server) => {
          let size = 140;
          const run = (): void => {
            size++;
            server.tree.writeFile(EDITED, 'e'.repeat(size));
          };
          server.addFault({ command: 'RETR', path: EDITED, nth: 1, times: 2 }, { run });
          return undefined;
        },
        expect: { outcome: 'complete' },
      },
    ],
  },
  {
    name: 'grows-for-ever',
    about: 'A log grows during each of its transfers',
    nights: [
      {
        trouble: (server) => {
          let size = 140;
          const run = (): void => {
            size++;
            server.tree.writeFile(EDITED, 'e'.repeat(size));
          };
          server.addFault({ command: 'RETR', path: EDITED }, { run });
          return undefined;
        },
        expect: { outcome: 'incomplete', failures: [`size-mismatch ${EDITED}`], behind: [EDITED] },
      },
    ],
  },
  {
    name: 'edited-while-reading',
    about: 'A file is edited within its size during its transfer: half of each comes',
    nights: [
      {
        trouble: (server) => {
          let edits = 0;
          const run = (): void => {
            if (edits++ === 0) server.tree.writeFile(EDITED, 'second\n'.repeat(20));
          };
          const content = 'edited\n'.repeat(10) + 'second\n'.repeat(10);
          server.addFault({ command: 'RETR', path: EDITED, nth: 1 }, { run, content });
          return undefined;
        },
        expect: { outcome: 'complete' },
      },
    ],
  },
];

const large: readonly ScriptedScenario[] = [
  {
    name: 'large-file-breaks-off-once',
    about: 'A large file breaks off in the middle, and goes on there',
    site: makeSiteWithVideo,
    nights: [
      {
        change: editVideo,
        trouble: (server) => {
          server.addFault(
            { command: 'RETR', path: BIG, nth: 1 },
            { sendBytes: BIG_BYTES / 2, finalReply: '426 Aborted.' },
          );
          return undefined;
        },
        expect: { outcome: 'complete' },
      },
    ],
  },
  {
    name: 'rest-ignored',
    about: 'A large file breaks off; REST is granted, and the file comes from its start',
    site: makeSiteWithVideo,
    nights: [
      {
        change: editVideo,
        trouble: (server) => {
          server.addFault(
            { command: 'RETR', path: BIG, nth: 1 },
            { sendBytes: BIG_BYTES / 2, finalReply: '426 Aborted.' },
          );
          server.addFault({ command: 'RETR', path: BIG }, { ignoreRest: true });
          return undefined;
        },
        expect: { outcome: 'complete' },
      },
    ],
  },
  {
    name: 'replaced-between-two-halves',
    about: 'A large file breaks off one night and is another of the same size and time the next',
    site: makeSiteWithVideo,
    server: { uniqueFacts: false },
    run: { attempts: 2 },
    nights: [
      {
        change: editVideo,
        trouble: (server) => {
          server.addFault({ command: 'RETR', path: BIG }, { sendBytes: BIG_BYTES / 2, finalReply: '426 Aborted.' });
          return undefined;
        },
        expect: { outcome: 'incomplete', failures: [`transfer-aborted ${BIG}`], behind: [BIG] },
      },
      {
        change: (site) => {
          const mtimeMs = [...site.files()].find(({ path }) => path === BIG)?.mtimeMs ?? 0;
          site.writeFile(BIG, { sizeBytes: BIG_BYTES, seed: 99 }, { mtimeMs });
        },
        expect: { outcome: 'complete' },
      },
    ],
  },
];

const plain: readonly ScriptedScenario[] = [
  {
    name: 'zero-byte-file',
    about: 'A new file is empty, and that is right',
    nights: [
      {
        change: (site) => {
          site.writeFile('/docs/empty.txt', '');
        },
        expect: { outcome: 'complete', downloaded: 1 },
      },
    ],
  },
  {
    name: 'emptied-file',
    about: 'A file is empty now, as after a full quota: its older content stays within reach',
    isDisaster: true,
    nights: [
      {
        change: (site) => {
          site.writeFile(photo(3), '');
        },
        expect: { outcome: 'complete', notices: [`file-emptied ${photo(3)}`] },
      },
    ],
  },
  {
    name: 'type-forgotten-after-reconnect',
    about: 'Connections are lost: what comes by the new ones is not spoilt by ASCII mode',
    nights: [
      {
        trouble: (server) => {
          server.addFault({ command: 'RETR', nth: 2 }, { drop: true });
          server.addFault({ command: 'RETR', nth: 4 }, { drop: true });
          return undefined;
        },
        expect: { outcome: 'complete' },
      },
    ],
  },
];

function makeSiteWithVideo(site: Parameters<typeof makeSite>[0]): void {
  makeSite(site);
  site.writeFile(BIG, { sizeBytes: BIG_BYTES, seed: 1 });
}

function editVideo(site: Parameters<typeof makeSite>[0]): void {
  editSite(site);
  site.writeFile(BIG, { sizeBytes: BIG_BYTES, seed: 2 });
}

export const TRANSFER_SCENARIOS: readonly ScriptedScenario[] = [
  ...always.map(([name, about, action, code]) => ({
    name,
    about,
    run: SHORT,
    nights: [
      retrieve({ path: EDITED }, action, { outcome: 'incomplete', failures: [`${code} ${EDITED}`], behind: [EDITED] }),
    ],
  })),
  ...once.map(([name, about, action]) => ({
    name,
    about,
    run: SHORT,
    nights: [retrieve({ path: EDITED, nth: 1 }, action, { outcome: 'complete' })],
  })),
  ...moving,
  ...large,
  ...plain,
];
