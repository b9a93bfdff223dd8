import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { chooseForQuota, chooseVersionsToPrune } from '../../src/engine/retention.ts';
import type { PointFacts } from '../../src/engine/retention.ts';
import type { VersionSettings } from '../../src/settings/task-settings.ts';

const HOUR = 3_600_000;
/** A Saturday noon. */
const NOW = Date.UTC(2026, 10, 21, 12);

const RULES: VersionSettings = {
  keep: 'all',
  count: 5,
  days: 10,
  hourly: 2,
  daily: 2,
  weekly: 2,
  monthly: 1,
  yearly: 1,
  quotaBytes: undefined,
};

/** Points so many hours before now, oldest first. */
function pointsAt(hoursAgo: readonly number[]): PointFacts[] {
  return hoursAgo.map((hours, index) => ({ runId: index + 1, atMs: NOW - hours * HOUR, isProtected: false }));
}

/** Hours ago of those that stay. */
function keptOf(points: readonly PointFacts[], rules: Partial<VersionSettings>, zone = 'UTC'): number[] {
  const pruned = new Set(chooseVersionsToPrune(points, { ...RULES, ...rules }, NOW, zone));
  return points.filter(({ runId }) => !pruned.has(runId)).map(({ atMs }) => (NOW - atMs) / HOUR);
}

describe('Retention', () => {
  it('keeps the last so many', () => {
    assert.deepEqual(keptOf(pointsAt([50, 40, 30, 20]), { keep: 'last', count: 2 }), [30, 20]);
  });

  it('keeps those within the last days, and the newest even where it is older', () => {
    assert.deepEqual(keptOf(pointsAt([500, 241, 240, 1]), { keep: 'within' }), [240, 1]);
    assert.deepEqual(keptOf(pointsAt([900, 800]), { keep: 'within' }), [800]);
  });

  it('keeps the newest of each of the last periods that have one', () => {
    const none = { keep: 'steps', hourly: 0, daily: 0, weekly: 0, monthly: 0, yearly: 0 } as const;
    // Days end at midnight, 12 hours before now.
    assert.deepEqual(keptOf(pointsAt([60, 37, 36.5, 13, 12.5, 3, 2]), { ...none, daily: 3 }), [36.5, 12.5, 2]);
    assert.deepEqual(keptOf(pointsAt([3.7, 3.2, 2.5, 1.2]), { ...none, hourly: 2 }), [2.5, 1.2]);
    // The week began on Monday, 132 hours before now.
    assert.deepEqual(keptOf(pointsAt([300.5, 133, 131, 1]), { ...none, weekly: 2 }), [133, 1]);
    assert.deepEqual(keptOf(pointsAt([24 * 400, 24 * 380, 24 * 30, 1]), { ...none, yearly: 2 }), [24 * 380, 1]);
  });

  it('takes days from the clock of the NAS, not from UTC', () => {
    const rules = { keep: 'steps', hourly: 0, daily: 5, weekly: 0, monthly: 0, yearly: 0 } as const;
    // 23:30 and 00:30 in UTC are 00:30 and 01:30 of one day in Paris.
    assert.deepEqual(keptOf(pointsAt([12.5, 11.5]), rules), [12.5, 11.5]);
    assert.deepEqual(keptOf(pointsAt([12.5, 11.5]), rules, 'Europe/Paris'), [11.5]);
  });

  describe('by Smart Recycle', () => {
    it('prunes nothing until there are more than so many', () => {
      const points = pointsAt([3.9, 3.8, 3.7, 3.6, 0.1]);
      assert.equal(keptOf(points, { keep: 'smart', count: 5 }).length, 5);
    });

    it('gives up first what is not the earliest of its hour, day or week', () => {
      const points = pointsAt([24 * 40, 24 * 39.75, 24 * 5.25, 24 * 5.125, 3.9, 3.8, 0.1]);
      const kept = keptOf(points, { keep: 'smart', count: 4 });
      assert.deepEqual(kept, [24 * 40, 24 * 5.25, 3.9, 0.1]);
    });

    it('gives up the earliest once all of them are the earliest of a period', () => {
      assert.deepEqual(keptOf(pointsAt([24 * 60, 24 * 50, 24 * 40, 1]), { keep: 'smart', count: 2 }), [24 * 40, 1]);
    });
  });

  const anyPoints = fc
    .uniqueArray(fc.integer({ min: 0, max: 3 * 365 * 24 * 4 }), { maxLength: 60 })
    .chain((quarters) =>
      fc.tuple(
        fc.constant(quarters),
        fc.array(fc.boolean(), { minLength: quarters.length, maxLength: quarters.length }),
      ),
    )
    .map(([quarters, marks]) =>
      [...quarters]
        .sort((a, b) => b - a)
        .map((quarter, index) => ({
          runId: index + 1,
          atMs: NOW - quarter * 15 * 60_000,
          isProtected: marks[index] === true,
        })),
    );
  const small = fc.integer({ min: 0, max: 30 });
  const anyRules = fc.record({
    keep: fc.constantFrom('all', 'last', 'within', 'steps', 'smart'),
    count: fc.integer({ min: 1, max: 40 }),
    days: fc.integer({ min: 1, max: 400 }),
    hourly: small,
    daily: small,
    weekly: small,
    monthly: small,
    yearly: small,
    quotaBytes: fc.constant(undefined),
  }) satisfies fc.Arbitrary<VersionSettings>;
  const zone = fc.constantFrom('UTC', 'Europe/Paris', 'America/New_York', 'Asia/Kathmandu');

  it('never prunes a protected point or the newest, whatever the rules', () => {
    fc.assert(
      fc.property(anyPoints, anyRules, zone, (points, rules, timeZone) => {
        const pruned = chooseVersionsToPrune(points, rules, NOW, timeZone);
        const newest = points.at(-1)?.runId;
        for (const runId of pruned) {
          assert.notEqual(runId, newest);
          assert.equal(points[runId - 1]?.isProtected, false);
        }
      }),
    );
  });

  it('asked again about what is left, prunes nothing', () => {
    fc.assert(
      fc.property(anyPoints, anyRules, zone, (points, rules, timeZone) => {
        const pruned = new Set(chooseVersionsToPrune(points, rules, NOW, timeZone));
        const left = points.filter(({ runId }) => !pruned.has(runId));
        assert.deepEqual(chooseVersionsToPrune(left, rules, NOW, timeZone), []);
      }),
    );
  });

  it('keeps with larger numbers whatever it keeps with smaller ones', () => {
    fc.assert(
      fc.property(anyPoints, anyRules, small, zone, (points, rules, more, timeZone) => {
        const wider = {
          ...rules,
          count: rules.count + more,
          days: rules.days + more,
          hourly: rules.hourly + more,
          daily: rules.daily + more,
          weekly: rules.weekly + more,
          monthly: rules.monthly + more,
          yearly: rules.yearly + more,
        };
        const narrow = new Set(chooseVersionsToPrune(points, rules, NOW, timeZone));
        for (const runId of chooseVersionsToPrune(points, wider, NOW, timeZone))
          assert.ok(narrow.has(runId), `${runId}`);
      }),
    );
  });

  it('for a quota gives up the oldest first, no more than it must, and never a protected one', () => {
    fc.assert(
      fc.property(
        anyPoints,
        fc.nat(100),
        fc.array(fc.nat(20), { minLength: 60, maxLength: 60 }),
        (points, quota, sizes) => {
          const used = points.reduce((sum, { runId }) => sum + (sizes[runId - 1] ?? 0), 0);
          const freed = (runId: number): number => sizes[runId - 1] ?? 0;
          const pruned = chooseForQuota(points, used, quota, freed);
          const canGo = points.slice(0, -1).filter(({ isProtected }) => !isProtected);
          assert.deepEqual(
            pruned,
            canGo.slice(0, pruned.length).map(({ runId }) => runId),
          );
          const left = used - pruned.reduce((sum, runId) => sum + freed(runId), 0);
          assert.ok(left <= quota || pruned.length === canGo.length);
          const last = pruned.at(-1);
          if (last !== undefined) assert.ok(left + freed(last) > quota);
        },
      ),
    );
  });
});
