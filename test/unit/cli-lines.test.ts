import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { jsonFault } from '../../src/cli/json-fault.ts';
import { displayWidth, fitEnd, printable } from '../../src/cli/printable.ts';
import { plainProgress, terminalLines, terminalProgress } from '../../src/cli/progress-lines.ts';
import { reportLines } from '../../src/cli/report-lines.ts';
import type { Clock } from '../../src/clock.ts';
import type { ProgressSnapshot } from '../../src/engine/progress.ts';
import type { RunFailure, RunReport } from '../../src/engine/run-report.ts';
import { createText } from '../../src/text.ts';

const EN = createText('en');

const SNAPSHOT: ProgressSnapshot = {
  stage: 'transferring',
  elapsedMs: 60_000,
  foldersListed: 12,
  foldersWaiting: 0,
  filesListed: 340,
  filesPlanned: 200,
  bytesPlanned: 4096,
  filesDone: 50,
  filesFailed: 0,
  bytesDone: 1024,
  bytesPerSecond: 2048,
  secondsLeft: 90,
  connections: 3,
  retries: 0,
  currentPath: '/wp-content/uploads/2026/11/日本の夏.webp',
  transfers: [],
};

const REPORT: RunReport = {
  outcome: 'incomplete',
  isDryRun: false,
  counts: { listed: 10, unchanged: 3, new: 5, changed: 1, vanished: 0, downloaded: 4, failed: 2, retired: 0 },
  bytes: 2048,
  durationMs: 1000,
  folders: { complete: 3, incomplete: 0 },
  cause: undefined,
  failures: [],
  failureCount: 0,
};

function failure(path: string, detail: string | undefined = '550 No'): RunFailure {
  return { path, code: 'file-refused', detail, facts: {} };
}

function watch(): {
  clock: Clock;
  stream: { columns: number; write(text: string): void };
  take: () => string;
  pass: (ms: number) => void;
} {
  let ms = 0;
  let written = '';
  return {
    clock: { nowMs: () => ms, steadyMs: () => ms, sleep: () => Promise.resolve() },
    stream: {
      columns: 80,
      write: (text) => {
        written += text;
      },
    },
    take: () => {
      const taken = written;
      written = '';
      return taken;
    },
    pass: (passedMs) => {
      ms += passedMs;
    },
  };
}

describe('progress on a terminal', () => {
  it('never takes more columns than there are', () => {
    fc.assert(
      fc.property(fc.integer({ min: 20, max: 200 }), fc.string({ unit: 'grapheme' }), (width, currentPath) => {
        for (const line of terminalLines({ ...SNAPSHOT, currentPath }, EN, width)) {
          assert.ok(displayWidth(line) <= width, `${displayWidth(line)} > ${width}: ${line}`);
        }
      }),
    );
  });

  it('shows files, bytes, rate and time left', () => {
    const [line] = terminalLines(SNAPSHOT, EN, 150);
    assert.match(line ?? '', /█+░+ {2}25 % {2}50 of 200 files · 1 KB of 4 KB · 2 KB\/s · about 1 min 30 s left/);
  });

  it('invents no percentage while the total is not known', () => {
    const scanning = terminalLines({ ...SNAPSHOT, stage: 'scanning' }, EN, 100);
    assert.deepEqual(scanning, ['Scanning the site… 340 files in 12 folders so far']);
    assert.doesNotMatch(terminalLines({ ...SNAPSHOT, filesPlanned: 0 }, EN, 100).join(''), /%/);
  });

  it('is redrawn at most five times a second, and leaves nothing behind', () => {
    const { clock, stream, take, pass } = watch();
    const view = terminalProgress(stream, EN, clock);
    view.update(SNAPSHOT);
    assert.equal(take().split('\n').length, 2);
    pass(199);
    view.update(SNAPSHOT);
    assert.equal(take(), '');
    pass(1);
    view.update(SNAPSHOT);
    assert.match(take(), /^\r\x1b\[1A\x1b\[2K\x1b\[1B\x1b\[2K\r\x1b\[1A/);
    view.end();
    assert.match(take(), /^\r\x1b\[1A\x1b\[2K\x1b\[1B\x1b\[2K\r\x1b\[1A$/);
    pass(1000);
    view.update(SNAPSHOT);
    view.end();
    assert.equal(take(), '');
  });

  it('cannot be steered by the name of a file', () => {
    const lines = terminalLines({ ...SNAPSHOT, currentPath: '/a\x1b[2J\r\n\u202ebad' }, EN, 100);
    assert.doesNotMatch(lines.join(''), /[\x00-\x1f\u202e]/);
  });
});

describe('progress without a terminal', () => {
  it('is a line at each stage, and one in ten seconds between', () => {
    const { clock, stream, take, pass } = watch();
    const view = plainProgress(stream, EN, clock);
    view.update({ ...SNAPSHOT, stage: 'scanning' });
    view.update(SNAPSHOT);
    pass(9_999);
    view.update(SNAPSHOT);
    pass(1);
    view.update(SNAPSHOT);
    const lines = take().trimEnd().split('\n');
    assert.equal(lines.length, 3);
    assert.doesNotMatch(lines.join(''), /\x1b/);
  });
});

describe('the report in words', () => {
  const words = (report: Partial<RunReport>): string =>
    reportLines({ ...REPORT, ...report }, '/t', { host: 'h' }, EN).join('\n');

  it('says how it ended, what was counted and where the copy lies', () => {
    const said = words({ outcome: 'complete' });
    assert.match(said, /^Complete: /);
    assert.match(said, /10 listed, 5 new, 1 changed, 3 unchanged, 4 copied, 2 not copied/);
    assert.match(said, /2 KB in 1 s \(2 KB\/s\)/);
    assert.match(said, /\/t\/current/);
  });

  it('groups failures by cause, each with its next step', () => {
    const failures = [
      ...Array.from({ length: 7 }, (_, index) => failure(`/f${index}`)),
      {
        path: '/x',
        code: 'size-mismatch',
        detail: undefined,
        facts: { expectedBytes: 100, receivedBytes: 40 },
      } as const,
    ];
    const said = words({ failures, failureCount: 1500 });
    assert.match(said, /7 × The server would not send this file/);
    assert.match(said, /\/f4\n +and 2 more\n +What to do: Check the file/);
    assert.doesNotMatch(said, /\/f5/);
    assert.equal(said.split('550 No').length, 2);
    assert.match(said, /1 × .*\(100 B announced, 40 B received\)/);
    assert.match(said, /Only the first 8 of 1,500/);
  });

  it('says why a run failed, with the next step and the raw word', () => {
    const cause = { path: '/', code: 'login-rejected', detail: '530 No\x1b[31m', facts: { user: 'web' } } as const;
    const said = words({ outcome: 'failed', cause, folders: { complete: 0, incomplete: 0 } });
    assert.match(said, /^Failed\n {2}The server h refused .*“web”/);
    assert.match(said, /What to do: .*\n.*530 No\ufffd/);
    assert.doesNotMatch(said, /listed|\x1b/);
  });

  it('does not call a simulation a copy', () => {
    const said = words({ outcome: 'complete', isDryRun: true });
    assert.match(said, /^Simulation/);
    assert.doesNotMatch(said, /current/);
  });
});

describe('the place where a text stops being JSON', () => {
  it('is told by line and column', () => {
    const cases: [string, { line: number; column: number } | undefined][] = [
      ['{}', undefined],
      ['', { line: 1, column: 1 }],
      ['{"a":1,}', { line: 1, column: 8 }],
      ['{\n "a": 1\n "b": 2\n}', { line: 3, column: 2 }],
      ['{"a": tru}', { line: 1, column: 7 }],
      ['{"a": "\n"}', { line: 1, column: 7 }],
      ['[1 2]', { line: 1, column: 4 }],
      ['{} x', { line: 1, column: 4 }],
      ["{'a': 1}", { line: 1, column: 2 }],
      ['{a: 1}', { line: 1, column: 2 }],
    ];
    for (const [text, fault] of cases) assert.deepEqual(jsonFault(text), fault, text);
  });

  it('is there exactly where the engine refuses the text', () => {
    const pieces = fc.array(
      fc.constantFrom('{', '}', '[', ']', ',', ':', '"a"', '1', '-', '01', 'true', ' ', '\n', '"\\u00e9"', '"'),
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.json(),
          pieces.map((list) => list.join('')),
        ),
        (text) => {
          let isJson = true;
          try {
            JSON.parse(text);
          } catch {
            isJson = false;
          }
          assert.equal(jsonFault(text) === undefined, isJson);
        },
      ),
      { numRuns: 500 },
    );
  });

  it('is found in a long or deep text without trouble', () => {
    assert.ok(jsonFault('['.repeat(1_000_000)) !== undefined);
    assert.deepEqual(jsonFault(`"${'x'.repeat(1_000_000)}`), { line: 1, column: 1 });
  });
});

describe('a name on a terminal', () => {
  it('keeps its end where it is too long', () => {
    assert.equal(fitEnd('/a/b/c.txt', 6), '…c.txt');
    assert.equal(fitEnd('/a/日本', 5), '…日本');
    assert.equal(fitEnd('short', 10), 'short');
  });

  it('holds nothing that steers', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (name) => {
        assert.doesNotMatch(printable(name), /[\p{Cc}\u202a-\u202e\u2066-\u2069]/u);
      }),
    );
  });
});
