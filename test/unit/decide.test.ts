import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { COARSE_STAMP_SETTLES_MS, decide, isUnsettledAfterRead } from '../../src/engine/decide.ts';
import type { Decision, DecideRules } from '../../src/engine/decide.ts';
import type { FileRecord } from '../../src/state/file-index.ts';
import type { EntryRow } from '../../src/state/run-rows.ts';

const NOON_MS = Date.UTC(2026, 4, 20, 12, 0, 0);
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

const ENTRY: EntryRow = {
  name: 'a.txt',
  type: 'file',
  sizeBytes: 100,
  stamp: '20260520120000',
  stampMs: NOON_MS,
  precision: 'second',
  unique: '801U4F',
  mode: '0644',
  leadsTo: undefined,
};
const RECORD: FileRecord = {
  name: 'a.txt',
  sizeBytes: 100,
  stamp: '20260520120000',
  stampMs: NOON_MS,
  precision: 'second',
  modifiedMs: NOON_MS,
  unique: '801U4F',
  mode: '0644',
  sha256: Buffer.alloc(32),
  localName: 'a.txt',
  isUnsettled: false,
  missingSinceRun: undefined,
};
const RULES: DecideRules = { isForced: false, hasStat: true };

const minute = (text: string, ms: number): Partial<EntryRow> => ({ stamp: text, stampMs: ms, precision: 'minute' });
const day = (text: string, ms: number): Partial<EntryRow> => ({ stamp: text, stampMs: ms, precision: 'day' });
const none: Partial<EntryRow> = { stamp: undefined, stampMs: undefined, precision: 'none' };

interface Case {
  readonly says: string;
  readonly entry?: Partial<EntryRow>;
  readonly record?: Partial<FileRecord>;
  readonly rules?: Partial<DecideRules>;
  readonly gives: Decision;
}

const same: Decision = { action: 'same' };
const refresh: Decision = { action: 'refresh' };
const download = (reason: 'changed' | 'forced' | 'unproven'): Decision => ({ action: 'download', reason });
const recheck = (reason: 'changed' | 'unproven'): Decision => ({ action: 'recheck', reason });

const NEW_YEAR_MS = Date.UTC(2026, 4, 20);
const CASES: readonly Case[] = [
  { says: 'leaves a file alone that is told as before', gives: same },
  { says: 'brings a file of another size', entry: { sizeBytes: 101 }, gives: download('changed') },
  { says: 'brings a file of a smaller size', entry: { sizeBytes: 0 }, gives: download('changed') },
  {
    says: 'brings a file with a later time',
    entry: { stamp: '20260520120001', stampMs: NOON_MS + 1000 },
    gives: download('changed'),
  },
  {
    says: 'brings a file with an older time: it was put back from an archive',
    entry: { stamp: '20200101000000', stampMs: Date.UTC(2020, 0, 1) },
    gives: download('changed'),
  },
  {
    says: 'brings a file whose exact time only changed in its fraction of a second',
    entry: { stamp: '20260520120000.5', stampMs: NOON_MS + 500 },
    gives: download('changed'),
  },
  { says: 'brings a file of which only the identity changed', entry: { unique: '801U50' }, gives: download('changed') },
  {
    says: 'takes over an identity that the server tells for the first time',
    record: { unique: undefined },
    gives: refresh,
  },
  { says: 'takes over that the server tells no identity any more', entry: { unique: undefined }, gives: refresh },
  { says: 'takes over other rights without bringing the file', entry: { mode: '0600' }, gives: refresh },
  { says: 'finds a file again that was missing', record: { missingSinceRun: 3 }, gives: refresh },
  {
    says: 'brings a file that was missing and comes back changed',
    record: { missingSinceRun: 3 },
    entry: { sizeBytes: 5 },
    gives: download('changed'),
  },
  { says: 'brings everything when forced', rules: { isForced: true }, gives: download('forced') },
  { says: 'asks again for an unsettled file', record: { isUnsettled: true }, gives: recheck('unproven') },
  {
    says: 'brings an unsettled file where the server cannot be asked',
    record: { isUnsettled: true },
    rules: { hasStat: false },
    gives: download('unproven'),
  },
  {
    says: 'leaves a file alone whose minute is told as before',
    entry: minute('May 20 12:00', NOON_MS),
    record: minute('May 20 12:00', NOON_MS),
    gives: same,
  },
  {
    says: 'asks when the minute changed, since the zone of the server may have, too',
    entry: minute('May 20 14:00', NOON_MS + 2 * HOUR_MS),
    record: minute('May 20 12:00', NOON_MS),
    gives: recheck('changed'),
  },
  {
    says: 'brings the file when the minute changed and the server cannot be asked',
    entry: minute('May 20 11:00', NOON_MS - HOUR_MS),
    record: minute('May 20 12:00', NOON_MS),
    rules: { hasStat: false },
    gives: download('changed'),
  },
  {
    says: 'takes over the coarser text when a file passes its six months',
    entry: day('May 20  2026', NEW_YEAR_MS),
    record: minute('May 20 12:00', NOON_MS),
    gives: refresh,
  },
  {
    says: 'takes over the finer text when the clock of the server was set back',
    entry: minute('May 20 12:00', NOON_MS),
    record: day('May 20  2026', NEW_YEAR_MS),
    gives: refresh,
  },
  {
    says: 'asks when the text got coarser and the day is another one',
    entry: day('May 21  2026', NEW_YEAR_MS + DAY_MS),
    record: minute('May 20 12:00', NOON_MS),
    gives: recheck('changed'),
  },
  {
    says: 'asks again at the flip for an unsettled file',
    entry: day('May 20  2026', NEW_YEAR_MS),
    record: { ...minute('May 20 12:00', NOON_MS), isUnsettled: true },
    gives: recheck('unproven'),
  },
  {
    says: 'asks when the day changed',
    entry: day('May 19  2026', NEW_YEAR_MS - DAY_MS),
    record: day('May 20  2026', NEW_YEAR_MS),
    gives: recheck('changed'),
  },
  {
    says: 'believes an exact time that equals the one asked for earlier',
    record: { ...minute('May 20 12:00', NOON_MS), modifiedMs: NOON_MS },
    gives: refresh,
  },
  {
    says: 'asks when a first exact time is not the one asked for earlier',
    record: { ...minute('May 20 12:00', NOON_MS), modifiedMs: NOON_MS + 7000 },
    gives: recheck('changed'),
  },
  {
    says: 'asks when the times became coarse, and does not take the file for changed',
    entry: minute('May 20 12:00', NOON_MS),
    gives: recheck('unproven'),
  },
  {
    says: 'takes a file for changed that a coarse time says is days younger',
    entry: minute('May 22 15:00', NOON_MS + 51 * 3_600_000),
    gives: recheck('changed'),
  },
  { says: 'asks when a time can no longer be read', entry: none, gives: recheck('changed') },
  {
    says: 'asks about a file without a readable time for as long as it is unsettled',
    entry: none,
    record: { stamp: undefined, stampMs: undefined, precision: 'none', isUnsettled: true },
    gives: recheck('unproven'),
  },
];

describe('what becomes of a listed file', () => {
  it('brings a file that is not known, whatever the rules', () => {
    for (const isForced of [true, false]) {
      for (const hasStat of [true, false]) {
        assert.deepEqual(decide(ENTRY, undefined, { isForced, hasStat }), { action: 'download', reason: 'new' });
      }
    }
  });

  for (const { says, entry, record, rules, gives } of CASES) {
    it(says, () => {
      assert.deepEqual(decide({ ...ENTRY, ...entry }, { ...RECORD, ...record }, { ...RULES, ...rules }), gives);
    });
  }

  it('never leaves a file alone whose size, exact time or identity differs', () => {
    const exact = fc.record({
      sizeBytes: fc.integer({ min: 0, max: 3 }),
      stampMs: fc.integer({ min: NOON_MS - 2, max: NOON_MS + 2 }),
      unique: fc.constantFrom('1', '2', '3'),
    });
    fc.assert(
      fc.property(exact, exact, fc.boolean(), (there, here, hasStat) => {
        const entry: EntryRow = { ...ENTRY, ...there, stamp: String(there.stampMs) };
        const record = { ...RECORD, ...here, stamp: String(here.stampMs), modifiedMs: here.stampMs };
        const isEqual =
          there.sizeBytes === here.sizeBytes && there.stampMs === here.stampMs && there.unique === here.unique;
        const { action } = decide(entry, record, { isForced: false, hasStat });
        assert.equal(action, isEqual ? 'same' : 'download');
      }),
    );
  });
});

describe('whether an edit could hide behind an equal time', () => {
  const coarse = { precision: 'minute', stampMs: NOON_MS } as const;
  it('cannot behind an exact time, for which the transfer has waited', () => {
    assert.equal(isUnsettledAfterRead({ precision: 'second', stampMs: NOON_MS }, NOON_MS, NOON_MS), false);
  });
  it('can behind a minute of these last hours, in either direction', () => {
    assert.equal(isUnsettledAfterRead(coarse, undefined, NOON_MS + HOUR_MS), true);
    assert.equal(isUnsettledAfterRead(coarse, undefined, NOON_MS - HOUR_MS), true);
  });
  it('cannot behind a minute that has long passed', () => {
    assert.equal(isUnsettledAfterRead(coarse, undefined, NOON_MS + COARSE_STAMP_SETTLES_MS), false);
  });
  it('goes by the exact time where the server told it when asked', () => {
    const readMs = NOON_MS + COARSE_STAMP_SETTLES_MS + HOUR_MS;
    assert.equal(isUnsettledAfterRead(coarse, readMs - 1000, readMs), true);
  });
  it('always can where the server tells no time at all', () => {
    assert.equal(isUnsettledAfterRead({ precision: 'none', stampMs: undefined }, NOON_MS - DAY_MS * 99, NOON_MS), true);
  });
});
