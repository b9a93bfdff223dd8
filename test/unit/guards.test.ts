import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { JOINT_FILES_MIN, SHARE_FILES_MIN, checkGuards, isCovered } from '../../src/engine/guards.ts';
import type { GuardFinding, GuardName } from '../../src/settings/guard-finding.ts';
import type { GuardSettings } from '../../src/settings/task-settings.ts';
import type { GuardTotals } from '../../src/state/guard-tables.ts';

const OFF: GuardSettings = {
  vanishedPercent: undefined,
  vanishedFiles: undefined,
  changedPercent: undefined,
  shrunkPercent: undefined,
  emptiedFiles: undefined,
  suffixPercent: undefined,
  emptiedFolders: false,
  serverChanged: false,
};

const DEFAULTS: GuardSettings = {
  vanishedPercent: 10,
  vanishedFiles: 500,
  changedPercent: 30,
  shrunkPercent: 50,
  emptiedFiles: 20,
  suffixPercent: 80,
  emptiedFolders: true,
  serverChanged: true,
};

/** A thousand files of a thousand bytes, and nothing happens. */
const QUIET: GuardTotals = {
  heldFiles: 1000,
  heldBytes: 1_000_000,
  vanishedFiles: 0,
  vanishedBytes: 0,
  changedFiles: 0,
  grownBytes: 0,
  emptiedFiles: 0,
  shrunkFiles: 0,
  newFiles: 0,
  newBytes: 0,
  suffix: undefined,
  emptiedFolders: [],
};

function found(totals: Partial<GuardTotals>, limits: Partial<GuardSettings>, otherServer?: string): GuardName[] {
  return checkGuards({ ...QUIET, ...totals }, { ...OFF, ...limits }, otherServer).map(({ guard }) => guard);
}

describe('A guard', () => {
  const limits: readonly (readonly [
    GuardName,
    Partial<GuardSettings>,
    (count: number) => Partial<GuardTotals>,
    number,
  ])[] = [
    ['vanishedPercent', { vanishedPercent: 10 }, (n) => ({ vanishedFiles: n }), 100],
    ['vanishedFiles', { vanishedFiles: 500 }, (n) => ({ vanishedFiles: n }), 500],
    ['changedPercent', { changedPercent: 30 }, (n) => ({ changedFiles: n }), 300],
    ['emptiedFiles', { emptiedFiles: 20 }, (n) => ({ emptiedFiles: n, changedFiles: n }), 20],
    [
      'shrunkPercent',
      { shrunkPercent: 50 },
      (n) => ({ shrunkFiles: SHARE_FILES_MIN, changedFiles: SHARE_FILES_MIN, grownBytes: -n }),
      500_000,
    ],
    [
      'suffixPercent',
      { suffixPercent: 80 },
      (n) => ({ suffix: { text: 'locked', files: n }, newFiles: 100, vanishedFiles: 100 }),
      80,
    ],
  ];
  for (const [guard, setting, totals, limit] of limits) {
    it(`${guard} lets pass what is below or at its limit, and nothing above`, () => {
      assert.deepEqual(found(totals(limit - 1), setting), []);
      assert.deepEqual(found(totals(limit), setting), []);
      assert.deepEqual(found(totals(limit + 1), setting), [guard]);
      assert.deepEqual(found(totals(limit + 1), {}), [], 'off');
    });
  }

  it('for an emptied folder asks about any that held at least a few files', () => {
    const emptied = (files: number): Partial<GuardTotals> => ({
      vanishedFiles: files,
      emptiedFolders: [{ path: '/photos', files }],
    });
    assert.deepEqual(found(emptied(JOINT_FILES_MIN - 1), { emptiedFolders: true }), []);
    assert.deepEqual(found(emptied(JOINT_FILES_MIN), { emptiedFolders: true }), ['emptiedFolders']);
    assert.deepEqual(found(emptied(JOINT_FILES_MIN), {}), []);
  });

  it('for another server asks only where much of its content is another, too', () => {
    const on = { serverChanged: true };
    assert.deepEqual(found({ changedFiles: 50 }, on, 'certificate'), [], 'a renewal on a busy night');
    assert.deepEqual(found({ changedFiles: 51 }, on, 'certificate'), ['serverChanged']);
    assert.deepEqual(found({ changedFiles: 30, vanishedFiles: 30 }, on, 'certificate'), ['serverChanged']);
    assert.deepEqual(found({ changedFiles: 51 }, on), [], 'the same server');
    assert.deepEqual(found({ heldFiles: 10, changedFiles: 4 }, on, 'greeting'), [], 'a handful');
  });

  it('does not ask about two of ten files that were deleted', () => {
    assert.deepEqual(found({ heldFiles: 10, vanishedFiles: 2 }, DEFAULTS), []);
  });

  it('that is about a share needs many files, unless another sign says the same', () => {
    const few = { heldFiles: 12, heldBytes: 12_000, vanishedFiles: 12, vanishedBytes: 12_000, newFiles: 12 };
    assert.deepEqual(found({ ...few, newBytes: 12_500 }, DEFAULTS), []);
    const encrypted = { ...few, newBytes: 12_500, suffix: { text: 'locked', files: 12 } };
    assert.deepEqual(found(encrypted, DEFAULTS), ['vanishedPercent', 'suffixPercent']);
    assert.deepEqual(found({ ...few, vanishedFiles: 4, shrunkFiles: 0, vanishedBytes: 12_000 }, DEFAULTS), []);
  });

  it('does not take an upload of files with a new ending for a mass renaming', () => {
    assert.deepEqual(found({ newFiles: 600, newBytes: 1, suffix: { text: 'webp', files: 600 } }, DEFAULTS), []);
    const renamed = { newFiles: 60, newBytes: 60_000, vanishedFiles: 60, vanishedBytes: 60_000 };
    assert.deepEqual(found({ ...renamed, suffix: { text: 'webp', files: 60 } }, DEFAULTS), ['suffixPercent']);
  });

  it('about bytes counts what has come against what has gone', () => {
    const rotated = { vanishedFiles: 30, vanishedBytes: 900_000, newFiles: 30 };
    assert.deepEqual(found({ ...rotated, newBytes: 900_000 }, { shrunkPercent: 50 }), []);
    assert.deepEqual(found({ ...rotated, newBytes: 100_000 }, { shrunkPercent: 50 }), ['shrunkPercent']);
  });

  it('finds nothing in a backup that holds nothing yet', () => {
    const first = { heldFiles: 0, heldBytes: 0, newFiles: 100, newBytes: 100, suffix: { text: 'php', files: 100 } };
    assert.deepEqual(found(first, DEFAULTS, 'greeting'), []);
  });

  it('never asks where all are off, whatever happens, and asks of more where it asked of less', () => {
    const count = fc.nat({ max: 2000 });
    fc.assert(
      fc.property(count, count, count, (vanishedFiles, changedFiles, more) => {
        const totals = { heldFiles: 2000, vanishedFiles, changedFiles };
        assert.deepEqual(found(totals, {}), []);
        const fewer = found(totals, DEFAULTS);
        const all = found(
          { ...totals, vanishedFiles: vanishedFiles + more, changedFiles: changedFiles + more },
          DEFAULTS,
        );
        for (const guard of fewer) assert.ok(all.includes(guard), guard);
      }),
    );
  });
});

describe('An acceptance', () => {
  const accepted = {
    files: 1000,
    vanished: 300,
    replaced: 0,
    folders: [],
    findings: checkGuards({ ...QUIET, vanishedFiles: 300 }, DEFAULTS, undefined).map((finding) => ({
      ...finding,
      examples: [],
    })),
  };
  const covers = (totals: Partial<GuardTotals>): boolean =>
    isCovered(checkGuards({ ...QUIET, ...totals }, DEFAULTS, undefined), accepted);

  it('covers as much as was accepted, and less', () => {
    assert.ok(covers({ vanishedFiles: 300 }));
    assert.ok(covers({ vanishedFiles: 200 }));
    assert.ok(covers({ vanishedFiles: 0 }));
  });

  it('of one new ending, or of one emptied folder, covers no other', () => {
    const found = (folder: string, text: string): GuardFinding[] => [
      ...checkGuards({ ...QUIET, emptiedFolders: [{ path: folder, files: 40 }] }, DEFAULTS, undefined),
      ...checkGuards(
        { ...QUIET, newFiles: 40, changedFiles: 40, suffix: { text, files: 80 } },
        { ...OFF, suffixPercent: 80 },
        undefined,
      ),
    ];
    const findings = found('/photos', 'webp').map((finding) => ({ ...finding, examples: [] }));
    assert.equal(findings.length, 2);
    assert.ok(isCovered(found('/photos', 'webp'), { ...accepted, findings }));
    assert.ok(!isCovered(found('/photos', 'locked'), { ...accepted, findings }));
    assert.ok(!isCovered(found('/shop', 'webp'), { ...accepted, findings }));
  });

  it('covers neither more of the same nor anything else', () => {
    assert.ok(!covers({ vanishedFiles: 301 }));
    assert.ok(!covers({ vanishedFiles: 300, changedFiles: 400 }));
    assert.ok(!covers({ vanishedFiles: 300, emptiedFiles: 21, changedFiles: 21 }));
  });
});
