import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { isBackupError } from '../../src/errors.ts';
import { decodeRemoteName, localNameFor, nameKey, remoteNameFor } from '../../src/local/local-name.ts';
import type { NameLimits } from '../../src/local/local-name.ts';

const LIMITS: NameLimits = { nameBytesMax: 255, isCaseSensitive: true };
const ENCRYPTED: NameLimits = { nameBytesMax: 143, isCaseSensitive: true };
const ANY_CASE: NameLimits = { nameBytesMax: 255, isCaseSensitive: false };

/** The bytes that a server with UTF-8 names sends. */
const utf8 = (text: string): string => Buffer.from(text, 'utf8').toString('latin1');
const nameFor = (raw: string, limits = LIMITS): string => localNameFor(raw, limits, () => false);

/** Names one folder's files as the engine does: in order, each knowing the ones before. */
function nameAll(raws: readonly string[], limits: NameLimits): string[] {
  const taken = new Set<string>();
  return raws.map((raw) => {
    const name = localNameFor(raw, limits, (key) => taken.has(key));
    taken.add(nameKey(name, limits));
    return name;
  });
}

/** What a restore can do without the index: the documented way back from escapes. */
function unescape(name: string): string {
  const escape = /%(?:[01][0-9A-F]|2[35EF]|40|7F|C2%[89][0-9A-F]|E2%8[01]%[89AB][0-9A-F])/g;
  return name.replace(escape, (text) => Buffer.from(text.replaceAll('%', ''), 'hex').toString('utf8'));
}

/** Any bytes that a remote name can hold, often such as make trouble. */
const rawName = fc
  .oneof(
    fc.uint8Array({ minLength: 1, maxLength: 255 }).map((bytes) => Buffer.from(bytes).toString('latin1')),
    fc.string({ unit: 'binary', minLength: 1, maxLength: 60 }).map(utf8),
    fc
      .array(
        fc.constantFrom('%', '2', '5', 'E', 'C2', '/', '.', '..', '@eaDir', 'a', 'A', '\n', '\x85', 'é', '~', '\u202e'),
      )
      .map((parts) => utf8(parts.join(''))),
  )
  .map((raw) => raw.slice(0, 255))
  .filter((raw) => raw !== '');

describe('the local name of a remote name', () => {
  const table: readonly [why: string, raw: string, expected: string][] = [
    ['a plain name', 'index.html', 'index.html'],
    ['a dot file', '.htaccess', '.htaccess'],
    ['UTF-8', utf8('Été à Paris — 日本.jpg'), 'Été à Paris — 日本.jpg'],
    ['Latin-1', 'Caf\xe9.txt', 'Café.txt'],
    ['CP1252 beyond Latin-1', 'prix 10\x80 \x93ici\x94', 'prix 10€ “ici”'],
    ['a byte that CP1252 leaves undefined', 'a\x81\xff', 'a%C2%81ÿ'],
    ['NFD stays NFD', utf8('e\u0301'), 'e\u0301'],
    ['a byte order mark stays', utf8('\ufeffa'), '\ufeffa'],
    ['characters that only Windows forbids', 'a:b*c?"<>|\\', 'a:b*c?"<>|\\'],
    ['a space and a period at the end', 'a . ', 'a . '],
    ['a leading dash and brackets', '-rf [slug]', '-rf [slug]'],
    ['a newline', 'a\nb', 'a%0Ab'],
    ['an escape character of terminals', '\x1b[31m', '%1B[31m'],
    ['DEL', 'a\x7f', 'a%7F'],
    ['NUL', 'a\0b', 'a%00b'],
    ['a slash', '../../x', '..%2F..%2Fx'],
    ['a control character of the second kind', utf8('a\u0085b'), 'a%C2%85b'],
    ['a reversed direction of writing', utf8('a\u202egpj.exe'), 'a%E2%80%AEgpj.exe'],
    ['an isolated direction of writing', utf8('\u2066x\u2069'), '%E2%81%A6x%E2%81%A9'],
    ['a percent sign that means nothing', '100% %20 %zz %C3%A9', '100% %20 %zz %C3%A9'],
    ['a percent sign that reads as an escape', 'a%0Ab', 'a%250Ab'],
    ['an escaped percent sign', 'a%250Ab', 'a%25250Ab'],
    ['the folder itself', '.', '%2E'],
    ['the folder above', '..', '%2E.'],
    ['three dots', '...', '...'],
    ['thumbnails of DSM', '@eaDir', '%40eaDir'],
    ['the same in other letters', '@EADIR', '%40EADIR'],
    ['the recycle bin of DSM', '#recycle', '%23recycle'],
    ['snapshots of DSM', '#snapshot', '%23snapshot'],
    ['temporary files of DSM', '@tmp', '%40tmp'],
    ['the working folder of DSM', '.SynologyWorkingDirectory', '%2ESynologyWorkingDirectory'],
    ['a name that only begins like a reserved one', '@eaDir2', '@eaDir2'],
  ];
  for (const [why, raw, expected] of table) {
    it(`keeps ${why}: ${JSON.stringify(raw)}`, () => {
      assert.equal(nameFor(raw), expected);
    });
  }

  it('cuts a name that is too long between two characters, and keeps its extension and its identity', () => {
    const long = utf8('é'.repeat(100) + '.jpeg');
    const name = nameFor(long, ENCRYPTED);
    assert.match(name, /^é+~[0-9a-f]{8}\.jpeg$/);
    assert.ok(Buffer.byteLength(name) >= 142 && Buffer.byteLength(name) <= 143, name);
    assert.notEqual(nameFor(utf8('é'.repeat(101) + '.jpeg'), ENCRYPTED), name);
    assert.equal(nameFor(long), 'é'.repeat(100) + '.jpeg');
  });

  it('takes a long end after a dot for a part of the name', () => {
    assert.match(nameFor('a.' + 'b'.repeat(200), ENCRYPTED), /^a\.b+~[0-9a-f]{8}$/);
  });

  it('keeps a Latin-1 and a UTF-8 name of the same text apart', () => {
    assert.deepEqual(nameAll(['\xe9.txt', utf8('é.txt')], LIMITS), ['é.txt', 'é~d0720667.txt']);
  });

  it('keeps names apart that look the same: NFC and NFD', () => {
    const [composed, decomposed] = nameAll([utf8('\u00e9'), utf8('e\u0301')], LIMITS);
    assert.equal(composed, '\u00e9');
    assert.match(decomposed ?? '', /^e\u0301~[0-9a-f]{8}$/);
  });

  it('keeps README and readme apart only where the target does not', () => {
    assert.deepEqual(nameAll(['README', 'readme'], LIMITS), ['README', 'readme']);
    assert.match(nameAll(['README', 'readme'], ANY_CASE)[1] ?? '', /^readme~[0-9a-f]{8}$/);
    for (const [a, b] of [
      ['ß', 'ẞ'],
      ['ß', 'SS'],
      ['Σ', 'ς'],
      ['ſ', 's'],
      ['\u212a', 'k'],
      ['É', 'e\u0301'],
    ] as const) {
      assert.equal(nameKey(a, ANY_CASE), nameKey(b, ANY_CASE), `${a} and ${b}`);
    }
  });

  it('is not deceived by a server that offers the name which the hash would make', () => {
    const names = nameAll(['\xe9.txt', utf8('é~d0720667.txt'), utf8('é.txt')], LIMITS);
    assert.equal(names[1], 'é~d0720667.txt');
    assert.match(names[2] ?? '', /^é~d0720667[0-9a-f]{8}\.txt$/);
  });

  it('says so when no name is left', () => {
    assert.throws(
      () => localNameFor('a', LIMITS, () => true),
      (error) => isBackupError(error, 'name-unusable'),
    );
    assert.throws(
      () => nameFor(''),
      (error) => isBackupError(error, 'name-unusable'),
    );
  });

  it('refuses text that is not bytes', () => {
    assert.throws(() => nameFor('日'), TypeError);
  });

  it('is for any bytes a single usable name within the limit', () => {
    fc.assert(
      fc.property(rawName, fc.constantFrom(LIMITS, ENCRYPTED, ANY_CASE), (raw, limits) => {
        const name = nameFor(raw, limits);
        assert.ok(name !== '' && name !== '.' && name !== '..');
        assert.doesNotMatch(name, /[\0-\x1f/\x7f-\x9f\u202a-\u202e\u2066-\u2069]/);
        assert.equal(Buffer.from(name).toString(), name, 'no half character');
        assert.ok(Buffer.byteLength(name) <= limits.nameBytesMax, name);
        assert.equal(nameFor(raw, limits), name, 'the same each time');
      }),
    );
  });

  it('leaves a name alone that it has made, where nothing had to be escaped', () => {
    fc.assert(
      fc.property(rawName, (raw) => {
        const name = nameFor(raw);
        fc.pre(!name.includes('%'));
        assert.equal(nameFor(utf8(name)), name);
      }),
    );
  });

  it('can be read back, whatever was escaped', () => {
    fc.assert(
      fc.property(
        fc.oneof(rawName, fc.string({ unit: fc.constantFrom('%', '2', '5', 'E', 'C', '8', '0', '4', 'F', '1') })),
        (raw) => {
          fc.pre(raw !== '' && raw.length < 60);
          const again = unescape(nameFor(raw));
          const plain = Buffer.from(raw, 'latin1');
          // Escapes can be undone to the text; which of two encodings it came in, only the index knows.
          if (Buffer.from(plain.toString('utf8')).equals(plain)) assert.equal(utf8(again), raw);
          else assert.equal(nameFor(utf8(again)), nameFor(raw));
        },
      ),
      { numRuns: 2000 },
    );
  });

  it('never gives two names of one folder the same key', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(rawName, { maxLength: 30 }),
        fc.constantFrom(LIMITS, ENCRYPTED, ANY_CASE),
        (raws, limits) => {
          const keys = nameAll(raws, limits).map((name) => nameKey(name, limits));
          assert.equal(new Set(keys).size, raws.length);
        },
      ),
    );
  });
});

describe('a remote name for people', () => {
  it('is decoded part by part, without anything that moves the cursor', () => {
    assert.equal(decodeRemoteName(`/${utf8('Été')}/Caf\xe9\n\x1b[2J`), '/Été/Café%0A%1B[2J');
    assert.equal(decodeRemoteName('/100%25'), '/100%25');
    assert.equal(decodeRemoteName('/'), '/');
  });
});

describe('The remote name for a local one', () => {
  it('is the one that the local name was made from, wherever that was UTF-8 and fitted', () => {
    const name = fc.string({ unit: 'binary', minLength: 1, maxLength: 40 }).filter((text) => !/[/\0\r\n]/.test(text));
    fc.assert(
      fc.property(name, (text) => {
        assert.equal(remoteNameFor(nameFor(utf8(text)), LIMITS), utf8(text));
      }),
    );
  });

  it('is none for a name under which nothing is ever kept', () => {
    for (const name of ['a\nb', '@eaDir', '..', '%2F', 'x\u202ey'])
      assert.equal(remoteNameFor(name, LIMITS), undefined);
  });
});
