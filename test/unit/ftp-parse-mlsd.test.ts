import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { RemoteEntry } from '../../src/remote/remote.ts';
import { parseMlsdLine, parseMlstFacts } from '../../src/remote/ftp/ftp-parse-mlsd.ts';

function entry(line: string): RemoteEntry {
  const parsed = parseMlsdLine(line);
  assert.equal(parsed.kind, 'entry', `${line} is an entry`);
  return (parsed as { entry: RemoteEntry }).entry;
}

describe('A line of MLSD', () => {
  it('is read with all its facts', () => {
    assert.deepEqual(
      entry('type=file;size=32;modify=20261121004310;UNIX.mode=0644;UNIX.uid=33;unique=fe01g2a;perm=r; index.php'),
      {
        name: 'index.php',
        type: 'file',
        sizeBytes: 32,
        modified: { raw: '20261121004310', ms: Date.UTC(2026, 10, 21, 0, 43, 10), precision: 'second' },
        unique: 'fe01g2a',
        mode: '0644',
        linkTarget: undefined,
      },
    );
  });

  it('may write its facts in any case and order', () => {
    const read = entry('Size=7;Type=FILE;Modify=20200101000000; a');
    assert.equal(read.type, 'file');
    assert.equal(read.sizeBytes, 7);
  });

  const names: readonly [line: string, name: string][] = [
    ['type=file;size=1; a b', 'a b'],
    ['type=file;size=1;  leading', ' leading'],
    ['type=file;size=1; trailing ', 'trailing '],
    ['type=file;size=1; a; b=c', 'a; b=c'],
    ['type=file;size=1 no-semicolon; x', 'no-semicolon; x'],
    ['type=file;size=1; caf\u00c3\u00a9', 'caf\u00c3\u00a9'],
    ['type=file;size=1; caf\u00e9', 'caf\u00e9'],
    ['type=file;size=1; total 12', 'total 12'],
    ['type=file;size=1; ...', '...'],
    ['type=OS.unix=slink:/a b; c;size=1; name', 'c;size=1; name'],
  ];
  for (const [line, name] of names) {
    it(`keeps the name ${JSON.stringify(name)} byte for byte`, () => {
      assert.equal(entry(line).name, name);
    });
  }

  const types: readonly [type: string, expected: string, target: string | undefined][] = [
    ['dir', 'folder', undefined],
    ['OS.unix=slink:/etc/passwd', 'link', '/etc/passwd'],
    ['OS.unix=slink:with space', 'link', 'with space'],
    ['OS.unix=symlink', 'link', undefined],
    ['OS.UNIX=slink', 'link', undefined],
    ['OS.unix=chr-5/1', 'other', undefined],
    ['OS.unix=pipe', 'other', undefined],
  ];
  for (const [type, expected, target] of types) {
    it(`of type ${type} is a ${expected}`, () => {
      const read = entry(`type=${type};size=4096;modify=20260101000000; x`);
      assert.equal(read.type, expected);
      assert.equal(read.linkTarget, target);
      assert.equal(read.sizeBytes, 0);
    });
  }

  for (const line of [
    'type=cdir;modify=20260101000000; .',
    'type=pdir;modify=20260101000000; ..',
    'Type=cdir; /home/site',
    'type=dir; .',
    'type=dir; ..',
  ]) {
    it(`about the folder itself or its parent is not an entry: ${line}`, () => {
      assert.equal(parseMlsdLine(line).kind, 'dots');
    });
  }

  for (const line of [
    'type=file;size=1; ../../etc/passwd',
    'type=file;size=1; a/b',
    'type=file;size=1; ..',
    'type=file;size=1; a\0b',
    'type=file;size=1; a\rb',
    'type=file;size=1; ',
    `type=file;size=1; ${'x'.repeat(256)}`,
    'type=file;size=-1; a',
    'type=file;size=9007199254740992; a',
    'type=file;size=99999999999999999999; a',
    'type=file;size=0x10; a',
    'type=file; a',
    'size=1; a',
    'garbage',
    'garbage with words',
    '-rw-r--r-- 1 a b 5 Nov 21 00:43 x',
  ]) {
    it(`that cannot be believed is rejected, not guessed: ${JSON.stringify(line.slice(0, 60))}`, () => {
      assert.equal(parseMlsdLine(line).kind, 'rejected');
    });
  }

  for (const raw of ['garbage', '00000000000000', '20261301000000', '20260230000000', '191001121004310', '2026', '']) {
    it(`with the unreadable time ${JSON.stringify(raw)} keeps its text and tells no precision`, () => {
      assert.deepEqual(entry(`type=file;size=1;modify=${raw}; a`).modified, { raw, ms: undefined, precision: 'none' });
    });
  }

  it('may tell fractions of a second', () => {
    const time = entry('type=file;size=1;modify=20261121004310.25; a').modified;
    assert.equal(time?.ms, Date.UTC(2026, 10, 21, 0, 43, 10, 250));
  });

  it('accepts the largest size that is exact', () => {
    assert.equal(entry('type=file;size=9007199254740991; a').sizeBytes, Number.MAX_SAFE_INTEGER);
  });

  it('never throws, and every line is an entry, dots, ignored or rejected', () => {
    const word = fc.constantFrom(
      'type=',
      'file',
      ';',
      ' ',
      'size=',
      '12',
      'modify=',
      '2026',
      'dir',
      '=',
      '..',
      '/',
      '\0',
    );
    const lines = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.array(word, { maxLength: 20 }).map((words) => words.join('')),
    );
    fc.assert(
      fc.property(lines, (line) => {
        const parsed = parseMlsdLine(line);
        assert.ok(['entry', 'dots', 'ignored', 'rejected'].includes(parsed.kind));
        if (parsed.kind === 'entry') assert.doesNotMatch(parsed.entry.name, /^\.{0,2}$|[/\0\r\n]/);
      }),
    );
  });

  it('gives back any usable name that was put in', () => {
    const usable = fc
      .string({ unit: 'binary', minLength: 1, maxLength: 80 })
      .filter((n) => !/^\.{1,2}$|[/\0\r\n]/.test(n));
    fc.assert(
      fc.property(usable, fc.maxSafeNat(), (name, size) => {
        const read = entry(`type=file;size=${size};modify=20260101000000; ${name}`);
        assert.equal(read.name, name);
        assert.equal(read.sizeBytes, size);
      }),
    );
  });
});

describe('The answer to MLST', () => {
  it('is read whatever path it shows', () => {
    assert.deepEqual(parseMlstFacts('type=file;size=5;modify=20260101000000;unique=1; /a/b'), {
      sizeBytes: 5,
      modified: { raw: '20260101000000', ms: Date.UTC(2026, 0, 1), precision: 'second' },
      unique: '1',
    });
  });

  it('without facts tells nothing', () => {
    assert.equal(parseMlstFacts(' /a/b'), undefined);
    assert.equal(parseMlstFacts('nonsense'), undefined);
  });
});
