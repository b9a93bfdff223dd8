import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { ListingFingerprint } from '../../src/engine/fingerprint.ts';
import type { RemoteEntry, RemoteName, RemoteTime } from '../../src/remote/remote.ts';

const time = (raw: string): RemoteTime => ({ raw, ms: undefined, precision: 'second' });
const FILE: RemoteEntry = {
  name: 'a.txt' as RemoteName,
  type: 'file',
  sizeBytes: 100,
  modified: time('20260520120000'),
  unique: '801U4F',
  mode: '0644',
  linkTarget: undefined,
};
const FOLDER: RemoteEntry = { ...FILE, name: 'dir' as RemoteName, type: 'folder', sizeBytes: 0 };
const LINK: RemoteEntry = { ...FILE, name: 'to' as RemoteName, type: 'link', sizeBytes: 0, linkTarget: 'a.txt' };

function digestOf(entries: readonly RemoteEntry[], salt = 'filters'): string {
  const fingerprint = new ListingFingerprint(salt);
  for (const entry of entries) fingerprint.add(entry);
  return fingerprint.digest().toString('hex');
}

const anyEntry: fc.Arbitrary<RemoteEntry> = fc.record({
  name: fc.stringMatching(/^[a-z.~ é-]{1,6}$/).map((name) => name as RemoteName),
  type: fc.constantFrom('file', 'folder', 'link', 'other'),
  sizeBytes: fc.nat(5),
  modified: fc.option(fc.constantFrom('1', '2', '12').map(time), { nil: undefined }),
  unique: fc.option(fc.constantFrom('1', '2', '12'), { nil: undefined }),
  mode: fc.option(fc.constantFrom('0644', '0600'), { nil: undefined }),
  linkTarget: fc.option(fc.constantFrom('a', 'b'), { nil: undefined }),
});

describe('the fingerprint of a listing', () => {
  it('does not depend on the order of the lines', () => {
    const listing = fc.array(anyEntry, { maxLength: 12 });
    const shuffled = listing.chain((entries) =>
      fc.tuple(fc.constant(entries), fc.shuffledSubarray(entries, { minLength: entries.length })),
    );
    fc.assert(
      fc.property(shuffled, ([entries, others]) => {
        assert.equal(digestOf(others), digestOf(entries));
      }),
    );
  });

  const changes: readonly (readonly [string, RemoteEntry, Partial<RemoteEntry>])[] = [
    ['the size of a file', FILE, { sizeBytes: 101 }],
    ['the time of a file, by one character', FILE, { modified: time('20260520120001') }],
    ['that a file has no time', FILE, { modified: undefined }],
    ['the identity of a file', FILE, { unique: '801U50' }],
    ['the rights of a file', FILE, { mode: '0600' }],
    ['the name of a file', FILE, { name: 'A.txt' as RemoteName }],
    ['that a file is a folder now', { ...FILE, sizeBytes: 0 }, { type: 'folder' }],
    ['that a folder is a link now', FOLDER, { type: 'link' }],
    ['the identity of a folder', FOLDER, { unique: '801U50' }],
    ['where a link leads', LINK, { linkTarget: 'b.txt' }],
  ];
  for (const [what, entry, change] of changes) {
    it(`shows ${what}`, () => {
      const rest = [{ ...FILE, name: 'other' as RemoteName }];
      assert.notEqual(digestOf([...rest, { ...entry, ...change }]), digestOf([...rest, entry]));
    });
  }

  it('shows a line more, a line less, and a line that comes twice', () => {
    const digests = [[], [FILE], [FILE, FILE], [FILE, FOLDER], [FILE, FOLDER, LINK]].map((entries) =>
      digestOf(entries),
    );
    assert.equal(new Set(digests).size, digests.length);
  });

  it('shows that the filters changed', () => {
    assert.notEqual(digestOf([FILE], 'one'), digestOf([FILE], 'two'));
  });

  it('ignores the time and size of folders, which their own listing tells better', () => {
    assert.equal(digestOf([{ ...FOLDER, modified: time('1'), sizeBytes: 4096 }]), digestOf([FOLDER]));
  });

  it('differs for any two listings that differ in what is told of any file', () => {
    const told = ({ name, sizeBytes, modified, unique, mode }: RemoteEntry): string =>
      JSON.stringify([name, sizeBytes, modified?.raw ?? '', unique ?? '', mode ?? '']);
    const files = fc.array(
      anyEntry.map((entry) => ({ ...entry, type: 'file' as const })),
      { maxLength: 6 },
    );
    fc.assert(
      fc.property(files, files, (one, other) => {
        const isEqual = JSON.stringify(one.map(told).sort()) === JSON.stringify(other.map(told).sort());
        assert.equal(digestOf(one) === digestOf(other), isEqual);
      }),
    );
  });
});
