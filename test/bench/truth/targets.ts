/** A target folder that is not what it was. More of them, with real file systems: test/faults/disk.test.ts. */
import { mkdirSync, readdirSync, renameSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import assert from 'node:assert/strict';
import type { ScriptedScenario } from './scenario.ts';
import { EVERY_EDIT } from './site.ts';

const ownOnly = 'it is about the folder on the NAS';

export const TARGET_SCENARIOS: readonly ScriptedScenario[] = [
  {
    name: 'target-not-mounted',
    about: 'An empty folder lies where the volume of the backup should be: nothing is laid there',
    ownOnly,
    nights: [
      {
        targetTrouble: (folder) => {
          const away = join(folder, '../../away');
          renameSync(folder, away);
          mkdirSync(folder);
          return () => {
            assert.deepEqual(readdirSync(folder), [], 'something was laid in an empty mount point');
            rmdirSync(folder);
            renameSync(away, folder);
          };
        },
        expect: { outcome: 'failed', cause: 'target-missing', behind: EVERY_EDIT },
      },
    ],
  },
  {
    name: 'folder-in-the-way',
    about:
      'Somebody made a folder on the NAS where a new file is to come, and laid a file in it: it goes to the versions',
    ownOnly,
    nights: [
      {
        targetTrouble: (folder) => {
          mkdirSync(join(folder, 'current/docs/new.txt'));
          writeFileSync(join(folder, 'current/docs/new.txt/mine'), 'mine');
          return () => undefined;
        },
        expect: { outcome: 'complete' },
      },
    ],
  },
];
