import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { ProgressMeter } from '../../src/engine/progress.ts';
import type { ProgressSnapshot } from '../../src/engine/progress.ts';
import { TRANSFERS_TOLD_MAX } from '../../src/engine/transfer-progress.ts';
import { FakeClock } from '../support/fake-clock.ts';

function meter(): { clock: FakeClock; progress: ProgressMeter; told: ProgressSnapshot[] } {
  const clock = new FakeClock();
  const told: ProgressSnapshot[] = [];
  return { clock, told, progress: new ProgressMeter(clock, (snapshot) => told.push(snapshot)) };
}

/** `seconds` of transfer in which each tenth of a second brings so many bytes and files. */
function transfer(
  { clock, progress }: ReturnType<typeof meter>,
  seconds: number,
  each: { bytes: number; files: number },
): void {
  for (let tenth = 0; tenth < seconds * 10; tenth++) {
    clock.advance(100);
    progress.bytesReceived += each.bytes;
    progress.bytesDone += each.bytes;
    progress.filesDone += each.files;
    progress.touch();
  }
}

describe('the progress of a run', () => {
  it('tells a new stage at once', () => {
    const { progress, told } = meter();
    progress.enter('connecting');
    progress.enter('scanning');
    assert.deepEqual(
      told.map(({ stage }) => stage),
      ['connecting', 'scanning'],
    );
  });

  it('tells the rest at most five times a second', () => {
    const bench = meter();
    bench.progress.enter('scanning');
    for (let ms = 0; ms < 1000; ms++) {
      bench.clock.advance(1);
      bench.progress.foldersListed++;
      bench.progress.touch();
    }
    assert.equal(bench.told.length, 1 + 5);
    assert.equal(bench.told.at(-1)?.foldersListed, 1000);
  });

  it('costs nothing where nobody watches', () => {
    const progress = new ProgressMeter(new FakeClock(), undefined);
    progress.enter('scanning');
    progress.filesListed = 3;
    progress.touch();
    assert.equal(progress.snapshot().filesListed, 3);
  });

  it('tells the rate of the last seconds, not of the whole run', () => {
    const bench = meter();
    bench.progress.enter('transferring');
    transfer(bench, 60, { bytes: 100_000, files: 1 });
    transfer(bench, 20, { bytes: 1000, files: 1 });
    assert.ok(Math.abs((bench.told.at(-1)?.bytesPerSecond ?? 0) - 10_000) < 500);
  });

  it('tells no rate while nothing arrives', () => {
    const bench = meter();
    bench.progress.enter('transferring');
    transfer(bench, 5, { bytes: 1000, files: 1 });
    transfer(bench, 15, { bytes: 0, files: 0 });
    assert.equal(bench.told.at(-1)?.bytesPerSecond, 0);
    assert.equal(bench.told.at(-1)?.secondsLeft, undefined);
  });

  it('promises no end before it knows enough', () => {
    const bench = meter();
    bench.progress.enter('scanning');
    transfer(bench, 8, { bytes: 1000, files: 1 });
    assert.equal(bench.told.at(-1)?.secondsLeft, undefined, 'while scanning');
    const other = meter();
    other.progress.filesPlanned = 1000;
    other.progress.bytesPlanned = 1_000_000;
    other.progress.enter('transferring');
    transfer(other, 4, { bytes: 1000, files: 1 });
    assert.equal(other.told.at(-1)?.secondsLeft, undefined, 'in the first seconds');
    transfer(other, 4, { bytes: 1000, files: 1 });
    assert.notEqual(other.told.at(-1)?.secondsLeft, undefined);
  });

  it('tells the later of two ends: many small files last longer than their bytes', () => {
    const bench = meter();
    bench.progress.filesPlanned = 1100;
    bench.progress.bytesPlanned = 110_000;
    bench.progress.enter('transferring');
    transfer(bench, 10, { bytes: 1000, files: 1 });
    // 100 KB of 110 KB have come, but 100 files of 1100.
    assert.equal(bench.told.at(-1)?.secondsLeft, 100);
  });

  it('counts a file given up as one that needs no more time', () => {
    const bench = meter();
    bench.progress.filesPlanned = 100;
    bench.progress.bytesPlanned = 100_000;
    bench.progress.enter('transferring');
    transfer(bench, 9, { bytes: 1000, files: 1 });
    bench.progress.filesFailed += 10;
    bench.progress.bytesDone += 10_000;
    bench.clock.advance(200);
    assert.equal(bench.progress.snapshot().secondsLeft, 0);
  });

  it('never tells a negative rest', () => {
    const bench = meter();
    bench.progress.filesPlanned = 10;
    bench.progress.bytesPlanned = 10;
    bench.progress.enter('transferring');
    transfer(bench, 600, { bytes: 1000, files: 1 });
    assert.equal(bench.told.at(-1)?.secondsLeft, 0);
  });

  it('tells of each file that arrives in a place of its own, with what is there and how fast it comes', () => {
    const { clock, progress } = meter();
    progress.enter('transferring');
    const big = progress.beginTransfer('/video.mp4', 10_000_000);
    const small = progress.beginTransfer('/a.css', 1000);
    for (let second = 0; second < 30; second++) {
      clock.advance(1000);
      big.doneBytes += second < 20 ? 50_000 : 200_000;
      progress.snapshot();
    }
    small.doneBytes = 1000;
    progress.endTransfer(small);
    const [first, second] = progress.snapshot().transfers;
    assert.equal(first?.doneBytes, 3_000_000);
    assert.equal(first.bytesPerSecond, 200_000, 'the last seconds count');
    assert.deepEqual([second?.path, second?.doneBytes], ['/a.css', 1000], 'what has just arrived is still told');
    clock.advance(2000);
    assert.deepEqual(
      progress.snapshot().transfers.map(({ path }) => path),
      ['/video.mp4'],
    );
    const next = progress.beginTransfer('/b.css', 1);
    assert.deepEqual(
      progress.snapshot().transfers.map(({ slot, path }) => [slot, path]),
      [
        [0, '/video.mp4'],
        [1, '/b.css'],
      ],
    );
    assert.equal(next.doneBytes, 0);
  });

  it('does not take what an earlier run has brought for speed', () => {
    const { clock, progress } = meter();
    progress.enter('transferring');
    progress.beginTransfer('/video.mp4', 10_000_000).beginAt(9_000_000);
    clock.advance(1000);
    const [first] = progress.snapshot().transfers;
    assert.deepEqual([first?.doneBytes, first?.bytesPerSecond], [9_000_000, 0]);
  });

  it('never tells of more files at once than arrive, nor of more than is bounded', () => {
    fc.assert(
      fc.property(fc.array(fc.boolean(), { maxLength: 200 }), (begins) => {
        const { clock, progress } = meter();
        progress.enter('transferring');
        const running: ReturnType<typeof progress.beginTransfer>[] = [];
        let most = 0;
        for (const isBegun of begins) {
          clock.advance(10);
          if (isBegun) running.push(progress.beginTransfer('/f', 1));
          else if (running.length > 0) progress.endTransfer(running.shift() ?? assert.fail());
          most = Math.max(most, running.length);
          const slots = progress.snapshot().transfers.map(({ slot }) => slot);
          assert.ok(slots.length <= Math.min(most, TRANSFERS_TOLD_MAX));
          assert.equal(new Set(slots).size, slots.length);
        }
      }),
    );
  });
});
