import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { RemoteEntry } from '../../src/remote/remote.ts';
import { parseListLine } from '../../src/remote/ftp/ftp-parse-list.ts';

const NOW_MS = Date.UTC(2026, 10, 21, 12, 0, 0);

function entry(line: string, nowMs = NOW_MS): RemoteEntry {
  const parsed = parseListLine(line, false, nowMs);
  assert.equal(parsed.kind, 'entry', `${line} is an entry: ${JSON.stringify(parsed)}`);
  return (parsed as { entry: RemoteEntry }).entry;
}

function kind(line: string, isFirst = false): string {
  return parseListLine(line, isFirst, NOW_MS).kind;
}

const utf8 = (text: string): string => Buffer.from(text, 'utf8').toString('latin1');

describe('A Unix line of LIST', () => {
  it('is read with mode, size and time', () => {
    assert.deepEqual(entry('-rw-r--r--    1 1000     1000           33 Nov 21 00:43 index.php'), {
      name: 'index.php',
      type: 'file',
      sizeBytes: 33,
      modified: { raw: 'Nov 21 00:43', ms: Date.UTC(2026, 10, 21, 0, 43), precision: 'minute' },
      unique: undefined,
      mode: '0644',
      linkTarget: undefined,
    });
  });

  it('older than half a year tells the day', () => {
    assert.deepEqual(entry('-rw-r--r-- 1 a b 33 Nov 21  2024 x').modified, {
      raw: 'Nov 21  2024',
      ms: Date.UTC(2024, 10, 21),
      precision: 'day',
    });
  });

  const names: readonly [line: string, name: string][] = [
    ['-rw-r--r-- 1 a b 5 Nov 21 00:43  leading', ' leading'],
    ['-rw-r--r-- 1 a b 5 Nov 21 00:43 trailing ', 'trailing '],
    ['-rw-r--r-- 1 a b 5 Nov 21  2024   two', '  two'],
    ['-rw-r--r-- 1 a b 5 Nov 21 00:43 a -> b', 'a -> b'],
    ['-rw-r--r-- 1 a b 5 Nov 21 00:43 33 Nov 21 00:43 x', '33 Nov 21 00:43 x'],
    ['-rw-r--r-- 1 a b 5 Nov 21 00:43 total 12', 'total 12'],
    ['-rw-r--r--+ 1 a b 5 Nov 21 00:43 acl', 'acl'],
    ['-rw-r--r--@ 1 a b 5 Nov 21 00:43 attribute', 'attribute'],
    ['-rw-r--r-- 1 Jean Marie domain users 5 Nov 21 00:43 spaced owner', 'spaced owner'],
    ['-rw-r--r-- 1 501 20 1234 Nov 21 00:43 numbers', 'numbers'],
    ['-rw-r--r-- 1 5 Nov 21 00:43 no-owner', 'no-owner'],
    ['-rw-r--r-- 5 Nov 21 00:43 nothing', 'nothing'],
    ['-rw-r--r-- 1 owner 5 Nov 21 00:43 no-group', 'no-group'],
    ['-rw-r--r-- 1 a b 5 2026-11-21 00:43 iso', 'iso'],
    ['-rw-r--r-- 1 a b 5 2026-11-21 00:43 +0100 x', '+0100 x'],
    ['-rw-r--r-- 1 a b 5 2026-11-21 00:43:10.123456789 +0100 full', 'full'],
    ['-rw-r--r-- 1 a b 5 2024-11-21  day', ' day'],
    ['-rw-r--r-- 1 a b 5 11-21 00:43 short', 'short'],
  ];
  for (const [line, name] of names) {
    it(`keeps the name ${JSON.stringify(name)} byte for byte`, () => {
      const read = entry(line);
      assert.equal(read.name, name);
      assert.equal(read.sizeBytes, name === 'numbers' ? 1234 : 5);
    });
  }

  const dates: readonly [date: string, ms: number | undefined][] = [
    ['f\u00e9vr. 21 00:43', Date.UTC(2026, 1, 21, 0, 43)],
    [utf8('févr. 21 00:43'), Date.UTC(2026, 1, 21, 0, 43)],
    [utf8('21 août 00:43'), Date.UTC(2026, 7, 21, 0, 43)],
    [utf8('21. Mär 2025'), Date.UTC(2025, 2, 21)],
    [utf8('Mär 21 2025'), Date.UTC(2025, 2, 21)],
    ['1 juin 2020', Date.UTC(2020, 5, 1)],
    [utf8('déc. 1 2020'), Date.UTC(2020, 11, 1)],
    ['ene 7 2020', Date.UTC(2020, 0, 7)],
    [utf8('11月 21 00:43'), Date.UTC(2026, 10, 21, 0, 43)],
    [utf8('11月 21日 00:43'), Date.UTC(2026, 10, 21, 0, 43)],
    [utf8('ноя 21 00:43'), undefined],
    ['Nov 31 2025', undefined],
    ['2026-11-21 00:43:10.5 +0100', Date.UTC(2026, 10, 20, 23, 43, 10, 500)],
  ];
  for (const [date, ms] of dates) {
    it(`is read with the date ${date}`, () => {
      const read = entry(`-rw-r--r-- 1 a b 77 ${date} x`);
      assert.equal(read.sizeBytes, 77);
      assert.equal(read.name, 'x');
      assert.equal(read.modified?.raw, date);
      assert.equal(read.modified.ms, ms);
      assert.equal(read.modified.precision === 'none', ms === undefined);
    });
  }

  it('without a year lies in the past, or at most a day ahead of our clock', () => {
    const january = Date.UTC(2027, 0, 1, 1, 0);
    assert.equal(entry('-rw-r--r-- 1 a b 5 Dec 31 23:00 x', january).modified?.ms, Date.UTC(2026, 11, 31, 23));
    assert.equal(entry('-rw-r--r-- 1 a b 5 Jan  2 00:30 x', january).modified?.ms, Date.UTC(2027, 0, 2, 0, 30));
    assert.equal(entry('-rw-r--r-- 1 a b 5 Jan  3 00:30 x', january).modified?.ms, Date.UTC(2026, 0, 3, 0, 30));
    const newYearsEve = Date.UTC(2026, 11, 31, 23, 30);
    assert.equal(entry('-rw-r--r-- 1 a b 5 Jan  1 00:30 x', newYearsEve).modified?.ms, Date.UTC(2027, 0, 1, 0, 30));
    assert.equal(entry('-rw-r--r-- 1 a b 5 Feb 29 00:30 x', newYearsEve).modified?.ms, Date.UTC(2024, 1, 29, 0, 30));
  });

  const types: readonly [line: string, type: string, name: string][] = [
    ['drwxr-xr-x 2 a b 4096 Nov 21 00:43 sub', 'folder', 'sub'],
    ['lrwxrwxrwx 1 a b 11 Nov 21 00:43 link -> /etc/passwd', 'link', 'link'],
    ['lrwxrwxrwx 1 a b 11 Nov 21 00:43 broken', 'link', 'broken'],
    ['brw-rw---- 1 root disk 8, 0 Nov 21 00:43 sda', 'other', 'sda'],
    ['crw-rw-rw- 1 root root 1,   3 Nov 21 00:43 null', 'other', 'null'],
    ['prw-r--r-- 1 a b 0 Nov 21 00:43 fifo', 'other', 'fifo'],
    ['srwxr-xr-x 1 a b 0 Nov 21 00:43 socket', 'other', 'socket'],
  ];
  for (const [line, type, name] of types) {
    it(`that begins with ${line.charAt(0)} is a ${type} and has no size`, () => {
      const read = entry(line);
      assert.equal(read.type, type);
      assert.equal(read.name, name);
      assert.equal(read.sizeBytes, 0);
    });
  }

  it('tells where a link leads', () => {
    assert.equal(entry('lrwxrwxrwx 1 a b 1 Nov 21 00:43 l -> a -> b').linkTarget, 'a -> b');
  });

  it('gives permissions as octal digits, special bits included', () => {
    assert.equal(entry('-rwsr-sr-T 1 a b 5 Nov 21 00:43 x').mode, '7754');
    assert.equal(entry('d--------- 1 a b 5 Nov 21 00:43 x').mode, '0000');
  });

  it('about . or .. is not an entry', () => {
    assert.equal(kind('drwxr-xr-x 2 a b 4096 Nov 21 00:43 .'), 'dots');
    assert.equal(kind('drwxr-xr-x 2 a b 4096 Nov 21 00:43 ..'), 'dots');
  });

  for (const line of [
    '-rw-r--r-- 1 a b 5 Nov 21 00:43 ../../etc/passwd',
    '-rw-r--r-- 1 a b 5 Nov 21 00:43 a/b',
    '-rw-r--r-- 1 a b 5 Nov 21 00:43 ..',
    '-rw-r--r-- 1 a b 5 Nov 21 00:43 a\0b',
    '-rw-r--r-- 1 a b 5 Nov 21 00:43 ',
    '-rw-r--r-- 1 a b 5 Nov 21 00:43',
    '-rw-r--r-- 1 a b 5 Nov 21 00',
    '-rw-r--r-- 1 a b -5 Nov 21 00:43 negative',
    '-rw-r--r-- 1 a b 99999999999999999 Nov 21 00:43 huge',
    '-rw-r--r-- 1 a b Nov 21 00:43 no-size',
    '-rw-r--r--',
    'line2-of-a-name-with-a-newline',
    'ls: cannot open directory',
    '+i8388621.48594,m825718503,r,s280,\tdjb.html',
  ]) {
    it(`that cannot be believed is rejected, not guessed: ${JSON.stringify(line)}`, () => {
      assert.equal(kind(line), 'rejected');
    });
  }

  it('total is ignored as the first line only', () => {
    for (const line of ['total 12', 'insgesamt 12', 'total 1,2K', utf8('итого 8')]) {
      assert.equal(kind(line, true), 'ignored');
      assert.equal(kind(line, false), 'rejected');
    }
  });
});

describe('A DOS line of LIST', () => {
  const lines: readonly [line: string, type: string, sizeBytes: number, name: string, ms: number | undefined][] = [
    ['11-21-26  12:43AM       <DIR>          aspnet', 'folder', 0, 'aspnet', Date.UTC(2026, 10, 21, 0, 43)],
    ['11-21-2026  12:43PM       <DIR>          aspnet', 'folder', 0, 'aspnet', Date.UTC(2026, 10, 21, 12, 43)],
    ['11-21-26  12:43AM       <DIR>           lead', 'folder', 0, ' lead', Date.UTC(2026, 10, 21, 0, 43)],
    ['11-21-26  11:43PM                 1234 a file.txt', 'file', 1234, 'a file.txt', Date.UTC(2026, 10, 21, 23, 43)],
    ['11-21-26  11:43PM                 1234  lead', 'file', 1234, ' lead', Date.UTC(2026, 10, 21, 23, 43)],
    ['2026-11-21  13:05                 9 iso', 'file', 9, 'iso', Date.UTC(2026, 10, 21, 13, 5)],
    ['21.11.2026  13:05    <DIR> german', 'folder', 0, 'german', Date.UTC(2026, 10, 21, 13, 5)],
    ['11/21/26 01:05 PM 9 spaced', 'file', 9, 'spaced', Date.UTC(2026, 10, 21, 13, 5)],
    ['11-21-99  01:05AM 9 old', 'file', 9, 'old', Date.UTC(1999, 10, 21, 1, 5)],
    ['11-21-26  12:43AM       <JUNCTION>     j', 'link', 0, 'j', Date.UTC(2026, 10, 21, 0, 43)],
    ['99-99-26  12:43AM 9 odd', 'file', 9, 'odd', undefined],
  ];
  for (const [line, type, sizeBytes, name, ms] of lines) {
    it(`is read: ${line}`, () => {
      const read = entry(line);
      assert.deepEqual([read.type, read.sizeBytes, read.name, read.modified?.ms], [type, sizeBytes, name, ms]);
    });
  }

  for (const line of [
    '11-21-26  12:43AM       <DIR>          ',
    '11-21-26  12:43AM',
    '11-21-26  12:43AM 5',
    '11-21-26',
  ]) {
    it(`without a name is rejected: ${line}`, () => {
      assert.equal(kind(line), 'rejected');
    });
  }

  it('about . or .. is not an entry', () => {
    assert.equal(kind('11-21-26  12:43AM       <DIR>          ..'), 'dots');
  });
});

describe('Any line of LIST', () => {
  it('never throws, and is an entry, dots, ignored or rejected', () => {
    const word = fc.constantFrom(
      '-rw-r--r--',
      'drwxr-xr-x',
      ' ',
      '1',
      '4096',
      'Nov',
      '21',
      '00:43',
      '2025',
      '..',
      '/',
      'x',
      '<DIR>',
      '11-21-26',
      '12:43AM',
      ' -> ',
      '2026-11-21',
      '\0',
    );
    const lines = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.array(word, { maxLength: 24 }).map((words) => words.join(' ')),
    );
    fc.assert(
      fc.property(lines, fc.boolean(), (line, isFirst) => {
        const parsed = parseListLine(line, isFirst, NOW_MS);
        assert.ok(['entry', 'dots', 'ignored', 'rejected'].includes(parsed.kind));
        if (parsed.kind === 'entry') assert.doesNotMatch(parsed.entry.name, /^\.{0,2}$|[/\0\r\n]/);
      }),
      { numRuns: 500 },
    );
  });

  it('gives back any usable name that was put in, in both forms', () => {
    const usable = fc
      .string({ unit: 'binary', minLength: 1, maxLength: 80 })
      .filter((n) => !/^\.{1,2}$|[/\0\r\n]/.test(n));
    fc.assert(
      fc.property(usable, fc.maxSafeNat(), (name, size) => {
        for (const head of ['-rw-r--r-- 1 a b', '-rw-r--r-- 1 501 20']) {
          const read = entry(`${head} ${size} Nov 21 00:43 ${name}`);
          assert.deepEqual([read.name, read.sizeBytes], [name, size]);
        }
        const dos = entry(`11-21-26  12:43AM ${size} ${name}`);
        assert.deepEqual([dos.name, dos.sizeBytes], [name, size]);
      }),
    );
  });
});
