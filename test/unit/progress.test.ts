import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ProgressMeter } from '../../src/engine/progress.ts';
import type { ProgressSnapshot } from '../../src/engine/progress.ts';
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
});
