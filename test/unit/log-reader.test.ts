import assert from 'node:assert/strict';
import { appendFileSync, mkdtempSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import fc from 'fast-check';
import { createLog } from '../../src/log.ts';
import { allLogLines, readLogPage } from '../../src/web/log-reader.ts';
import type { LogFilter, LogLine } from '../../src/web/log-reader.ts';

const START_MS = Date.UTC(2026, 10, 21);
let folder: string;
let count = 0;
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'site-backup-log-reader-'));
});
after(() => {
  rmSync(folder, { recursive: true });
});

const newFile = (): string => join(folder, `${++count}.log`);

/** A log of `lines` lines, one a second, of tasks 1 to 3 and runs 1 to 10, in files of at most `fileBytesMax`. */
function writeLog(lines: number, fileBytesMax = 1e9, padding = ''): string {
  const file = newFile();
  let nowMs = START_MS;
  const log = createLog({ to: { file, fileBytesMax }, nowMs: () => nowMs });
  for (let number = 0; number < lines; number++) {
    nowMs = START_MS + number * 1000;
    const level = number % 10 === 0 ? 'warn' : 'info';
    log[level]('thing', { task: (number % 3) + 1, run: (number % 10) + 1, number, padding });
  }
  log.close();
  return file;
}

const numbers = (lines: readonly LogLine[]): number[] =>
  lines.map((line) => Number(line.fields.find(([name]) => name === 'number')?.[1]));

async function allPages(file: string, filter: LogFilter, limit: number): Promise<number[]> {
  const found: number[] = [];
  for (let before: string | undefined; ;) {
    const page = await readLogPage(file, filter, before, limit);
    found.push(...numbers(page.lines));
    if (page.next === undefined) return found;
    before = page.next;
  }
}

describe('reading the log', () => {
  it('gives every line once, newest first, over all files and pages of any size', async () => {
    const file = writeLog(1000, 40_000);
    const wanted = Array.from({ length: 1000 }, (_, index) => 999 - index);
    for (const limit of [1, 7, 200, 5000]) {
      const found = limit === 1 ? await allPages(file, { runId: 3 }, 1) : await allPages(file, {}, limit);
      assert.deepEqual(found, limit === 1 ? wanted.filter((number) => number % 10 === 2) : wanted, String(limit));
    }
  });

  it('reads lines that are longer than its block, and characters that lie across two', async () => {
    const file = writeLog(60, 1e9, 'é€'.repeat(1500));
    assert.deepEqual(
      await allPages(file, {}, 7),
      Array.from({ length: 60 }, (_, index) => 59 - index),
    );
  });

  it('filters by level, task, run, words and time, alone and together', async () => {
    const file = writeLog(300);
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          level: fc.constantFrom(undefined, 'warn' as const),
          taskId: fc.constantFrom(undefined, 1, 2, 3),
          runId: fc.constantFrom(undefined, 1, 10),
          since: fc.constantFrom(undefined, 0, 100, 299, 400),
          until: fc.constantFrom(undefined, 0, 150, 400),
        }),
        async ({ level, taskId, runId, since, until }) => {
          const sinceMs = since === undefined ? undefined : START_MS + since * 1000;
          const untilMs = until === undefined ? undefined : START_MS + until * 1000;
          const wanted = Array.from({ length: 300 }, (_, index) => 299 - index).filter(
            (number) =>
              (level === undefined || number % 10 === 0) &&
              (taskId === undefined || (number % 3) + 1 === taskId) &&
              (runId === undefined || (number % 10) + 1 === runId) &&
              (since === undefined || number >= since) &&
              (until === undefined || number <= until),
          );
          assert.deepEqual(await allPages(file, { level, taskId, runId, sinceMs, untilMs }, 50), wanted);
        },
      ),
      { numRuns: 40 },
    );
    assert.deepEqual(
      await allPages(file, { words: '"NUMBER":17' }, 50),
      [179, 178, 177, 176, 175, 174, 173, 172, 171, 170, 17],
    );
  });

  it('finds the end of a time in a large file without reading what comes after it', async () => {
    const file = writeLog(20_000, 1e9, 'x'.repeat(100));
    const page = await readLogPage(file, { untilMs: START_MS + 5_000_000 }, undefined, 3);
    assert.deepEqual(numbers(page.lines), [5000, 4999, 4998]);
  });

  it('ends a long search after a while and says where to go on', async () => {
    const file = newFile();
    const line = JSON.stringify({ t: new Date(START_MS).toISOString(), level: 'info', event: 'x', p: 'y'.repeat(900) });
    writeFileSync(file, `${line}\n`.repeat(10_000));
    appendFileSync(file, `${line}\n`);
    const page = await readLogPage(file, { words: 'not there' }, undefined, 10);
    assert.equal(page.lines.length, 0);
    assert.notEqual(page.next, undefined);
    const rest = await readLogPage(file, { words: 'not there' }, page.next, 10);
    assert.equal(rest.next, undefined);
  });

  it('goes on in a file that was put aside meanwhile, and says so when it has been deleted', async () => {
    const file = writeLog(10);
    const first = await readLogPage(file, {}, undefined, 4);
    renameSync(file, `${file}.1`);
    appendFileSync(file, readLine());
    assert.deepEqual(numbers((await readLogPage(file, {}, first.next, 4)).lines), [5, 4, 3, 2]);
    rmSync(`${file}.1`);
    const gone = await readLogPage(file, {}, first.next, 4);
    assert.equal(gone.isGone, true);
    assert.equal(gone.lines[0]?.event, 'new');
  });

  it('passes over what is no line of a log, and takes no place from outside that makes no sense', async () => {
    const file = newFile();
    writeFileSync(file, `half a li\n{"t":"never","level":"info"}\n[]\nnull\n${readLine()}`);
    for (const before of [undefined, 'x', '-1.5', '0.99999999', `${statSync(file).ino}.999999`]) {
      const page = await readLogPage(file, {}, before, 10);
      assert.deepEqual(
        page.lines.map((line) => line.event),
        ['new'],
        before,
      );
    }
  });

  it('gives an empty page where there is no log yet', async () => {
    const page = await readLogPage(join(folder, 'none.log'), {}, undefined, 10);
    assert.deepEqual(page, { lines: [], next: undefined, isGone: false });
  });

  it('downloads all of it', async () => {
    const file = writeLog(2500, 60_000);
    let lines = 0;
    for await (const line of allLogLines(file, {})) lines += line.event === 'thing' ? 1 : 0;
    // Of five files of this size the oldest have gone.
    assert.ok(lines > 1000 && lines <= 2500, String(lines));
  });
});

function readLine(): string {
  return `${JSON.stringify({ t: new Date(START_MS).toISOString(), level: 'info', event: 'new' })}\n`;
}
